//! One partition: its records and their entries in secondary indexes. Both change together.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::record::{Digest, Record};
use super::sindex::Index;

/// The records of one partition.
///
/// A lookup in a hash map costs two cache misses; in a tree it costs one for each level. The order is for queries,
/// which read the digests from the greatest to the smallest.
#[derive(Default)]
pub struct Partition {
    records: HashMap<Digest, Record>,
    order: BTreeSet<Digest>,
    trees: Vec<Tree>,
}

/// The entries of one index in this partition.
struct Tree {
    index: Arc<Index>,
    entries: BTreeSet<Entry>,
}

/// An entry: a record under one of its values. The order is that of the server's trees (`key_cmp()` in
/// `as/src/sindex/sindex_tree.c`): by value, then by eight bits of the digest, then by the digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    value: i64,
    stub: u8,
    digest: Digest,
}

impl Entry {
    fn new(value: i64, digest: Digest) -> Entry {
        let [_, one, two, ..] = digest;
        Entry {
            value,
            stub: (one & 0xf0) | (two >> 4),
            digest,
        }
    }

    const fn first(value: i64) -> Entry {
        Entry {
            value,
            stub: 0,
            digest: [0; 20],
        }
    }

    const fn last(value: i64) -> Entry {
        Entry {
            value,
            stub: 0xff,
            digest: [0xff; 20],
        }
    }
}

impl Partition {
    pub fn get(&self, digest: &Digest) -> Option<&Record> {
        self.records.get(digest)
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Digest, &Record)> {
        self.records.iter()
    }

    /// Returns the records from the greatest digest to the smallest, only those below `below` if it is given.
    pub fn descend(&self, below: Option<Digest>) -> impl Iterator<Item = (&Digest, &Record)> {
        let upper = below.map_or(Bound::Unbounded, Bound::Excluded);
        let digests = self.order.range((Bound::Unbounded, upper)).rev();
        digests.filter_map(|digest| self.records.get_key_value(digest))
    }

    /// Inserts a record. Returns the record that it replaces.
    pub fn insert(&mut self, digest: Digest, record: Record) -> Option<Record> {
        if !self.trees.is_empty() {
            let old = self.records.get(&digest);
            for tree in &mut self.trees {
                let before = old.map_or_else(Vec::new, |old| tree.index.values(old));
                let after = tree.index.values(&record);
                if before != after {
                    tree.remove(&before, digest);
                    tree.add(&after, digest);
                }
            }
        }
        let old = self.records.insert(digest, record);
        if old.is_none() {
            self.order.insert(digest);
        }
        old
    }

    pub fn remove(&mut self, digest: &Digest) -> Option<Record> {
        let old = self.records.remove(digest)?;
        self.forget(digest, &old);
        self.shrink();
        Some(old)
    }

    /// Keeps only the records for which `stays` returns true.
    pub fn retain(&mut self, mut stays: impl FnMut(&Digest, &Record) -> bool) {
        let mut records = std::mem::take(&mut self.records);
        records.retain(|digest, record| {
            let stays = stays(digest, record);
            if !stays {
                self.forget(digest, record);
            }
            stays
        });
        self.records = records;
        self.shrink();
    }

    /// Frees memory after most records were removed.
    fn shrink(&mut self) {
        const KEPT: usize = 64;
        let capacity = self.records.capacity();
        if capacity > KEPT && self.records.len() < capacity / 8 {
            self.records.shrink_to(self.records.len() * 2);
        }
    }

    fn forget(&mut self, digest: &Digest, old: &Record) {
        self.order.remove(digest);
        for tree in &mut self.trees {
            let values = tree.index.values(old);
            tree.remove(&values, *digest);
        }
    }

    /// Adds the records of this partition to an index, and then every change of them.
    pub fn attach(&mut self, index: &Arc<Index>) {
        let mut tree = Tree {
            index: Arc::clone(index),
            entries: BTreeSet::new(),
        };
        for (digest, record) in &self.records {
            tree.add(&index.values(record), *digest);
        }
        self.trees.push(tree);
    }

    /// Removes the entries of an index.
    pub fn detach(&mut self, index: &Arc<Index>) {
        self.trees.retain(|tree| !Arc::ptr_eq(&tree.index, index));
    }

    /// Returns the records of an index with the values `from` to `to`, in the index's order, only those after `after`
    /// if it is given. Returns nothing for a dropped index.
    pub fn indexed<'a>(
        &'a self,
        index: &Arc<Index>,
        (from, to): (i64, i64),
        after: Option<(i64, Digest)>,
    ) -> impl Iterator<Item = (i64, &'a Digest, &'a Record)> {
        let start = match after {
            Some((value, digest)) if value >= from => Bound::Excluded(Entry::new(value, digest)),
            _ => Bound::Included(Entry::first(from)),
        };
        // `BTreeSet::range()` panics if the start is after the end.
        let is_empty = from > to || after.is_some_and(|(value, _)| value > to);
        self.trees
            .iter()
            .find(|tree| !is_empty && Arc::ptr_eq(&tree.index, index))
            .into_iter()
            .flat_map(move |tree| {
                tree.entries
                    .range((start, Bound::Included(Entry::last(to))))
            })
            .filter_map(|entry| {
                let record = self.records.get(&entry.digest)?;
                Some((entry.value, &entry.digest, record))
            })
    }
}

impl Tree {
    fn add(&mut self, values: &[i64], digest: Digest) {
        for value in values {
            self.entries.insert(Entry::new(*value, digest));
        }
        let count = values.len() as u64;
        self.index.entries.fetch_add(count, Ordering::Relaxed);
    }

    fn remove(&mut self, values: &[i64], digest: Digest) {
        for value in values {
            self.entries.remove(&Entry::new(*value, digest));
        }
        let count = values.len() as u64;
        self.index.entries.fetch_sub(count, Ordering::Relaxed);
    }
}
