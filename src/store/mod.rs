//! What a session is, on a cluster. Pure Rust, nothing of JavaScript. From the top down:
//!
//! - [`service`]: takes requests as they come in, and answers each exactly once.
//! - [`session_queue`]: the requests on one session are carried out in the order they came in.
//! - [`dispatch`]: from a request to its operation.
//! - [`plain_ops`]: the operations on plain data, as in Aerospike's recipe.
//! - [`session_ops`], [`update_ops`]: the operations of express-session, which lose no update and revive no logout.
//! - [`scan_ops`], [`user_ops`]: the operations on all sessions of a view, and on those of one user.
//! - [`sessions`], [`shared`], [`record_ref`]: what operations have at hand: a view, the state of the store, and one record.
//! - [`view`], [`options`], [`notice`], [`request`]: what is asked for, and what comes back.
//! - [`filters`]: the filters of writes, packed in advance.
//! - [`layout`], [`bins`], [`cookie`]: the record: which bin holds what.
//! - [`encryption`], [`id_hash`]: what of a record is encrypted or hashed.
//! - [`baseline`], [`merge`]: what a request had loaded, what it changed, and how that is merged with the changes of others.
//! - [`pending_writes`]: what was stored for a session object whose owner has not been answered yet.
//! - [`expiry`]: when a session ends. The only place that decides.
//! - [`metrics`]: what was asked, and what came of it.

pub mod baseline;
mod bins;
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
pub mod request;
mod scan_ops;
mod service;
mod session_ops;
mod session_queue;
mod sessions;
mod shared;
mod update_ops;
mod user_ops;
mod view;

pub use metrics::Stats;
pub use notice::Notice;
pub use options::Options;
pub use pending_writes::Writer;
pub use request::{Answer, Operation, Output, Request, ScanOp, SessionOp, Ticket, Written};
pub use service::Store;
pub use view::View;
