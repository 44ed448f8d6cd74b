//! The bytes that a namespace holds, and when it refuses writes.
//!
//! A full namespace still accepts reads, deletes and reads that extend a record. Other writes are refused, including
//! touches (`write_master_preprocessing()` in `as/src/transaction/write.c`). Deletes, expiry and truncation make room.
//! The server checks every ten seconds (`eval_stop_writes()` in `as/src/base/nsup.c`), this one at every write.

use std::sync::atomic::{AtomicU64, Ordering};

/// Percentage of `data-size` from which writes are refused: the default of `stop-writes-used-pct`.
pub const STOP_WRITES_PCT: u64 = 70;

/// The bytes that the records of a namespace use, and the bytes available.
pub struct Usage {
    total: u64,
    used: AtomicU64,
}

impl Usage {
    pub fn new(total: u64) -> Usage {
        Usage {
            total: total.max(1),
            used: AtomicU64::new(0),
        }
    }

    pub fn add(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn remove(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// `data-size`.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// `data_used_bytes`.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// `data_used_pct`, rounded down as the server does.
    pub fn percent(&self) -> u64 {
        self.used().saturating_mul(100) / self.total
    }
}
