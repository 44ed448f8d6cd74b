//! The data file while it is open: appends changes.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::fs_std::FileExt;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::header::{self, Marker};
use super::next_file::NextFile;
use super::record_entry::{Change, RecordEntry};
use crate::wire::result::{Outcome, ResultCode};

/// A running server does not compact a file smaller than this, in bytes.
const COMPACT_FROM: u64 = 16 * 1024 * 1024;

/// The data file of a server.
pub struct Log {
    pub(super) path: PathBuf,
    pub(super) marker: Marker,
    /// The warning about a damaged file.
    pub(super) warning: Option<String>,
    pub(super) inner: Mutex<Inner>,
    /// Notified when more than half of the file is garbage.
    pub(super) needs_compaction: Notify,
}

pub(super) struct Inner {
    pub(super) file: File,
    /// Length of the file, in bytes.
    pub(super) size: u64,
    /// Bytes of the frames of existing records and indexes.
    pub(super) live_bytes: u64,
    /// The file that a compaction is writing.
    pub(super) next: Option<NextFile>,
    /// The server has stopped, or a failed write could not be undone.
    pub(super) is_closed: bool,
    pub(super) buffer: Vec<u8>,
}

impl Log {
    /// Returns the warning about a damaged file.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Writes everything to disk, and unlocks the file for another server. Nothing is written afterwards.
    pub fn close(&self) {
        let mut inner = self.inner.lock();
        inner.is_closed = true;
        if let Err(error) = inner
            .file
            .sync_data()
            .and_then(|()| FileExt::unlock(&inner.file))
        {
            log::error!("data file {}: cannot close: {error}", self.path.display());
        }
    }

    pub(super) fn append(
        &self,
        namespace: usize,
        partition: usize,
        entry: &RecordEntry<'_>,
        replaces: u64,
    ) -> Outcome<()> {
        let mut inner = self.inner.lock();
        let is_put = matches!(entry.change, Change::Put { .. });
        let outcome = inner.append(&self.marker, namespace, partition, entry);
        if let Err(error) = &outcome {
            log::error!("data file {}: cannot write: {error}", self.path.display());
        }
        // The server's result code if its device is full (`as_storage_record_write()`).
        let written = outcome.map_err(|_| ResultCode::OUT_OF_SPACE)?;
        inner.live_bytes =
            (inner.live_bytes + if is_put { written } else { 0 }).saturating_sub(replaces);
        if inner.next.is_none() && inner.size > COMPACT_FROM && inner.needs_compaction() {
            self.needs_compaction.notify_one();
        }
        Ok(())
    }

    /// Writes a change of an index, also to the file of a compaction, where repeating it does no harm.
    pub(super) fn append_index(&self, bytes: &[u8]) -> Outcome<()> {
        let mut inner = self.inner.lock();
        if inner.is_closed {
            return Err(ResultCode::OUT_OF_SPACE);
        }
        inner.write(bytes).map_err(|error| {
            log::error!("data file {}: cannot write: {error}", self.path.display());
            ResultCode::OUT_OF_SPACE
        })?;
        inner.live_bytes += bytes.len() as u64;
        let next = inner.next.as_mut();
        if next.is_some_and(|next| next.write(bytes).is_err()) {
            inner.next = None;
        }
        Ok(())
    }
}

impl Inner {
    pub(super) fn needs_compaction(&self) -> bool {
        self.live_bytes < self.size.saturating_sub(header::SIZE as u64) / 2
    }

    fn append(
        &mut self,
        marker: &Marker,
        namespace: usize,
        partition: usize,
        entry: &RecordEntry<'_>,
    ) -> io::Result<u64> {
        if self.is_closed {
            return Err(io::Error::other("it is closed"));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        entry.write(marker, &mut buffer);
        let outcome = self.write(&buffer);
        if outcome.is_ok() {
            // If the compaction cannot write, it is given up. The current file is complete.
            if let Some(next) = &mut self.next
                && next.has(namespace, partition)
                && next.write(&buffer).is_err()
            {
                self.next = None;
            }
        }
        let written = buffer.len() as u64;
        self.buffer = buffer;
        outcome.map(|()| written)
    }

    /// Appends bytes, or leaves the file unchanged.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            let restored = self
                .file
                .set_len(self.size)
                .and_then(|()| self.file.seek(SeekFrom::Start(self.size)));
            self.is_closed = restored.is_err();
            return Err(error);
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Prepares the file for appending: removes a torn end, and writes the header of an empty file.
    pub(super) fn prepare(&mut self, marker: &Marker) -> io::Result<()> {
        self.file.set_len(self.size)?;
        self.file.seek(SeekFrom::Start(self.size))?;
        match self.size {
            0 => self.write(&header::write(marker)),
            _ => Ok(()),
        }
    }
}

pub(super) fn open_locked(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    // A second server would corrupt the file.
    if FileExt::try_lock_exclusive(&file)? {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            "another server is using it",
        ))
    }
}
