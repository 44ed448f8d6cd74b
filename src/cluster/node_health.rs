//! Whether a node of the cluster has lately failed to answer.
//!
//! Then writes stall on other nodes as well: those whose copies it holds. A batch is answered when its last row is, so
//! for as long as there is trouble reads do not go in one batch with writes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long there is trouble after the last failure.
const LASTS: Duration = Duration::from_millis(1_000);

pub struct NodeHealth {
    opened: Instant,
    /// Milliseconds since `opened`; 0: there was none yet.
    until: AtomicU64,
}

impl NodeHealth {
    pub fn new() -> NodeHealth {
        NodeHealth {
            opened: Instant::now(),
            until: AtomicU64::new(0),
        }
    }

    pub fn is_any_suspect(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until > 0 && self.now() < until
    }

    pub fn report_silence(&self) {
        let lasts = u64::try_from(LASTS.as_millis()).unwrap_or(u64::MAX);
        self.until.store(self.now() + lasts, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
