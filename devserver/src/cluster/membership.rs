//! The members of a cluster: which nodes run, and which of them the other nodes consider members.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::config::{ClusterConfig, NodeIdentity};
use super::partitions::{NodeSet, Owners, PartitionMap};
use crate::storage::namespace::Namespace;
use crate::storage::record::Digest;

/// A cluster, shared by its nodes.
pub struct Cluster {
    config: ClusterConfig,
    namespaces: Vec<Arc<Namespace>>,
    pub(super) members: RwLock<Members>,
    /// Whether a node is down that the others still consider a member.
    pub(super) is_stalled: AtomicBool,
    changed: watch::Sender<u64>,
    pub(super) pending_writes: Mutex<HashMap<Digest, usize>>,
    weak_self: Weak<Cluster>,
}

/// The nodes that run, and the members that the nodes know.
pub(super) struct Members {
    /// The nodes that run.
    pub(super) up: NodeSet,
    /// The members as the nodes know them.
    pub(super) known: NodeSet,
    /// The nodes that are frozen, and so keep their records.
    pub(super) suspended: NodeSet,
    pub(super) map: PartitionMap,
    pub(super) generations: Generations,
    /// Counts how often a node joined or left. A scheduled change of an earlier epoch is dropped.
    pub(super) epoch: u64,
}

/// The generations by which clients detect changes.
#[derive(Clone, Copy)]
pub struct Generations {
    pub partition: u32,
    pub rebalance: u32,
    pub peers: u32,
}

impl Cluster {
    /// Creates a cluster with all its nodes running.
    pub fn new(config: ClusterConfig, namespaces: Vec<Arc<Namespace>>) -> Arc<Cluster> {
        let all = NodeSet::first(config.nodes.len());
        let ids: Vec<_> = config.nodes.iter().map(|node| node.id.as_str()).collect();
        let map = PartitionMap::new(&ids, config.replication_factor);
        Arc::new_cyclic(|weak_self| Cluster {
            members: RwLock::new(Members {
                up: all,
                known: all,
                suspended: NodeSet::default(),
                map,
                generations: Generations {
                    partition: 0,
                    rebalance: 1,
                    peers: config.nodes.len().saturating_sub(1) as u32,
                },
                epoch: 0,
            }),
            config,
            namespaces,
            is_stalled: AtomicBool::new(false),
            changed: watch::Sender::new(0),
            pending_writes: Mutex::default(),
            weak_self: Weak::clone(weak_self),
        })
    }

    /// Returns the rack of a node, in all namespaces. `None`: there are no racks.
    pub fn rack(&self, node: usize) -> Option<u32> {
        self.config.nodes.get(node)?.rack
    }

    /// Returns the cluster name; empty for none.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Returns the number of configured nodes, running or not.
    pub fn size(&self) -> usize {
        self.config.nodes.len()
    }

    pub fn node_id(&self, node: usize) -> &str {
        let node = self.config.nodes.get(node);
        node.map_or("", |node| node.id.as_str())
    }

    /// Returns the other members, as `node` knows them.
    pub fn peers(&self, node: usize) -> impl Iterator<Item = &NodeIdentity> {
        let known = self.members().without(node);
        known.iter().filter_map(|peer| self.config.nodes.get(peer))
    }

    /// Returns the members as the nodes know them.
    pub fn members(&self) -> NodeSet {
        self.members.read().known
    }

    /// Returns the ID of the principal: the greatest ID of the members.
    pub fn principal(&self) -> &str {
        let ids = self.members().iter().map(|node| self.node_id(node));
        ids.max().unwrap_or_default()
    }

    /// Returns the cluster key, which changes with the members.
    pub fn key(&self) -> u32 {
        let members = self.members.read();
        let mut hash = crc32fast::Hasher::new();
        for node in members.known.iter() {
            hash.update(self.node_id(node).as_bytes());
        }
        if self.config.nodes.len() > 1 {
            hash.update(&members.generations.rebalance.to_be_bytes());
        }
        hash.finalize()
    }

