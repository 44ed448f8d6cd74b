//! The members of a cluster: which nodes run, and which of them the others count on.

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
    /// A node is gone that the others still count on.
    pub(super) is_stalled: AtomicBool,
    changed: watch::Sender<u64>,
    pub(super) pending_writes: Mutex<HashMap<Digest, usize>>,
    weak_self: Weak<Cluster>,
}

/// Who is there, and who is believed to be.
pub(super) struct Members {
    /// The nodes that answer.
    pub(super) up: NodeSet,
    /// The members as the others know them.
    pub(super) known: NodeSet,
    /// The nodes that do not answer, but have kept their records.
    pub(super) suspended: NodeSet,
    pub(super) map: PartitionMap,
    pub(super) generations: Generations,
    /// Counts the times a node went or came: what was due before is of no interest any more.
    pub(super) epoch: u64,
}

/// The numbers by which clients see that something has changed.
#[derive(Clone, Copy)]
pub struct Generations {
    pub partition: u32,
    pub rebalance: u32,
    pub peers: u32,
}

impl Cluster {
    /// A cluster all of whose nodes are there.
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

    /// The rack a node stands in, of all namespaces; `None`: there are no racks.
    pub fn rack(&self, node: usize) -> Option<u32> {
        self.config.nodes.get(node)?.rack
    }

    /// The name announced; empty for none.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// How many nodes there are in all, whether they answer or not.
    pub fn size(&self) -> usize {
        self.config.nodes.len()
    }

    pub fn node_id(&self, node: usize) -> &str {
        let node = self.config.nodes.get(node);
        node.map_or("", |node| node.id.as_str())
    }

    /// The other members, as `node` knows them.
    pub fn peers(&self, node: usize) -> impl Iterator<Item = &NodeIdentity> {
        let known = self.members().without(node);
        known.iter().filter_map(|peer| self.config.nodes.get(peer))
    }

    /// The members as the nodes know them.
    pub fn members(&self) -> NodeSet {
        self.members.read().known
    }

    /// The member that leads, the one with the greatest id.
    pub fn principal(&self) -> &str {
        let ids = self.members().iter().map(|node| self.node_id(node));
        ids.max().unwrap_or_default()
    }

    /// A number that changes with the members.
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

    /// Whether a node is gone that the others still count on.
    pub fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Acquire)
    }

    pub fn generations(&self) -> Generations {
        self.members.read().generations
    }

    /// Copies of each partition at present.
    pub fn copies(&self) -> usize {
        self.members.read().map.copies()
    }

    /// Whether every node knows who is there and every copy is where it is to be.
    pub fn is_settled(&self) -> bool {
        let members = self.members.read();
        members.known == members.up && members.map.is_settled()
    }

    /// Looks at the owners of all partitions.
    pub fn with_owners<T>(&self, look: impl FnOnce(&[Owners]) -> T) -> T {
        look(self.members.read().map.all())
    }

    /// Whether a node holds all of a partition, so that it may answer a query for it.
    pub fn holds(&self, node: usize, partition: usize) -> bool {
        self.config.nodes.len() == 1
            || self
                .members
                .read()
                .map
                .owners(partition)
                .is_some_and(|owners| owners.holders.has(node))
    }

    /// A node answers no more, and has lost its records. The others notice after the heartbeat timeout.
    pub fn leave(&self, node: usize) {
        let mut members = self.members.write();
        members.suspended = members.suspended.without(node);
        self.mark_down(node, &mut members);
    }

    /// A node does not answer for a while, see [`Self::resume`].
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
            // Nobody is left to wait for anything.
            return self.rebalance(members);
        }
        self.is_stalled.store(true, Ordering::Release);
        self.schedule(self.config.heartbeat_timeout, move |cluster, members| {
            if members.epoch == epoch {
                cluster.rebalance(members);
            }
        });
    }

    /// A node answers again; it holds no records.
    pub fn join(&self, node: usize) {
        let mut members = self.members.write();
        if members.known.has(node) && !members.up.has(node) {
            // Back before anybody had noticed, but empty: it has left all the same.
            self.rebalance(&mut members);
        }
        members.up = members.up.with(node);
        members.epoch += 1;
        self.rebalance(&mut members);
    }

    /// A node that did not answer for a while goes on with what it had.
    pub fn resume(&self, node: usize) {
        let mut members = self.members.write();
        members.suspended = members.suspended.without(node);
        members.up = members.up.with(node);
        members.epoch += 1;
        self.rebalance(&mut members);
    }

    /// From here on the members are the nodes that answer.
    fn rebalance(&self, members: &mut Members) {
        self.is_stalled.store(false, Ordering::Release);
        if members.known != members.up {
            members.known = members.up;
            members.generations.peers += 1;
            members.generations.rebalance += 1;
            members.generations.partition += 1;
            for partition in members.map.rebalance(members.up) {
                // A node that comes to again brings its records along.
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

    /// Nobody holds a partition any more.
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

    /// Waits until the condition holds; it is looked at after every change. Not by `wait_for()`, which would look at it
    /// under a lock of its own, and whoever changes something holds ours first.
    pub(super) async fn wait_until(&self, holds: impl Fn() -> bool) {
        let mut changed = self.changed.subscribe();
        while !holds() {
            // The sender lives as long as the cluster.
            let _ = changed.changed().await;
        }
    }

    /// Waits for that: see [`Self::is_settled`].
    pub async fn settled(&self) {
        self.wait_until(|| self.is_settled()).await;
    }
}
