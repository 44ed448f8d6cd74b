//! The wire protocol: frames, messages, values, result codes.
//!
//! Nothing here depends on records or commands. Each constant of the protocol is defined once: in [`consts`] (bits,
//! field types, operation codes, particle types) or [`result`] (result codes).

pub mod consts;
pub mod message;
pub mod msgpack;
pub mod particle;
pub mod proto;
pub mod reader;
pub mod response;
pub mod result;
pub mod security;
