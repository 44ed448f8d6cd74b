//! A secondary index and the progress of building it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use super::definition::{Definition, Source};
use super::item::{Item, matches};
use super::range::Range;
use crate::storage::record::Record;
use crate::wire::consts::PARTITIONS;

/// An index and the progress of building it.
pub struct Index {
    pub definition: Definition,
    pub entries: AtomicU64,
    is_dropped: AtomicBool,
    /// Number of partitions whose records are in the index.
    populated: AtomicUsize,
    created: Instant,
    /// Seconds that building took.
    load_time: AtomicU64,
}

impl Index {
    pub(super) fn new(definition: Definition) -> Index {
        Index {
            definition,
            entries: AtomicU64::new(0),
            is_dropped: AtomicBool::new(false),
            populated: AtomicUsize::new(0),
            created: Instant::now(),
            load_time: AtomicU64::new(0),
        }
    }

    /// Returns the values of a record in the index, sorted and without duplicates.
    pub fn values(&self, record: &Record) -> Vec<i64> {
        let mut values = Vec::new();
        self.definition.each(record, |item| values.push(item.key()));
        values.sort_unstable();
        values.dedup();
        values
    }

    /// Whether the record under this value matches the query (see [`matches()`]). A list or map with several values in
    /// the range matches once.
    pub fn satisfies(&self, range: &Range, value: i64, record: &Record) -> bool {
        match range {
            Range::Between(from, to) => {
                self.definition.source == Source::Default
                    || self
                        .values(record)
                        .into_iter()
                        .find(|value| (from..=to).contains(&value))
                        == Some(value)
            }
            Range::Equal(_, wanted) => {
                let mut found = false;
                self.definition.each(record, |item| {
                    found |= matches!(item, Item::Bytes(bytes) if matches(wanted, bytes));
                });
                found
            }
        }
    }

    pub fn is_readable(&self) -> bool {
        self.populated.load(Ordering::Acquire) == PARTITIONS
    }

    /// Returns the percentage of partitions that are in the index.
    pub fn load_pct(&self) -> usize {
        self.populated.load(Ordering::Acquire) * 100 / PARTITIONS
    }

    /// Returns how long building took, in seconds.
    pub fn load_seconds(&self) -> u64 {
        self.load_time.load(Ordering::Relaxed)
    }

    /// Notes that this many partitions are in the index.
    pub fn set_populated(&self, partitions: usize) {
        let seconds = self.created.elapsed().as_secs();
        self.load_time.store(seconds, Ordering::Relaxed);
        self.populated.store(partitions, Ordering::Release);
    }

    /// Whether the index was dropped.
    pub fn is_dropped(&self) -> bool {
        self.is_dropped.load(Ordering::Acquire)
    }

    /// Notes that the index was dropped.
    pub(super) fn set_dropped(&self) {
        self.is_dropped.store(true, Ordering::Release);
    }
}
