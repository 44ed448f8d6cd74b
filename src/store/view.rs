//! A view: one way of looking at the sessions of a store. Several views may share a store.

use std::sync::Arc;

#[cfg(test)]
use aerospike::Key;

use super::filters::Filters;
use super::layout::Layout;
use super::options::Options;
use super::pending_writes::{PendingWrites, Writer};

/// One way of looking at the store's sessions: several may share a store.
pub struct View {
    pub(super) layout: Layout,
    pub(super) filters: Filters,
    writers: Arc<PendingWrites>,
}

impl View {
    pub fn new(options: Options) -> Arc<View> {
        let layout = Layout { options };
        Arc::new(View {
            filters: Filters::new(&layout),
            layout,
            writers: Arc::default(),
        })
    }

    pub fn set(&self) -> &str {
        &self.layout.options.set
    }

    /// The key of a session's record.
    #[cfg(test)]
    pub fn key(&self, id: &str) -> Key {
        self.layout.key(id)
    }

    /// Who sets sessions under this number: each session object has one of its own.
    pub fn writer(&self, number: u64) -> Arc<Writer> {
        self.writers.join(number)
    }
}