    /// Whether a node is down that the others still consider a member.
    pub fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Acquire)
    }

    pub fn generations(&self) -> Generations {
        self.members.read().generations
    }

    /// Returns the current number of copies of each partition.
    pub fn copies(&self) -> usize {
        self.members.read().map.copies()
    }

    /// Whether all nodes know the members and all migrations are done.
    pub fn is_settled(&self) -> bool {
        let members = self.members.read();
        members.known == members.up && members.map.is_settled()
    }

    /// Calls `look` with the owners of all partitions.
    pub fn with_owners<T>(&self, look: impl FnOnce(&[Owners]) -> T) -> T {
        look(self.members.read().map.all())
    }

    /// Whether a node holds a full copy of a partition, so that it may respond to a query for it.
    pub fn holds(&self, node: usize, partition: usize) -> bool {
        self.config.nodes.len() == 1
            || self
                .members
                .read()
                .map
                .owners(partition)
                .is_some_and(|owners| owners.holders.has(node))
    }

    /// Marks a node as stopped: it has lost its records. The others notice after the heartbeat timeout.
    pub fn leave(&self, node: usize) {
        let mut members = self.members.write();
        members.suspended = members.suspended.without(node);
        self.mark_down(node, &mut members);
    }

    /// Marks a node as frozen, see [`Self::resume`].
    pub fn suspend(&self, node: usize) {
        let mut members = self.members.write();
        members.suspended = members.suspended.with(node);
        self.mark_down(node, &mut members);
    }

    fn mark_down(&self, node: usize, members: &mut Members) {
        members.up = members.up.without(node);
        members.epoch += 1;
        let epoch = members.epoch;
        if members.up.is_empty() {
            // No node is left that could wait for this one.
            return self.rebalance(members);
        }
        self.is_stalled.store(true, Ordering::Release);
        self.schedule(self.config.heartbeat_timeout, move |cluster, members| {
            if members.epoch == epoch {
                cluster.rebalance(members);
            }
        });
    }

    /// Marks a node as running again. It has no records.
    pub fn join(&self, node: usize) {
        let mut members = self.members.write();
        if members.known.has(node) && !members.up.has(node) {
            // The others have not noticed that it was down. It has lost its records, so it leaves before it joins.
            self.rebalance(&mut members);
        }
        members.up = members.up.with(node);
        members.epoch += 1;
        self.rebalance(&mut members);
    }

    /// Marks a frozen node as running again. It still has its records.
    pub fn resume(&self, node: usize) {
        let mut members = self.members.write();
        members.suspended = members.suspended.without(node);
        members.up = members.up.with(node);
        members.epoch += 1;
        self.rebalance(&mut members);
    }

    /// Makes the running nodes the members.
    fn rebalance(&self, members: &mut Members) {
        self.is_stalled.store(false, Ordering::Release);
        if members.known != members.up {
            members.known = members.up;
            members.generations.peers += 1;
            members.generations.rebalance += 1;
            members.generations.partition += 1;
            for partition in members.map.rebalance(members.up) {
                // A frozen node still has its records.
                if members.suspended.is_empty() && !self.config.is_durable {
                    self.empty_partition(partition);
                }
            }
            if !members.map.is_settled() {
                let epoch = members.epoch;
                self.schedule(self.config.migration_time, move |_, members| {
                    if members.epoch == epoch {
                        members.map.finish_migrations();
                        members.generations.partition += 1;
                    }
                });
            }
        }
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Removes the records of a partition of which no copy is left.
    fn empty_partition(&self, partition: usize) {
        for namespace in &self.namespaces {
            namespace.empty_partition(partition);
        }
    }

    fn schedule(
        &self,
        delay: Duration,
        change: impl FnOnce(&Cluster, &mut Members) + Send + 'static,
    ) {
        let weak_self = Weak::clone(&self.weak_self);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(cluster) = weak_self.upgrade() {
                change(&cluster, &mut cluster.members.write());
                cluster.changed.send_modify(|changes| *changes += 1);
            }
        });
    }

    /// Waits until the condition holds. Checks it after every change. This does not use `wait_for()`, which checks the
    /// condition under a lock of its own: a thread that makes a change takes the locks in the other order.
    pub(super) async fn wait_until(&self, holds: impl Fn() -> bool) {
        let mut changed = self.changed.subscribe();
        while !holds() {
            // The sender lives as long as the cluster.
            let _ = changed.changed().await;
        }
    }

    /// Waits until [`Self::is_settled`] returns true.
    pub async fn settled(&self) {
        self.wait_until(|| self.is_settled()).await;
    }
}
