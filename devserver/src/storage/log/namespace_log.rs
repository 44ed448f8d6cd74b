//! Writes the changes of one namespace to the data file.

use std::sync::Arc;

use super::file::Log;
use super::index_entry;
use super::record_entry::{Change, RecordEntry};
use crate::storage::change_log::ChangeLog;
use crate::storage::namespace::{Namespace, partition_id};
use crate::storage::record::{Digest, Record};
use crate::storage::sindex::Definition;
use crate::wire::result::Outcome;

/// The log of one namespace.
pub struct NamespaceLog {
    log: Arc<Log>,
    namespace: String,
    /// The number of the namespace, with which a compaction tracks what it has copied.
    index: usize,
}

impl NamespaceLog {
    pub fn new(log: Arc<Log>, namespace: &Namespace, index: usize) -> NamespaceLog {
        NamespaceLog {
            log,
            namespace: namespace.name().to_owned(),
            index,
        }
    }
}

impl ChangeLog for NamespaceLog {
    fn put(
        &self,
        digest: &Digest,
        record: &Record,
        set: Option<&str>,
        old: Option<&Record>,
    ) -> Outcome<()> {
        let entry = RecordEntry {
            namespace: &self.namespace,
            digest: *digest,
            change: Change::Put { record, set },
        };
        let replaces = old.map_or(0, |old| entry.size_with(old));
        self.log
            .append(self.index, partition_id(digest), &entry, replaces)
    }

    fn delete(&self, digest: &Digest, old: &Record, set: Option<&str>) -> Outcome<()> {
        let put = RecordEntry {
            namespace: &self.namespace,
            digest: *digest,
            change: Change::Put { record: old, set },
        };
        let entry = RecordEntry {
            namespace: &self.namespace,
            digest: *digest,
            change: Change::Delete,
        };
        self.log
            .append(self.index, partition_id(digest), &entry, put.size_with(old))
    }

    fn index_created(&self, name: &str, set: Option<&str>, definition: &Definition) -> Outcome<()> {
        let mut bytes = Vec::new();
        index_entry::write_created(
            &self.log.marker,
            &self.namespace,
            set,
            name,
            definition,
            &mut bytes,
        );
        self.log.append_index(&bytes)
    }

    fn index_dropped(&self, name: &str) -> Outcome<()> {
        let mut bytes = Vec::new();
        index_entry::write_dropped(&self.log.marker, &self.namespace, name, &mut bytes);
        self.log.append_index(&bytes)
    }
}
