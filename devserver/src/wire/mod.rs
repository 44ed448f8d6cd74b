//! What travels on the socket, byte for byte: frames, messages, values, result codes.
//!
//! Nothing here knows what a record is or what a command does. Every number of the protocol has its one place:
//! [`consts`] (bits, field types, operation codes, particle types) and [`result`] (result codes).

pub mod consts;
pub mod message;
pub mod msgpack;
pub mod particle;
pub mod proto;
pub mod reader;
pub mod response;
pub mod result;
pub mod security;
