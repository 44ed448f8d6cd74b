//! Which node holds which partition, without time or network.
//!
//! Each partition has its own order of all nodes, the succession list. The first nodes of it that run are its
//! replicas. A node that joins has no records yet: the old master stays until the migration is done.
//! Source: `as/src/fabric/partition_balance.c`.

use crate::wire::consts::PARTITIONS;

/// Maximum number of nodes of a cluster (`AS_CLUSTER_SZ` of the Community Edition).
pub const MAX_NODES: usize = 8;

/// A set of nodes, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeSet(u8);

impl NodeSet {
    /// Returns the nodes 0 to `count` - 1.
    pub fn first(count: usize) -> NodeSet {
        (0..count).fold(NodeSet::default(), |set, node| set.with(node))
    }

    pub fn has(self, node: usize) -> bool {
        self.0 & (1 << node) != 0
    }

    pub fn with(self, node: usize) -> NodeSet {
        NodeSet(self.0 | 1 << node)
    }

    pub fn without(self, node: usize) -> NodeSet {
        NodeSet(self.0 & !(1 << node))
    }

    pub fn and(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_NODES).filter(move |node| self.has(*node))
    }
}

/// The nodes of one partition.
#[derive(Clone, Debug)]
pub struct Owners {
    /// The nodes that should hold it, the intended master first.
    pub replicas: Vec<usize>,
    /// The nodes that hold a full copy. Never empty while the cluster has a member.
    pub holders: NodeSet,
    /// The working master: the first node in succession that holds a full copy.
    pub master: usize,
}

impl Owners {
    /// Returns the node that info commands name for replica `index`. Until a migration is done, this is the master
    /// (`should_working_master_own()`).
    pub fn owner(&self, index: usize) -> Option<usize> {
        let replica = *self.replicas.get(index)?;
        if index == 0 || !self.holders.has(replica) {
            return Some(self.master);
        }
        // A working master that is a replica keeps its own place, and the intended master has none yet.
        Some(replica)
    }

    fn is_settled(&self) -> bool {
        let wanted = self.wanted();
        self.holders == wanted && self.replicas.first() == Some(&self.master)
    }

    fn wanted(&self) -> NodeSet {
        self.replicas
            .iter()
            .fold(NodeSet::default(), |set, node| set.with(*node))
    }
}

/// The owners of all partitions.
pub struct PartitionMap {
    succession: Vec<Vec<usize>>,
    owners: Vec<Owners>,
    replication_factor: usize,
}

impl PartitionMap {
    /// Creates the map of a cluster with all its nodes running.
    pub fn new(node_ids: &[&str], replication_factor: usize) -> PartitionMap {
        let succession: Vec<_> = (0..PARTITIONS)
            .map(|partition| succession(partition, node_ids))
            .collect();
        let owners = succession
            .iter()
            .map(|nodes| Owners {
                replicas: Vec::new(),
                holders: NodeSet::default(),
                master: nodes.first().copied().unwrap_or_default(),
            })
            .collect();
        let mut map = PartitionMap {
            succession,
            owners,
            replication_factor,
        };
        map.rebalance(NodeSet::first(node_ids.len()));
        map
    }

    pub fn owners(&self, partition: usize) -> Option<&Owners> {
        self.owners.get(partition)
    }

    pub fn all(&self) -> &[Owners] {
        &self.owners
    }

    /// Returns the number of copies of each partition: the replication factor, or the number of members if that is
    /// less.
    pub fn copies(&self) -> usize {
        self.owners
            .first()
            .map_or(0, |owners| owners.replicas.len())
    }

    /// Sets the members. Returns the partitions of which no copy is left: they start empty.
    pub fn rebalance(&mut self, members: NodeSet) -> Vec<usize> {
        let mut lost = Vec::new();
        for (partition, (owners, nodes)) in self.owners.iter_mut().zip(&self.succession).enumerate()
        {
            let mut present = nodes.iter().copied().filter(|node| members.has(*node));
            owners.replicas = present.by_ref().take(self.replication_factor).collect();
            owners.holders = owners.holders.and(members);
            if owners.holders.is_empty() {
                lost.push(partition);
                owners.holders = owners.wanted();
            }
            let holders = owners.holders;
            if let Some(master) = nodes.iter().find(|node| holders.has(**node)) {
                owners.master = *master;
            }
        }
        lost
    }

