//! A view of a store. Several views may share a store.

use std::sync::Arc;

#[cfg(test)]
use aerospike::Key;

use super::filters::Filters;
use super::layout::Layout;
use super::options::Options;
use super::pending_writes::{PendingWrites, Writer};
use crate::codec::keys::hex;

/// A view of a store, with its own options. Several views may share a store.
pub struct View {
    pub(super) layout: Layout,
    pub(super) filters: Filters,
    pending_writes: Arc<PendingWrites>,
}

impl View {
    pub fn new(options: Options) -> Arc<View> {
        let layout = Layout { options };
        Arc::new(View {
            filters: Filters::new(&layout),
            layout,
            pending_writes: Arc::default(),
        })
    }

    pub fn set(&self) -> &str {
        &self.layout.options.set
    }

    /// Returns whether keys are stored with their records.
    pub fn stores_keys(&self) -> bool {
        self.layout.options.store_ids
    }

    /// Returns the digest of the key of a session's record, as it is shown in place of the session id.
    pub fn digest(&self, id: &str) -> String {
        hex(&self.layout.key(id).digest())
    }

    /// Returns the key of a session's record.
    #[cfg(test)]
    pub fn key(&self, id: &str) -> Key {
        self.layout.key(id)
    }

    /// Returns the writer with this number. Each session object has its own.
    pub fn writer(&self, number: u64) -> Arc<Writer> {
        self.pending_writes.writer(number)
    }
}
