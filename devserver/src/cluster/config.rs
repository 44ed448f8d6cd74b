//! The configuration of a cluster.

use std::time::Duration;

/// The configuration of a cluster.
pub struct ClusterConfig {
    /// The cluster name; empty for none.
    pub name: String,
    pub nodes: Vec<NodeIdentity>,
    pub replication_factor: usize,
    /// How long a node's heartbeats may be missing before the other nodes remove it from the cluster.
    pub heartbeat_timeout: Duration,
    /// How long migrations take after a node has joined or left.
    pub migration_time: Duration,
    /// Whether a data file keeps the records of nodes that have stopped.
    pub is_durable: bool,
}

/// How clients identify and reach a node.
pub struct NodeIdentity {
    /// Sixteen hexadecimal digits that start with `BB9`, as in the server.
    pub id: String,
    pub port: u16,
    /// `None`: there are no racks.
    pub rack: Option<u32>,
}
