//! Text commands: what clients ask when they connect and tend, what tools ask, truncation.
//!
//! A request is commands, each ended by a line feed; each is answered by itself, a tab, the answer, a line feed.
//! A command is a name, then `/arg/arg` or `:key=value;key=value`. Source: `as/src/base/thr_info.c`.
//!
//! | file | commands |
//! |---|---|
//! | [`cluster`] | who the nodes are and which partitions they own |
//! | [`node`] | build, features, this connection |
//! | [`statistics`] | the node's numbers, histograms, health |
//! | [`namespace`] | namespaces, sets, their numbers |
//! | [`config`] | configuration |
//! | [`set_config`] | the settings of a namespace that can change |
//! | [`truncate`] | truncation |
//! | [`sindex`] | secondary indexes |
//! | [`query`] | background queries |
//! | [`udf`] | UDFs: there are none |
//! | [`log`] | the server's log |
//! | [`operator`] | dumps and repairs |
//!
//! [`template`] has the names of the long answers.

mod cluster;
mod command;
mod config;
mod dispatch;
mod error;
mod log;
mod maintenance;
mod namespace;
mod node;
mod query;
mod session;
mod set_config;
mod sindex;
mod statistics;
mod template;
mod truncate;
mod udf;

pub use dispatch::handle;
pub use session::Session;
