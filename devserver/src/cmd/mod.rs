//! Commands on records: one file a command.
//!
//! | file | command |
//! |---|---|
//! | [`read`] | get, some bins, header only, exists, operations that only read |
//! | [`mod@write`] | put in all its kinds, append, incr, operations that write |
//! | [`touch`] | the touch operation, and reads that extend a record's life |
//! | [`delete`] | delete |
//! | [`batch`] | many of the above in one request |
//! | [`query`] | walking a set or a namespace |
//!
//! [`ops`] applies one operation to one bin; [`request`] is what all of the above are given, [`response`] what they write; [`stalled`] is where they wait for a node that is gone.
//! Order of dispatch as in `as_tsvc_process_transaction()` (`as/src/base/thr_tsvc.c`).

mod batch;
mod delete;
mod dispatch;
mod execute;
pub mod fault_targets;
mod ops;
mod query;
mod read;
mod request;
mod response_builder;
pub mod stalled;
mod touch;
mod write;

pub use dispatch::{Response, handle};