    /// Whether all migrations are done.
    pub fn is_settled(&self) -> bool {
        self.owners.iter().all(Owners::is_settled)
    }

    /// Completes all migrations, and drops the copies that are no longer needed.
    pub fn finish_migrations(&mut self) {
        for owners in &mut self.owners {
            owners.holders = owners.wanted();
            if let Some(master) = owners.replicas.first() {
                owners.master = *master;
            }
        }
    }
}

/// Returns the succession list of a partition. Without one of the nodes, the order of the others is the same.
fn succession(partition: usize, node_ids: &[&str]) -> Vec<usize> {
    let mut order: Vec<_> = node_ids
        .iter()
        .enumerate()
        .map(|(node, id)| {
            let mut hash = crc32fast::Hasher::new();
            hash.update(id.as_bytes());
            let of_node = hash.finalize();
            (mix(u64::from(of_node) << 32 | partition as u64), node)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, node)| node).collect()
}

/// Mixes the bits of a number (the finalizer of MurmurHash3).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(nodes: usize, replication_factor: usize) -> PartitionMap {
        let ids: Vec<_> = (0..nodes).map(|node| format!("BB9{node:013X}")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        PartitionMap::new(&ids, replication_factor)
    }

    #[test]
    fn spreads_partitions_over_all_nodes() {
        let map = map(3, 2);
        for node in 0..3 {
            let masters = map.all().iter().filter(|owners| owners.master == node);
            let share = masters.count();
            assert!((1_200..1_530).contains(&share), "node {node}: {share}");
        }
        assert!(map.is_settled());
        assert_eq!(map.copies(), 2);
    }

    #[test]
    fn the_second_replica_takes_over_the_partitions_of_a_lost_node() {
        let mut map = map(3, 2);
        let before = map.all().to_vec();
        assert_eq!(
            map.rebalance(NodeSet::first(3).without(1)),
            Vec::<usize>::new()
        );
        for (now, before) in map.all().iter().zip(&before) {
            if before.master == 1 {
                assert_eq!(now.master, before.replicas[1]);
            } else {
                assert_eq!(now.master, before.master);
            }
        }
        assert!(!map.is_settled());
        map.finish_migrations();
        assert!(map.is_settled());
    }

    #[test]
    fn an_empty_node_becomes_master_only_after_its_migration() {
        let mut map = map(3, 2);
        let before = map.all().to_vec();
        map.rebalance(NodeSet::first(2));
        map.finish_migrations();
        map.rebalance(NodeSet::first(3));
        for owners in map.all() {
            assert_ne!(owners.master, 2);
            assert!((0..2).all(|index| owners.owner(index) != Some(2)));
        }
        map.finish_migrations();
        for (now, before) in map.all().iter().zip(&before) {
            assert_eq!(now.replicas, before.replicas);
            assert_eq!(now.master, before.master);
        }
    }

    #[test]
    fn loses_partitions_without_a_remaining_copy() {
        let mut map = map(3, 1);
        let masters_of_1 = map.all().iter().filter(|owners| owners.master == 1).count();
        assert_eq!(
            map.rebalance(NodeSet::first(3).without(1)).len(),
            masters_of_1
        );
    }

    proptest! {
        /// For any changes of the members, each partition has one member as master that holds a full copy.
        #[test]
        fn every_partition_has_a_master_that_holds_it(
            nodes in 1..=MAX_NODES,
            replication_factor in 1..=4_usize,
            steps in prop::collection::vec((1..=u8::MAX, any::<bool>()), 1..8),
        ) {
            let mut map = map(nodes, replication_factor);
            for (bits, settles) in steps {
                let members = NodeSet(bits).and(NodeSet::first(nodes));
                prop_assume!(!members.is_empty());
                map.rebalance(members);
                if settles {
                    map.finish_migrations();
                    prop_assert!(map.is_settled());
                }
                for owners in map.all() {
                    prop_assert!(members.has(owners.master) && owners.holders.has(owners.master));
                    prop_assert_eq!(owners.holders.and(members), owners.holders);
                    prop_assert_eq!(owners.replicas.len(), replication_factor.min(members.len()));
                    let owning: Vec<_> = (0..owners.replicas.len()).filter_map(|index| owners.owner(index)).collect();
                    prop_assert!(owning.iter().all(|node| owners.holders.has(*node)));
                }
            }
        }
    }
}
