//! Tracks whether a node of the cluster has lately failed to answer.
//!
//! Then writes stall on other nodes as well: on the masters whose replicas it holds. A batch is answered when its last row is. So while
//! any node is suspect, reads are not batched with writes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long a node counts as suspect after the last failure.
const SUSPECT_FOR: Duration = Duration::from_millis(1_000);

pub struct NodeHealth {
    opened: Instant,
    /// Until when a node is suspect, in milliseconds since `opened`. 0: no failure yet.
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
        let suspect_for = u64::try_from(SUSPECT_FOR.as_millis()).unwrap_or(u64::MAX);
        self.until
            .store(self.now() + suspect_for, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
