//! Remembers whether a namespace accepts TTLs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Whether the namespace accepts TTLs, as far as is known.
///
/// A namespace whose expiry thread is off refuses them (`FAIL_FORBIDDEN`). That is remembered only for a while,
/// because expiry can be turned on without a restart.
#[derive(Default)]
pub struct TtlSupport {
    /// By the monotonic clock: this is a duration, not a time of day.
    refused_until: Mutex<Option<Instant>>,
    /// Whether the mutex holds a time. Most writes need not lock it.
    was_refused: AtomicBool,
}

impl TtlSupport {
    /// How long a refusal is remembered before a TTL is tried again.
    const RETRY_AFTER: Duration = Duration::from_secs(60);

    pub fn is_refused(&self) -> bool {
        self.was_refused.load(Ordering::Relaxed)
            && self.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Remembers a refusal. Returns whether it is the first since a TTL was accepted.
    pub fn refuse(&self) -> bool {
        self.was_refused.store(true, Ordering::Relaxed);
        let until = Instant::now() + Self::RETRY_AFTER;
        self.lock().replace(until).is_none()
    }

    /// Remembers that a TTL was accepted.
    pub fn accept(&self) {
        if self.was_refused.swap(false, Ordering::Relaxed) {
            *self.lock() = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // No holder of this lock can panic in the middle of a change.
        self.refused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_remembered_for_a_minute_and_is_new_once_until_a_ttl_is_accepted() {
        let support = TtlSupport::default();
        assert!(!support.is_refused());
        assert!(support.refuse());
        assert!(support.is_refused());
        tokio::time::advance(TtlSupport::RETRY_AFTER - Duration::from_millis(1)).await;
        assert!(support.is_refused());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!support.is_refused());
        assert!(!support.refuse());
        support.accept();
        assert!(!support.is_refused());
        assert!(support.refuse());
    }
}
