//! A cache on a cluster: texts under keys, each with its own end. Pure Rust, independent of JavaScript. From the top down:
//!
//! - [`many_ops`]: the operations on several entries, on all entries, and on pages of them.
//! - [`one_ops`]: the operations on one entry, and the write with a TTL.
//! - [`entry`]: the record of an entry and its bins.
//! - [`request`]: what can be asked.
//!
//! Every command may be repeated and then has the same effect as once. Values have no meaning here: the application encodes them.
//!
//! `store` accepts the requests, orders those on one key, and calls this module. This module uses the store's rules for TTLs
//! and its encryption.

mod entry;
mod many_ops;
mod one_ops;
mod request;

pub use entry::{Entry, Layout};
pub use one_ops::{Cache, Target};
pub use request::{Answer, CacheOp, ManyOp};
