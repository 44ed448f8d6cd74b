//! Compaction: writes a new data file with live records only, while the server runs.
//!
//! The partitions are copied one after the other, each under its lock. A later change of a copied partition goes to
//! both files; a change of another partition goes to the old file only. Locks are always taken in this order:
//! partition, log.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::file::{Log, open_locked};
use super::next_file::NextFile;
use super::record_entry::{Change, RecordEntry};
use super::{header, index_entry};
use crate::storage::namespace::Namespace;
use crate::wire::consts::PARTITIONS;

impl Log {
    /// Writes a new file. The old file stays until the new one is complete and on disk.
    pub fn compact(&self, namespaces: &[Arc<Namespace>]) -> io::Result<()> {
        let path = self.next_path();
        let file = open_locked(&path)?;
        file.set_len(0)?;
        let mut next = NextFile {
            file,
            size: 0,
            copied: 0,
        };
        next.write(&header::write(&self.marker))?;
        self.inner.lock().next = Some(next);
        let outcome = self.copy_all(namespaces).and_then(|()| self.replace_file());
        if outcome.is_err() {
            self.inner.lock().next = None;
            // The file is useless. If it cannot be removed, the next compaction overwrites it.
            let _ = fs::remove_file(&path);
        }
        outcome
    }

    fn next_path(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        name.into()
    }

    fn copy_all(&self, namespaces: &[Arc<Namespace>]) -> io::Result<()> {
        let mut buffer = Vec::new();
        for namespace in namespaces {
            self.copy_indexes(namespace)?;
            for id in 0..PARTITIONS {
                let Some(partition) = namespace.partition(id) else {
                    continue;
                };
                buffer.clear();
                for (digest, record) in partition.iter() {
                    let set = namespace.sets.name(record.set_id);
                    let change = Change::Put {
                        record,
                        set: set.as_deref(),
                    };
                    RecordEntry {
                        namespace: namespace.name(),
                        digest: *digest,
                        change,
                    }
                    .write(&self.marker, &mut buffer);
                }
                let mut inner = self.inner.lock();
                let next = inner
                    .next
                    .as_mut()
                    .ok_or_else(|| io::Error::other("given up after a failed write"))?;
                next.write(&buffer)?;
                next.copied += 1;
            }
        }
        Ok(())
    }

    /// No index is created or dropped during the copy. Later changes follow in the new file.
    fn copy_indexes(&self, namespace: &Namespace) -> io::Result<()> {
        let mut outcome = Ok(());
        let mut buffer = Vec::new();
        namespace.indexes.for_each(|name, index| {
            buffer.clear();
            index_entry::write_created(
                &self.marker,
                namespace.name(),
                namespace.sets.name(index.definition.set_id).as_deref(),
                name,
                &index.definition,
                &mut buffer,
            );
            if let (Ok(()), Some(next)) = (&outcome, &mut self.inner.lock().next) {
                outcome = next.write(&buffer);
            }
        });
        outcome
    }

    fn replace_file(&self) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let next = inner
            .next
            .take()
            .ok_or_else(|| io::Error::other("given up after a failed write"))?;
        next.file.sync_all()?;
        fs::rename(self.next_path(), &self.path)?;
        log::info!(
            "data file {}: compacted from {} to {} bytes",
            self.path.display(),
            inner.size,
            next.size
        );
        inner.file = next.file;
        inner.size = next.size;
        Ok(())
    }

    /// Compacts the file whenever more than half of it is garbage. Runs until it is aborted.
    pub async fn compact_when_needed(self: Arc<Self>, namespaces: Vec<Arc<Namespace>>) {
        loop {
            self.needs_compaction.notified().await;
            let (log, namespaces) = (Arc::clone(&self), namespaces.clone());
            let done = tokio::task::spawn_blocking(move || log.compact(&namespaces)).await;
            if let Ok(Err(error)) = done {
                log::error!("data file {}: cannot compact: {error}", self.path.display());
            }
        }
    }
}
