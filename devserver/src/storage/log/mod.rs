//! The data file: every change appended as one frame before it is answered, so that it outlives the process.
//!
//! The definition of a secondary index is a frame too ([`index`]). A record's frame is its whole image; a delete's is its digest. On start the frames are read in order. The file is
//! written anew, live records only, when more than half of it is garbage: on start, and while the server runs
//! ([`compact`]). Changes reach the file with one write(2), which survives the process being killed; a power
//! failure may cost the last of them.
//!
//! A byte that is damaged later costs the change it lies in ([`load`]). The damaged file is kept ([`damage`]), and the
//! server goes on with a new one.

mod compact;
mod damage;
mod frame;
mod handle;
mod header;
mod index;
mod load;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs4::fs_std::FileExt;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::namespace::Namespace;
use crate::wire::result::{Outcome, ResultCode};
use compact::Next;
use frame::{Change, Frame};
pub use handle::LogHandle;
use header::Marker;

/// A file smaller than this is not worth writing anew while the server runs, in bytes.
const COMPACT_FROM: u64 = 16 * 1024 * 1024;

/// The data file of a server.
pub struct Log {
    path: PathBuf,
    marker: Marker,
    /// What was wrong with the file, in words.
    warning: Option<String>,
    inner: Mutex<Inner>,
    /// Rung when the file has become garbage for the most part.
    is_wasteful: Notify,
}

struct Inner {
    file: File,
    /// Length of the file, in bytes.
    size: u64,
    /// How much of it are frames of records that are still there.
    live: u64,
    /// The file that is being written in place of this one.
    next: Option<Next>,
    /// The server has stopped; or a write failed and its traces could not be removed.
    is_closed: bool,
    buffer: Vec<u8>,
}

impl Log {
    /// Opens or makes the file, reads it into the namespaces and attaches itself to them.
    ///
    /// # Errors
    /// `InvalidData` for a file that is not a data file or holds a namespace that is not configured; `WouldBlock`
    /// for one that another server is using; whatever the file system says.
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
        let aside = match &loaded.damage[..] {
            [] => None,
            _ => Some(damage::keep_aside(path).map_err(describe)?),
        };
        let mut inner = Inner {
            file,
            size: loaded.end,
            live: namespaces
                .iter()
                .map(|namespace| frame::live_bytes(namespace))
                .sum(),
            next: None,
            is_closed: false,
            buffer: Vec::new(),
        };
        let is_replaced = aside.is_some() || !loaded.is_current;
        if !is_replaced {
            inner.begin(&loaded.marker).map_err(describe)?;
        }
        let is_wasteful = inner.is_wasteful();
        let log = Log {
            path: path.to_owned(),
            marker: loaded.marker,
            warning: aside
                .as_deref()
                .map(|aside| damage::describe(path, aside, &loaded.damage, loaded.entries)),
            inner: Mutex::new(inner),
            is_wasteful: Notify::new(),
        };
        if is_replaced || is_wasteful {
            if let Err(error) = log.compact(namespaces) {
                if let Some(aside) = aside {
                    // The file still has its own name.
                    let _ = fs::remove_file(aside);
                }
                return Err(describe(error));
            }
        }
        let log = Arc::new(log);
        for (index, namespace) in namespaces.iter().enumerate() {
            let log = Arc::clone(&log);
            namespace.attach_log(LogHandle::new(log, namespace, index));
        }
        Ok(log)
    }

    /// Returns what was wrong with the file when it was opened.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Waits until the file has become garbage for the most part, and writes it anew; for ever.
    pub async fn compact_when_wasteful(self: Arc<Self>, namespaces: Vec<Arc<Namespace>>) {
        loop {
            self.is_wasteful.notified().await;
            let (log, namespaces) = (Arc::clone(&self), namespaces.clone());
            let done = tokio::task::spawn_blocking(move || log.compact(&namespaces)).await;
            if let Ok(Err(error)) = done {
                log::error!("data file {}: cannot compact: {error}", self.path.display());
            }
        }
    }

    /// Puts everything on the disk and gives the file free for another server. Nothing is written afterwards.
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

    fn append(
        &self,
        namespace: usize,
        partition: usize,
        frame: &Frame<'_>,
        replaces: u64,
    ) -> Outcome<()> {
        let mut inner = self.inner.lock();
        let is_put = matches!(frame.change, Change::Put { .. });
        let outcome = inner.append(&self.marker, namespace, partition, frame);
        if let Err(error) = &outcome {
            log::error!("data file {}: cannot write: {error}", self.path.display());
        }
        // What the server says when its device is full (`as_storage_record_write()`).
        let written = outcome.map_err(|_| ResultCode::OUT_OF_SPACE)?;
        inner.live = (inner.live + if is_put { written } else { 0 }).saturating_sub(replaces);
        if inner.next.is_none() && inner.size > COMPACT_FROM && inner.is_wasteful() {
            self.is_wasteful.notify_one();
        }
        Ok(())
    }

    /// Writes a change to the indexes; also to a file being written anew, where saying it twice does no harm.
    fn append_index(&self, bytes: &[u8]) -> Outcome<()> {
        let mut inner = self.inner.lock();
        if inner.is_closed {
            return Err(ResultCode::OUT_OF_SPACE);
        }
        inner.write(bytes).map_err(|error| {
            log::error!("data file {}: cannot write: {error}", self.path.display());
            ResultCode::OUT_OF_SPACE
        })?;
        inner.live += bytes.len() as u64;
        let next = inner.next.as_mut();
        if next.is_some_and(|next| next.write(bytes).is_err()) {
            inner.next = None;
        }
        Ok(())
    }
}

impl Inner {
    fn is_wasteful(&self) -> bool {
        self.live < self.size.saturating_sub(header::SIZE as u64) / 2
    }

    fn append(
        &mut self,
        marker: &Marker,
        namespace: usize,
        partition: usize,
        frame: &Frame<'_>,
    ) -> io::Result<u64> {
        if self.is_closed {
            return Err(io::Error::other("it is closed"));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        frame.write(marker, &mut buffer);
        let outcome = self.write(&buffer);
        if outcome.is_ok() {
            // A compaction that cannot go on is given up; the file itself is whole.
            if let Some(next) = &mut self.next {
                if next.has(namespace, partition) && next.write(&buffer).is_err() {
                    self.next = None;
                }
            }
        }
        let written = buffer.len() as u64;
        self.buffer = buffer;
        outcome.map(|()| written)
    }

    /// Appends bytes, or leaves the file as it was.
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

    /// Gets ready to append: cuts off a torn end, and starts a file that is empty.
    fn begin(&mut self, marker: &Marker) -> io::Result<()> {
        self.file.set_len(self.size)?;
        self.file.seek(SeekFrom::Start(self.size))?;
        match self.size {
            0 => self.write(&header::write(marker)),
            _ => Ok(()),
        }
    }
}

fn open_locked(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    // A second server on the same file would ruin it.
    if FileExt::try_lock_exclusive(&file)? {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            "another server is using it",
        ))
    }
}
