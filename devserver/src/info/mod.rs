//! Info commands: text commands of clients, tools and operators.
//!
//! A request is a list of commands, each ended by a line feed. The response to each is the command, a tab, the result, a
//! line feed. A command is a name, then `/arg/arg` or `:key=value;key=value`. Source: `as/src/base/thr_info.c`.
//!
//! | file | commands |
//! |---|---|
//! | [`cluster`] | the nodes and the owners of the partitions |
//! | [`node`] | build, features, the current connection |
//! | [`statistics`] | statistics of the node, histograms, health |
//! | [`namespace`] | namespaces, sets, their statistics |
//! | [`config`] | configuration |
//! | [`set_config`] | the settings of a namespace that can change |
//! | [`truncate`] | truncation |
//! | [`sindex`] | secondary indexes |
//! | [`query`] | background queries |
//! | [`udf`] | UDFs, which this server does not have |
//! | [`log`] | the server's log |
//! | [`maintenance`] | dumps and repairs |
//!
//! [`dispatch`] splits a request into commands. [`command`], [`error`] and [`session`] are what the families share;
//! [`template`] has the names of the long responses.

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
