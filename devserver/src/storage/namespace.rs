//! A namespace: its partitions, sets, indexes, counters and settings.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::change_log::ChangeLog;
use super::counters::Counters;
use super::jobs::Jobs;
use super::partition::Partition;
use super::record::{Digest, Record};
use super::sets::Sets;
use super::settings::Settings;
use super::sindex::{Catalogue, Definition};
use super::usage::{STOP_WRITES_PCT, Usage};
use super::{clock, expiry};
use crate::config::NamespaceConfig;
use crate::wire::consts::PARTITIONS;
use crate::wire::result::Outcome;

/// Bytes of a record in the primary index (`sizeof(as_index)`).
const INDEX_ENTRY: u64 = 64;

/// Bytes of an entry in a secondary index.
const SINDEX_ENTRY: u64 = 32;

/// A namespace and all its records.
pub struct Namespace {
    name: String,
    pub settings: Settings,
    pub sets: Sets,
    pub indexes: Catalogue,
    pub objects: AtomicU64,
    pub counters: Counters,
    pub jobs: Jobs,
    pub usage: Usage,
    /// Records last updated before this (ms since 2010) are truncated.
    pub truncate_lut: AtomicU64,
    partitions: Vec<Mutex<Partition>>,
    log: OnceLock<Box<dyn ChangeLog>>,
}

/// Returns the partition of a digest: the lowest 12 bits of its first two bytes, little-endian
/// (`as_partition_getid()`).
pub fn partition_id(digest: &Digest) -> usize {
    let [low, high, ..] = *digest;
    usize::from(u16::from_le_bytes([low, high])) & (PARTITIONS - 1)
}

