//! The data file: every change appended as one frame before it is answered, so that it outlives the process.
//!
//! The definition of a secondary index is a frame too ([`index`]). A record's frame is its whole image; a delete's is its digest. On start the frames are read in order. The file is
//! written anew, live records only, when more than half of it is garbage: on start, and while the server runs
//! ([`compact`]). Changes reach the file with one write(2), which survives the process being killed; a power
//! failure may cost the last of them.

mod compact;
mod frame;
mod handle;
mod index;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
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

/// The first bytes of every data file.
const MAGIC: &[u8; 8] = b"asdevlg1";
/// A file smaller than this is not worth writing anew while the server runs, in bytes.
const COMPACT_FROM: u64 = 16 * 1024 * 1024;

/// The data file of a server.
pub struct Log {
    path: PathBuf,
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
        let mut inner = Inner {
            file,
            size: 0,
            live: 0,
            next: None,
            is_closed: false,
            buffer: Vec::new(),
        };
        inner.load(path, namespaces).map_err(describe)?;
        let log = Arc::new(Log {
            path: path.to_owned(),
            inner: Mutex::new(inner),
            is_wasteful: Notify::new(),
        });
        for (index, namespace) in namespaces.iter().enumerate() {
            let log = Arc::clone(&log);
            namespace.attach_log(LogHandle::new(log, namespace, index));
        }
        if log.inner.lock().is_wasteful() {
            log.compact(namespaces).map_err(describe)?;
        }
        Ok(log)
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
        let outcome = inner.append(namespace, partition, frame);
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
        self.live < (self.size - MAGIC.len() as u64) / 2
    }

    fn append(&mut self, namespace: usize, partition: usize, frame: &Frame<'_>) -> io::Result<u64> {
        if self.is_closed {
            return Err(io::Error::other("it is closed"));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        frame.write(&mut buffer);
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

    /// Reads all frames; a torn one at the end is cut off.
    fn load(&mut self, path: &Path, namespaces: &[Arc<Namespace>]) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let mut magic = Vec::new();
        (&self.file)
            .take(MAGIC.len() as u64)
            .read_to_end(&mut magic)?;
        if magic.len() < MAGIC.len() && MAGIC.starts_with(&magic) {
            // New, or its very first write was torn.
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            return self.write(MAGIC);
        }
        if magic != MAGIC {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a data file of the development server",
            ));
        }
        self.size = MAGIC.len() as u64;
        let mut reader = io::BufReader::with_capacity(1024 * 1024, &self.file);
        let mut frames = 0u64;
        while let Some(bytes) = frame::read(&mut reader)? {
            self.size += bytes.len() as u64 + frame::HEADER_SIZE as u64;
            frame::apply(&bytes, namespaces)?;
            frames += 1;
        }
        drop(reader);
        if self.size < length {
            log::warn!(
                "data file {}: the last {} bytes are a torn write and are cut off",
                path.display(),
                length - self.size
            );
            self.file.set_len(self.size)?;
        }
        self.file.seek(SeekFrom::Start(self.size))?;
        self.live = namespaces
            .iter()
            .map(|namespace| frame::live_bytes(namespace))
            .sum();
        log::info!(
            "data file {}: read {frames} changes, {} bytes",
            path.display(),
            self.size
        );
        Ok(())
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
