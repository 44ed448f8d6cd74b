//! What the operations of all views of a store share.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::metrics::Metrics;
use super::notice::Notice;
use super::request::Output;
use super::watches::Watches;
use crate::bulk_runtime::Bulk;
use crate::cluster::{Cluster, TtlSupport};
use crate::error::{Code, Error, Result};

/// State that every operation needs.
pub struct Shared {
    /// Itself, for tasks that outlive a request.
    pub this: Weak<Shared>,
    pub cluster: Cluster,
    pub ttl: TtlSupport,
    pub metrics: Metrics,
    pub watches: Watches,
    /// Whether a notice has reported that there is no index of users.
    pub reported_no_index: AtomicBool,
    /// Whether a notice has reported a record that cannot be read.
    pub reported_unreadable: AtomicBool,
    /// Whether a notice has reported that servers do not extend records on reads.
    pub reported_no_touch_on_read: AtomicBool,
    /// The namespaces and sets whose index of users was requested in the background.
    pub requested_indexes: Mutex<BTreeSet<(String, String)>>,
    pub notify: Box<dyn Fn(Notice) + Send + Sync>,
    /// Held while a large session is decoded or encoded: one at a time.
    pub large_turns: Semaphore,
    /// The thread for large sessions and scans.
    pub bulk: Bulk,
}

/// The size in bytes from which on a session is large. Decoding or encoding it takes about as long as the rest of an
/// operation.
pub const LARGE: usize = 32 * 1024;

impl Shared {
    pub fn new(
        cluster: Cluster,
        bulk: Bulk,
        notify: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Arc<Shared> {
        Arc::new_cyclic(|this| Shared {
            this: this.clone(),
            cluster,
            ttl: TtlSupport::default(),
            metrics: Metrics::default(),
            watches: Watches::new(),
            reported_no_index: AtomicBool::new(false),
            reported_unreadable: AtomicBool::new(false),
            reported_no_touch_on_read: AtomicBool::new(false),
            requested_indexes: Mutex::default(),
            notify: Box::new(notify),
            large_turns: Semaphore::new(1),
            bulk,
        })
    }

    /// Waits for a turn, if this many bytes take long to process. Other tasks run first, and only one large session
    /// is processed at a time.
    pub async fn wait_turn(&self, bytes: usize) {
        if bytes < LARGE {
            return;
        }
        // Boxed: most operations never need it.
        Box::pin(async {
            // An error would mean that the semaphore was closed, which never happens.
            let _turn = self.large_turns.acquire().await;
            tokio::task::yield_now().await;
        })
        .await;
    }

    pub async fn info(&self, commands: &[String], deadline: Instant) -> Result<Output> {
        let nodes = self.cluster.info(commands, deadline).await?;
        let json = serde_json::to_string(&nodes);
        json.map(Output::Json)
            .map_err(|error| Error::new(Code::Server, error.to_string()))
    }
}