impl Namespace {
    pub fn new(config: NamespaceConfig) -> Namespace {
        Namespace {
            usage: Usage::new(config.data_size),
            settings: Settings::new(&config),
            name: config.name,
            sets: Sets::default(),
            indexes: Catalogue::default(),
            objects: AtomicU64::new(0),
            counters: Counters::default(),
            jobs: Jobs::default(),
            truncate_lut: AtomicU64::new(0),
            partitions: (0..PARTITIONS).map(|_| Mutex::default()).collect(),
            log: OnceLock::new(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Attaches a log. From now on, each change is written to it before the response is sent.
    pub fn attach_log(&self, log: Box<dyn ChangeLog>) {
        // This is called once, when the server starts.
        let _ = self.log.set(log);
    }

    /// Locks a partition. Returns `None` if there is no such number.
    pub fn partition(&self, id: usize) -> Option<MutexGuard<'_, Partition>> {
        self.partitions.get(id).map(|partition| partition.lock())
    }

    /// Locks the partition of a record. All changes until the slot is dropped are atomic.
    pub fn lock(&self, digest: &Digest) -> Slot<'_> {
        // partition_id() is below PARTITIONS, and there are PARTITIONS locks.
        let guard = self.partitions[partition_id(digest)].lock();
        Slot {
            namespace: self,
            digest: *digest,
            partition: guard,
        }
    }

    /// Whether a record is invisible to readers, because it has expired or was truncated.
    pub fn is_expired_or_truncated(&self, record: &Record) -> bool {
        expiry::is_expired(record.void_time, clock::now_seconds())
            || self.is_truncated(record.set_id, record.last_update)
    }

    /// Whether a truncation of the set or the namespace covers a record written at `last_update`.
    pub fn is_truncated(&self, set_id: u16, last_update: u64) -> bool {
        last_update < self.truncate_lut.load(Ordering::Acquire)
            || self
                .sets
                .get(set_id)
                .is_some_and(|set| last_update < set.truncate_lut.load(Ordering::Acquire))
    }

    /// Removes the records that `falls` selects, one partition after the other. Returns their number.
    pub fn remove_where(&self, falls: impl Fn(&Record) -> bool) -> u64 {
        let mut removed = 0;
        for partition in &self.partitions {
            partition.lock().retain(|digest, record| {
                // A record stays if its removal cannot be logged, because it would come back on the next start.
                let goes = falls(record) && self.log_delete(digest, record).is_ok();
                if goes {
                    removed += 1;
                    self.uncount(record);
                }
                !goes
            });
        }
        removed
    }

    /// Removes the records of a partition of which no copy is left. Not logged.
    pub fn empty_partition(&self, id: usize) {
        if let Some(mut partition) = self.partition(id) {
            partition.retain(|_, record| {
                self.uncount(record);
                false
            });
        }
    }

    /// Calls `look` for every record, one partition after the other.
    pub fn for_each(&self, mut look: impl FnMut(usize, &Digest, &Record)) {
        for (id, partition) in self.partitions.iter().enumerate() {
            partition
                .lock()
                .iter()
                .for_each(|(digest, record)| look(id, digest, record));
        }
    }

    fn log_delete(&self, digest: &Digest, record: &Record) -> Outcome<()> {
        match self.log.get() {
            Some(log) => log.delete(digest, record, self.sets.name(record.set_id).as_deref()),
            None => Ok(()),
        }
    }

    /// Logs that an index was created or renamed.
    pub(super) fn log_index_created(&self, name: &str, definition: &Definition) -> Outcome<()> {
        match self.log.get() {
            Some(log) => {
                let set = self.sets.name(definition.set_id);
                log.index_created(name, set.as_deref(), definition)
            }
            None => Ok(()),
        }
    }

    /// Logs that an index was dropped.
    pub(super) fn log_index_dropped(&self, name: &str) -> Outcome<()> {
        match self.log.get() {
            Some(log) => log.index_dropped(name),
            None => Ok(()),
        }
    }

    /// Restores a record from the data file. Not logged again.
    pub fn restore(&self, digest: Digest, record: Record) {
        self.count(&record);
        if let Some(old) = self.partitions[partition_id(&digest)]
            .lock()
            .insert(digest, record)
        {
            self.uncount(&old);
        }
    }

    /// Removes a record that was deleted according to the data file. Not logged again.
    pub fn forget(&self, digest: &Digest) {
        if let Some(old) = self.partitions[partition_id(digest)].lock().remove(digest) {
            self.uncount(&old);
        }
    }

    fn count(&self, record: &Record) {
        self.objects.fetch_add(1, Ordering::Relaxed);
        let set = self.sets.get(record.set_id);
        let size = record.stored_size(set.as_ref().map(|set| &*set.name)) as u64;
        self.usage.add(size);
        if let Some(set) = set {
            set.objects.fetch_add(1, Ordering::Relaxed);
            set.data_used.fetch_add(size, Ordering::Relaxed);
        }
    }

    fn uncount(&self, record: &Record) {
        self.objects.fetch_sub(1, Ordering::Relaxed);
        let set = self.sets.get(record.set_id);
        let size = record.stored_size(set.as_ref().map(|set| &*set.name)) as u64;
        self.usage.remove(size);
        if let Some(set) = set {
            set.objects.fetch_sub(1, Ordering::Relaxed);
            set.data_used.fetch_sub(size, Ordering::Relaxed);
        }
    }

    /// Returns `index_used_bytes`.
    pub fn index_used(&self) -> u64 {
        self.objects
            .load(Ordering::Relaxed)
            .saturating_mul(INDEX_ENTRY)
    }

    /// Returns `sindex_used_bytes`.
    pub fn sindex_used(&self) -> u64 {
        let mut entries: u64 = 0;
        self.indexes.for_each(|_, index| {
            entries = entries.saturating_add(index.entries.load(Ordering::Relaxed))
        });
        entries.saturating_mul(SINDEX_ENTRY)
    }

    /// Whether writes are refused. Indexes may use as many bytes as records. (The real server limits them by
    /// `indexes-memory-budget` or the machine's memory.)
    pub fn stops_writes(&self) -> bool {
        self.usage.percent() >= STOP_WRITES_PCT
            || self.index_used().saturating_add(self.sindex_used()) > self.usage.total()
    }
}

/// The slot of one record, with its partition locked.
pub struct Slot<'a> {
    namespace: &'a Namespace,
    digest: Digest,
    partition: MutexGuard<'a, Partition>,
}

impl Slot<'_> {
    /// Returns the record, even if it is invisible to readers and not removed yet.
    pub fn any(&self) -> Option<&Record> {
        self.partition.get(&self.digest)
    }

    /// Returns the record, if it is visible to readers.
    pub fn live(&self) -> Option<&Record> {
        self.partition
            .get(&self.digest)
            .filter(|record| !self.namespace.is_expired_or_truncated(record))
    }

    /// Stores the record. Replaces an existing one.
    ///
    /// # Errors
    /// [`OUT_OF_SPACE`](crate::wire::result::ResultCode::OUT_OF_SPACE) if the log cannot be written. Then nothing is
    /// changed.
    pub fn put(&mut self, record: Record) -> Outcome<()> {
        if let Some(log) = self.namespace.log.get() {
            let set = self.namespace.sets.name(record.set_id);
            log.put(
                &self.digest,
                &record,
                set.as_deref(),
                self.partition.get(&self.digest),
            )?;
        }
        self.namespace.count(&record);
        if let Some(old) = self.partition.insert(self.digest, record) {
            self.namespace.uncount(&old);
        }
        Ok(())
    }

    /// Removes the record, if there is one.
    ///
    /// # Errors
    /// As [`Slot::put`].
    pub fn remove(&mut self) -> Outcome<()> {
        let Some(record) = self.partition.get(&self.digest) else {
            return Ok(());
        };
        self.namespace.log_delete(&self.digest, record)?;
        if let Some(old) = self.partition.remove(&self.digest) {
            self.namespace.uncount(&old);
        }
        Ok(())
    }
}
