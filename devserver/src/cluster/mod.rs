//! The nodes of one cluster, and what they know of each other.
//!
//! All nodes of a dev server share one storage: what a write stores its replicas have, as if the copy took no time.
//! What makes it a cluster is here: who owns which partition, what clients are told of it, and what happens when a
//! node goes. The others notice that only when its heartbeats have been missing for a while; until then requests
//! that need it wait, as in the real server. Records that no node that is left held are gone.

mod config;
mod membership;
mod partitions;
mod stall;

pub use config::{ClusterConfig, NodeIdentity};
pub use membership::Cluster;
pub use partitions::MAX_NODES;
pub use stall::Stall;
