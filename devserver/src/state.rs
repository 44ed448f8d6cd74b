//! The state that all connections of a node share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::cluster::Cluster;
use crate::faults::NodeFaults;
use crate::memory_limiter::MemoryLimiter;
use crate::security::{Access, Login, Security};
use crate::storage::namespace::Namespace;
use crate::storage::sets::Set;
use crate::tls::Tls;
use crate::wire::result::{Outcome, ResultCode};

/// A node, as its commands see it.
pub struct State {
    pub namespaces: Vec<Arc<Namespace>>,
    pub cluster: Arc<Cluster>,
    /// The number of this node in the cluster.
    pub node: usize,
    pub started: Instant,
    pub connections: Connections,
    pub faults: NodeFaults,
    /// `None`: there are no users.
    pub security: Option<Arc<Security>>,
    /// `None`: connections are not encrypted.
    pub tls: Option<Arc<Tls>>,
}

/// Users and TLS, the same for all nodes.
#[derive(Clone, Default)]
pub struct ConnectionSecurity {
    pub security: Option<Arc<Security>>,
    pub tls: Option<Arc<Tls>>,
}

/// How many records a node holds.
#[derive(Default)]
pub struct Objects {
    /// As master.
    pub master: u64,
    /// As a replica.
    pub prole: u64,
}

impl Objects {
    pub fn all(&self) -> u64 {
        self.master + self.prole
    }
}

/// Numbers of client connections since the start, and the memory they use.
#[derive(Default)]
pub struct Connections {
    pub opened: AtomicU64,
    pub closed: AtomicU64,
    pub memory: MemoryLimiter,
}

impl State {
    pub fn new(
        namespaces: Vec<Arc<Namespace>>,
        cluster: Arc<Cluster>,
        faults: NodeFaults,
        node: usize,
        connection_security: ConnectionSecurity,
    ) -> State {
        State {
            namespaces,
            cluster,
            node,
            started: Instant::now(),
            connections: Connections::default(),
            security: connection_security.security,
            tls: connection_security.tls,
            faults,
        }
    }

    /// Returns the node ID: sixteen hexadecimal digits that start with `BB9`, as in the server.
    pub fn node_id(&self) -> &str {
        self.cluster.node_id(self.node)
    }

    /// Returns the number of records of a namespace that this node holds.
    pub fn objects(&self, namespace: &Namespace) -> Objects {
        let mut objects = Objects::default();
        if self.cluster.size() == 1 {
            objects.master = namespace.objects.load(Ordering::Relaxed);
            return objects;
        }
        for (partition, (is_master, is_holder)) in self.held_partitions().into_iter().enumerate() {
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

    /// Returns the number of records of a set that this node holds, and their bytes in storage.
    pub fn set_usage(&self, namespace: &Namespace, set_id: u16, set: &Set) -> (u64, u64) {
        if self.cluster.size() == 1 {
            let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            return (of(&set.objects), of(&set.data_used));
        }
        let held = self.held_partitions();
        let (mut objects, mut bytes) = (0, 0);
        namespace.for_each(|partition, _, record| {
            let (is_master, is_holder) = held[partition];
            if record.set_id == set_id && (is_master || is_holder) {
                objects += 1;
                bytes += record.stored_size(Some(&set.name)) as u64;
            }
        });
        (objects, bytes)
    }

    /// Returns for each partition whether this node is its master, and whether it holds a replica.
    fn held_partitions(&self) -> Vec<(bool, bool)> {
        self.cluster.with_owners(|owners| {
            owners
                .iter()
                .map(|owners| (owners.master == self.node, owners.holders.has(self.node)))
                .collect()
        })
    }

    /// Returns what a connection may do.
    pub fn access(&self, login: &Login) -> Access {
        match &self.security {
            Some(security) => security.access(login),
            None => Access::Unrestricted,
        }
    }

    /// Finds the namespace that a field names.
    ///
    /// # Errors
    /// [`ResultCode::NAMESPACE`] if there is no field or no such namespace.
    pub fn namespace(&self, name: Option<&[u8]>) -> Outcome<&Arc<Namespace>> {
        let name = name.ok_or(ResultCode::NAMESPACE)?;
        self.namespaces
            .iter()
            .find(|namespace| namespace.name().as_bytes() == name)
            .ok_or(ResultCode::NAMESPACE)
    }
}
