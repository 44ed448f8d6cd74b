//! What a cluster is made of.

use std::time::Duration;

/// What makes a cluster.
pub struct ClusterConfig {
    /// The name announced; empty for none.
    pub name: String,
    pub nodes: Vec<NodeIdentity>,
    pub replication_factor: usize,
    /// How long a node's heartbeats may be missing before it counts as gone.
    pub heartbeat_timeout: Duration,
    /// How long the copies take that a change of members makes necessary.
    pub migration_time: Duration,
    /// Whether records outlive the nodes that held them, in a data file.
    pub is_durable: bool,
}

/// What clients know a node by.
pub struct NodeIdentity {
    /// Sixteen hex digits, starting at `BB9` as the server's ids do.
    pub id: String,
    pub port: u16,
    /// `None`: there are no racks.
    pub rack: Option<u32>,
}
