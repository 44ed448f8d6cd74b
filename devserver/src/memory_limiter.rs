//! Limits the memory that all connections together use for requests and responses. Small buffers are not counted:
//! their number is limited by that of the connections.

use std::io;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of large requests and responses at one time: four of the largest possible.
const LIMIT: usize = 512 * 1024 * 1024;
/// Bytes that a connection may use without a permit.
pub const UNCOUNTED: usize = 64 * 1024;

/// Counts the memory in use.
#[derive(Clone)]
pub struct MemoryLimiter(Arc<Semaphore>);

impl Default for MemoryLimiter {
    fn default() -> Self {
        MemoryLimiter(Arc::new(Semaphore::new(LIMIT)))
    }
}

/// Memory reserved for one request or response. Dropping it releases the memory.
#[derive(Default)]
pub struct Permit(Option<OwnedSemaphorePermit>);

impl MemoryLimiter {
    /// Returns a permit for a buffer of this many bytes.
    ///
    /// # Errors
    /// As [`MemoryLimiter::grow`].
    pub fn acquire(&self, bytes: usize) -> io::Result<Permit> {
        let mut permit = Permit::default();
        self.grow(&mut permit, bytes)?;
        Ok(permit)
    }

    /// Extends a permit to a buffer of this many bytes.
    ///
    /// # Errors
    /// `OutOfMemory`: the limit is reached. The caller closes the connection, so that others are served.
    pub fn grow(&self, permit: &mut Permit, bytes: usize) -> io::Result<()> {
        let has = permit.0.as_ref().map_or(0, |held| held.num_permits());
        let missing = bytes.saturating_sub(UNCOUNTED).saturating_sub(has);
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
