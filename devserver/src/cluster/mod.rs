//! The nodes of a cluster, and what they know of each other.
//!
//! All nodes of a development server share one storage: a write reaches its replicas without delay. This module adds
//! what makes a cluster of it: the owners of each partition, what clients learn of them, and the effects of a node
//! that stops. The other nodes notice that only after its heartbeats have been missing for a while. Until then,
//! requests that need the node wait, as in a real server. Records without a copy on a remaining node are lost.

mod config;
mod membership;
mod partitions;
mod stall;

pub use config::{ClusterConfig, NodeIdentity};
pub use membership::Cluster;
pub use partitions::MAX_NODES;
pub use stall::Stall;
