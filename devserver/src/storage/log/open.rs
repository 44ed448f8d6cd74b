//! Opens a data file: loads it into the namespaces, and compacts it if it was damaged or is mostly garbage.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::file::{Inner, Log, open_locked};
use super::header::Marker;
use super::namespace_log::NamespaceLog;
use super::record_entry::put_size;
use super::{damage, index_entry, load};
use crate::storage::namespace::Namespace;

impl Log {
    /// Opens or creates the file, loads it into the namespaces, and attaches itself to them.
    ///
    /// # Errors
    /// `InvalidData` if the file is not a data file, or has a namespace that is not configured. `WouldBlock` if
    /// another server uses it. Errors of the file system.
    pub fn open(path: &Path, namespaces: &[Arc<Namespace>]) -> io::Result<Arc<Log>> {
        let describe = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("data file {}: {error}", path.display()),
            )
        };
        let file = open_locked(path).map_err(describe)?;
        let loaded = load::load(&file, namespaces).map_err(describe)?;
        log::info!(
            "data file {}: read {} changes, {} bytes",
            path.display(),
            loaded.entries,
            loaded.end
        );
        let kept = match &loaded.damage[..] {
            [] => None,
            _ => Some(damage::keep_copy(path).map_err(describe)?),
        };
        let mut inner = Inner {
            file,
            size: loaded.end,
            live_bytes: namespaces
                .iter()
                .map(|namespace| live_bytes(namespace))
                .sum(),
            next: None,
            is_closed: false,
            buffer: Vec::new(),
        };
        let is_replaced = kept.is_some() || !loaded.is_current;
        if !is_replaced {
            inner.prepare(&loaded.marker).map_err(describe)?;
        }
        let needs_compaction = inner.needs_compaction();
        let log = Log {
            path: path.to_owned(),
            marker: loaded.marker,
            warning: kept
                .as_deref()
                .map(|kept| damage::describe(path, kept, &loaded.damage, loaded.entries)),
            inner: Mutex::new(inner),
            needs_compaction: Notify::new(),
        };
        if (is_replaced || needs_compaction)
            && let Err(error) = log.compact(namespaces)
        {
            if let Some(kept) = kept {
                // The file still has its own name.
                let _ = fs::remove_file(kept);
            }
            return Err(describe(error));
        }
        let log = Arc::new(log);
        for (index, namespace) in namespaces.iter().enumerate() {
            let log = Arc::clone(&log);
            namespace.attach_log(Box::new(NamespaceLog::new(log, namespace, index)));
        }
        Ok(log)
    }
}

/// Returns the bytes of the frames of all records and indexes of a namespace.
fn live_bytes(namespace: &Namespace) -> u64 {
    let mut frames = Vec::new();
    namespace.indexes.for_each(|name, index| {
        let set = namespace.sets.name(index.definition.set_id);
        index_entry::write_created(
            &Marker::default(),
            namespace.name(),
            set.as_deref(),
            name,
            &index.definition,
            &mut frames,
        );
    });
    let mut sum = frames.len() as u64;
    namespace.for_each(|_, _, record| {
        let set = namespace
            .sets
            .name(record.set_id)
            .map_or(0, |set| set.len());
        sum += put_size(namespace.name(), set, record);
    });
    sum
}
