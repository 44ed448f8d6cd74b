//! What all connections of a node share: the namespaces, the cluster, the faults, the counters of connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Instant;

use crate::cluster::Cluster;
use crate::faults::AtNode;
use crate::storage::namespace::Namespace;
use crate::wire::result::{Outcome, ResultCode};

/// One node, as its commands see it.
pub struct State {
    pub namespaces: Vec<Arc<Namespace>>,
    pub cluster: Arc<Cluster>,
    /// This node's number in it.
    pub node: usize,
    pub started: Instant,
    pub connections: Connections,
    pub faults: AtNode,
}

/// How many records a node holds.
#[derive(Default)]
pub struct Objects {
    /// As the node that answers for them.
    pub master: u64,
    /// As a replica.
    pub prole: u64,
}

impl Objects {
    pub fn all(&self) -> u64 {
        self.master + self.prole
    }
}

/// Counts of client connections since the start.
#[derive(Default)]
pub struct Connections {
    pub opened: AtomicU64,
    pub closed: AtomicU64,
}

impl State {
    pub fn new(
        namespaces: Vec<Arc<Namespace>>,
        cluster: Arc<Cluster>,
        faults: AtNode,
        node: usize,
    ) -> State {
        State {
            namespaces,
            cluster,
            node,
            started: Instant::now(),
            connections: Connections::default(),
            faults,
        }
    }

    /// Sixteen hex digits, starting at `BB9` as the server's ids do.
    pub fn node_id(&self) -> &str {
        self.cluster.node_id(self.node)
    }

    /// The records of a namespace that this node holds.
    pub fn objects(&self, namespace: &Namespace) -> Objects {
        let mut objects = Objects::default();
        if self.cluster.size() == 1 {
            objects.master = namespace.objects.load(Ordering::Relaxed);
            return objects;
        }
        let shares = self.cluster.with_owners(|owners| {
            let shares = owners
                .iter()
                .map(|owners| (owners.master == self.node, owners.holders.has(self.node)));
            shares.collect::<Vec<_>>()
        });
        for (partition, (is_master, is_holder)) in shares.into_iter().enumerate() {
            let count = namespace
                .partition(partition)
                .map_or(0, |partition| partition.len() as u64);
            if is_master {
                objects.master += count;
            } else if is_holder {
                objects.prole += count;
            }
        }
        objects
    }

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
