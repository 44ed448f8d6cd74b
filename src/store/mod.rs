//! What a session is, on a cluster. Pure Rust, independent of JavaScript. From the top down:
//!
//! - [`service`]: accepts requests, and answers each exactly once.
//! - [`session_queue`]: runs the requests for one session in the order of their arrival.
//! - [`dispatch`]: from a request to its operation.
//! - [`plain_ops`]: the operations on plain data, compatible with Aerospike's own session-store example.
//! - [`session_ops`], [`update_ops`]: the operations of express-session. No update is lost, and a removed session
//!   stays removed.
//! - [`scan_ops`], [`user_ops`]: the operations on all sessions of a view, and on the sessions of one user.
//! - [`cache_ops`]: runs the operations of [`cache`](crate::cache).
//! - [`session_limit`]: the limit of sessions of one user.
//! - [`sessions`], [`shared`], [`record_ref`]: what operations work with: a view, the state of the store, and one
//!   record.
//! - [`view`], [`options`], [`notice`], [`request`]: the inputs and outputs of a store.
//! - [`filters`]: the filters of writes, packed in advance.
//! - [`layout`], [`bins`], [`cookie`]: the record and its bins.
//! - [`encryption`], [`id_hash`]: encrypted data, hashed ids and owners.
//! - [`baseline`], [`merge`]: what a request had loaded, what it changed, and the merge with changes of others.
//! - [`pending_writes`]: what a session object has stored before JavaScript received the answer.
//! - [`expiry`]: when a session ends. The only module that decides it.
//! - [`watches`], [`watch_ops`]: the sessions that are watched, and the checks whether they are still there.
//! - [`metrics`]: counters of operations and their outcomes.

mod aliases;
pub mod baseline;
mod bins;
mod cache_ops;
mod cookie;
mod dispatch;
pub mod encryption;
pub mod expiry;
mod filters;
pub mod id_hash;
mod layout;
// Public for fuzz/.
pub mod merge;
mod metrics;
mod notice;
mod options;
mod pending_writes;
mod plain_ops;
mod record_ref;
mod renew_ops;
pub mod request;
mod scan_ops;
mod service;
mod session_limit;
mod session_ops;
mod session_queue;
mod sessions;
mod shared;
mod update_ops;
mod user_ops;
mod view;
mod watch_ops;
mod watches;

pub use metrics::Stats;
pub use notice::Notice;
pub use options::{Evict, Options, SessionLimit};
pub use pending_writes::Writer;
pub use record_ref::digest_of_text;
pub use request::{
    Answer, Operation, Output, Request, ScanOp, SessionName, SessionOp, Ticket, Written,
};
pub use service::Store;
pub use view::View;
pub use watches::Ended;
