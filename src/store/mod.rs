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
//! - [`session_limit`], [`session_limit_ops`]: the limit of sessions of one user, and its records in the cluster.
//! - [`removal`], [`upsert`], [`record_commands`]: the commands on one record that several operations share.
//! - [`sessions`], [`shared`], [`record_ref`]: what operations work with: a view, the state of the store, and one
//!   record.
//! - [`view`], [`options`], [`notice`], [`request`]: the inputs and outputs of a store.
//! - [`filters`]: the filters of writes, packed in advance.
//! - [`layout`], [`bins`], [`cookie`]: the record and its bins.
//! - [`rate_limit_queue`], [`rate_limit_service`]: runs the requests for rate limits, see [`rate_limits`](crate::rate_limits).
//! - [`encryption`], [`id_hash`]: encrypted data, hashed ids and owners.
//! - [`baseline`], [`baseline_text`], [`session_text`], [`merge`]: what a request had loaded, the text of a session, what a request changed, and the merge with changes of others.
//! - [`pending_writes`]: what a session object has stored before JavaScript received the answer.
//! - [`expiry`]: when a session ends. The only module that decides it.
//! - [`watches`], [`watch_ops`]: the sessions that are watched, and the checks whether they are still there.
//! - [`metrics`]: counters of operations and their outcomes.

mod aliases;
pub mod baseline;
mod baseline_text;
mod bins;
mod cache_ops;
mod cookie;
mod dispatch;
pub mod encryption;
pub mod expiry;
mod filters;
mod layout;
mod rate_limit_queue;
mod rate_limit_service;
mod session_limit_ops;
// Public for fuzz/.
pub mod merge;
mod metrics;
mod notice;
mod options;
mod pending_writes;
mod plain_ops;
mod record_commands;
mod record_ref;
mod removal;
mod renew_ops;
pub mod request;
mod scan_ops;
mod service;
mod session_limit;
mod session_ops;
mod session_queue;
pub mod session_text;
mod sessions;
mod shared;
mod update_ops;
mod upsert;
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
    Answer, Operation, Output, RateLimitOp, Request, ScanOp, SessionName, SessionOp, Ticket,
    Written,
};
pub use service::Store;
pub use view::View;
pub use watches::Ended;
