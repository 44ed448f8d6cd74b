//! What all connections together may hold of requests and answers. Small ones are not counted: their buffers are
//! bounded by the number of connections.

use std::io;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of large requests and answers under way at one time: four of the largest there can be.
const TOTAL: usize = 512 * 1024 * 1024;
/// Bytes that a connection may hold without asking.
pub const FREE: usize = 64 * 1024;

/// The bytes not taken yet.
#[derive(Clone)]
pub struct MemoryLimiter(Arc<Semaphore>);

impl Default for MemoryLimiter {
    fn default() -> Self {
        MemoryLimiter(Arc::new(Semaphore::new(TOTAL)))
    }
}

/// Bytes taken by one request and its answer; given back when dropped.
#[derive(Default)]
pub struct Permit(Option<OwnedSemaphorePermit>);

impl MemoryLimiter {
    /// A permit for a buffer of this many bytes.
    ///
    /// # Errors
    /// As [`MemoryLimiter::grow`].
    pub fn take(&self, bytes: usize) -> io::Result<Permit> {
        let mut permit = Permit::default();
        self.grow(&mut permit, bytes)?;
        Ok(permit)
    }

    /// Makes a permit large enough for a buffer of this many bytes.
    ///
    /// # Errors
    /// Too much is under way: the connection is to be closed, so that others are served.
    pub fn grow(&self, permit: &mut Permit, bytes: usize) -> io::Result<()> {
        let has = permit.0.as_ref().map_or(0, |held| held.num_permits());
        let missing = bytes.saturating_sub(FREE).saturating_sub(has);
        if missing == 0 {
            return Ok(());
        }
        let more = u32::try_from(missing)
            .ok()
            .and_then(|missing| Arc::clone(&self.0).try_acquire_many_owned(missing).ok())
            .ok_or_else(|| {
                let text = "too many large requests and answers are under way";
                io::Error::new(io::ErrorKind::OutOfMemory, text)
            })?;
        match &mut permit.0 {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}
