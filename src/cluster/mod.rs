//! Wraps the `aerospike` crate in one interface: it takes a [`Command`] on a key and returns a [`Reply`]. From the top down:
//!
//! - [`handle`]: the cluster as the store holds it. [`execute`], [`scan`] and [`info`] add its operations.
//! - [`execute`]: runs one command within its deadline, with repetitions and fail-over.
//! - [`connection`]: the task that owns the connection: it connects, reconnects and closes.
//! - [`connect_attempt`], [`seed_probe`]: one attempt to connect, and the probe of the seeds before it.
//! - [`reconnect`]: finds out why a connected client gets no connections any more.
//! - [`namespaces`], [`peer_addresses`], [`server_features`]: whether the cluster has the namespace, whether its nodes can be reached,
//!   and which features they lack.
//! - [`ttl_support`]: whether the namespace accepts TTLs.
//! - [`routing`], [`node_queue`]: the node of a command, and the commands that wait for that node.
//! - [`batch_sender`], [`direct_send`], [`batch`]: send commands in batches or one alone, and decode the answers of a batch.
//! - [`node_health`]: whether a node has failed to answer lately.
//! - [`record_sizes`], [`memory_size`]: the approximate size of sessions.
//! - [`transport`], [`rows`]: the crate's client, or a simulated cluster in tests.
//! - [`socket_affinity`]: the thread that watches the sockets of operations.
//! - [`policy`]: every policy for the crate, and the parts of a deadline.
//! - [`failure`]: turns the crate's errors into ours.
//! - [`command`], [`options`], [`credentials`], [`tls`], [`stats`], [`trace`]: plain data.
//!
//! The guards against defects of the crate (no deadline for connecting, connection storms, no fail-over of reads, a client that
//! leaks unless it is closed) are only in these files. docs/architecture.md lists them.

mod batch;
mod batch_sender;
mod command;
mod connect_attempt;
mod connection;
pub mod credentials;
mod direct_send;
mod execute;
mod failure;
mod handle;
mod info;
pub mod memory_size;
mod namespaces;
mod node_health;
mod node_queue;
mod options;
mod peer_addresses;
mod policy;
mod reconnect;
mod record_sizes;
mod routing;
mod rows;
pub mod scan;
mod seed_probe;
mod server_features;
pub mod socket_affinity;
mod stats;
pub mod tls;
pub mod trace;
mod transport;
mod ttl_support;

pub use command::{Command, LARGEST_RECORD, Repeat, Reply, Step};
pub use execute::CallOptions;
#[cfg(test)]
pub use failure::Failure;
pub use failure::too_big;
pub use handle::Cluster;
pub use options::{Host, Options};
pub use peer_addresses::UnreachableAddresses;
#[cfg(test)]
pub use routing::partition;
#[cfg(test)]
pub use rows::SimulatedRow;
pub use stats::Stats;
#[cfg(test)]
pub use transport::{Simulated, Transport};
pub use ttl_support::TtlSupport;
