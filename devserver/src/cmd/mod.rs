//! Commands on records, one file for each.
//!
//! | file | command |
//! |---|---|
//! | [`read`] | get, some bins, header only, exists, operations that only read |
//! | [`mod@write`] | put in all its kinds, append, incr, operations that write |
//! | [`touch`] | the touch operation, and reads that extend a record's TTL |
//! | [`delete`] | delete |
//! | [`batch`] | many of the above in one request |
//! | [`query`] | scans and queries of a set or a namespace |
//!
//! [`dispatch`] finds the command of a message, [`execute`] executes it on one record. [`ops`] applies one operation to
//! one bin. [`request`] is the input of all commands, [`response_builder`] writes their output. [`stalled`] delays
//! requests that need a node that is down, [`fault_targets`] finds the targets of faults in a frame.
//!
//! The order of dispatch is that of `as_tsvc_process_transaction()` (`as/src/base/thr_tsvc.c`).

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
