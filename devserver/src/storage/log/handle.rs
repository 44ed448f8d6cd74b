//! What a namespace writes to the data file.

use std::sync::Arc;

use super::frame::{Change, Frame};
use super::{Log, index};
use crate::storage::namespace::{Namespace, partition_id};
use crate::storage::record::{Digest, Record};
use crate::storage::sindex::Definition;
use crate::wire::result::Outcome;

/// A namespace's way to the log.
pub struct LogHandle {
    log: Arc<Log>,
    namespace: String,
    /// Its place among the namespaces, for the bookkeeping of a compaction.
    index: usize,
}

impl LogHandle {
    pub fn new(log: Arc<Log>, namespace: &Namespace, index: usize) -> LogHandle {
        LogHandle {
            log,
            namespace: namespace.name().to_owned(),
            index,
        }
    }

    /// Writes a record's image. `old` is the record it takes the place of.
    pub fn put(
        &self,
        digest: &Digest,
        record: &Record,
        set: Option<&str>,
        old: Option<&Record>,
    ) -> Outcome<()> {
        let frame = Frame {
            namespace: &self.namespace,
            digest: *digest,
            change: Change::Put { record, set },
        };
        let replaces = old.map_or(0, |old| frame.size_with(old));
        self.log
            .append(self.index, partition_id(digest), &frame, replaces)
    }

    /// Writes that an index was made or renamed.
    pub fn index_made(
        &self,
        namespace: &Namespace,
        name: &str,
        definition: &Definition,
    ) -> Outcome<()> {
        let mut bytes = Vec::new();
        index::write_made(&self.log.marker, namespace, name, definition, &mut bytes);
        self.log.append_index(&bytes)
    }

    /// Writes that an index was dropped.
    pub fn index_dropped(&self, namespace: &Namespace, name: &str) -> Outcome<()> {
        let mut bytes = Vec::new();
        index::write_dropped(&self.log.marker, namespace, name, &mut bytes);
        self.log.append_index(&bytes)
    }

    /// Writes that a record is gone.
    pub fn delete(&self, digest: &Digest, old: &Record, set: Option<&str>) -> Outcome<()> {
        let put = Frame {
            namespace: &self.namespace,
            digest: *digest,
            change: Change::Put { record: old, set },
        };
        let frame = Frame {
            namespace: &self.namespace,
            digest: *digest,
            change: Change::Delete,
        };
        self.log
            .append(self.index, partition_id(digest), &frame, put.size_with(old))
    }
}
