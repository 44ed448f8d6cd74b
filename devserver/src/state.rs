//! What all connections share: the namespaces, the node's identity, the counters of connections.

use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Instant;

use crate::budget::Budget;
use crate::storage::namespace::Namespace;
use crate::wire::result::{Outcome, ResultCode};

/// One server, as its commands see it.
pub struct State {
    pub namespaces: Vec<Arc<Namespace>>,
    pub node: NodeIdentity,
    pub started: Instant,
    pub connections: Connections,
}

/// How a node names itself to clients.
pub struct NodeIdentity {
    /// Sixteen hex digits, starting at `BB9` as the server's ids do.
    pub id: String,
    pub cluster_name: String,
}

/// Counts of client connections since the start, and what they may hold.
#[derive(Default)]
pub struct Connections {
    pub opened: AtomicU64,
    pub closed: AtomicU64,
    pub budget: Budget,
}

impl State {
    /// Finds the namespace that a field names.
    ///
    /// # Errors
    /// [`ResultCode::NAMESPACE`] when there is no field or no such namespace.
    pub fn namespace(&self, name: Option<&[u8]>) -> Outcome<&Arc<Namespace>> {
        let name = name.ok_or(ResultCode::NAMESPACE)?;
        self.namespaces
            .iter()
            .find(|namespace| namespace.name().as_bytes() == name)
            .ok_or(ResultCode::NAMESPACE)
    }
}
