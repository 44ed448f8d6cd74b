//! Counters of a cluster, for `stats()`.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Counts how a cluster is used.
#[derive(Default)]
pub struct Counters {
    retries: AtomicU64,
    batches: AtomicU64,
    batched: AtomicU64,
}

/// The known nodes of the cluster, and how it was used.
#[derive(Default, Serialize)]
pub struct Stats {
    connected: bool,
    nodes: Vec<NodeStats>,
    /// Attempts beyond the first.
    retries: u64,
    /// Requests to a node with more than one operation.
    batches: u64,
    /// Operations that were sent in batches.
    batched: u64,
}

#[derive(Serialize)]
pub struct NodeStats {
    pub name: String,
    pub address: String,
    /// Whether it answered the last request of the crate.
    pub active: bool,
}

impl Counters {
    pub fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request to a node that has this many operations.
    pub fn request(&self, operations: usize) {
        if operations > 1 {
            self.batches.fetch_add(1, Ordering::Relaxed);
            let operations = u64::try_from(operations).unwrap_or(u64::MAX);
            self.batched.fetch_add(operations, Ordering::Relaxed);
        }
    }

    pub fn stats(&self, connected: bool, nodes: Vec<NodeStats>) -> Stats {
        Stats {
            connected,
            nodes,
            retries: self.retries.load(Ordering::Relaxed),
            batches: self.batches.load(Ordering::Relaxed),
            batched: self.batched.load(Ordering::Relaxed),
        }
    }
}
