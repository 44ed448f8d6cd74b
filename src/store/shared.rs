//! What the operations of all views of a store share.

use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::expiry::TtlSupport;
use super::metrics::Metrics;
use super::notice::Notice;
use super::request::Output;
use crate::bulk_runtime::Bulk;
use crate::cluster::Cluster;
use crate::error::{Code, Error, Result};

/// State that every operation needs.
pub struct Shared {
    pub cluster: Cluster,
    pub ttl: TtlSupport,
    pub metrics: Metrics,
    /// Whether a notice has said that users have no index.
    pub lacks_index: AtomicBool,
    /// Whether a notice has said that a record cannot be read.
    pub met_unreadable: AtomicBool,
    /// Whether a notice has said that servers do not extend what they read.
    pub lacks_touch_on_read: AtomicBool,
    pub notify: Box<dyn Fn(Notice) + Send + Sync>,
    /// Held while a large session is taken apart: one at a time.
    pub turns: Semaphore,
    /// The runtime for large sessions and scans.
    pub bulk: Bulk,
}

/// Bytes from which on a session is large: taking it apart, or putting it together, takes about as long as all else that an
/// operation does.
pub const LARGE: usize = 32 * 1024;

impl Shared {
    pub fn new(
        cluster: Cluster,
        bulk: Bulk,
        notify: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Shared {
        Shared {
            cluster,
            ttl: TtlSupport::default(),
            metrics: Metrics::default(),
            lacks_index: AtomicBool::new(false),
            met_unreadable: AtomicBool::new(false),
            lacks_touch_on_read: AtomicBool::new(false),
            notify: Box::new(notify),
            turns: Semaphore::new(1),
            bulk,
        }
    }

    /// Waits for a turn, if what is to be done takes long: others go first, and of those that take long one at a time.
    pub async fn turn(&self, bytes: usize) {
        if bytes < LARGE {
            return;
        }
        // Boxed: it is no part of every operation.
        Box::pin(async {
            // An error means that the semaphore was closed, and it never is.
            let _turn = self.turns.acquire().await;
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
