//! What waits while a node is gone and the others have not noticed.
//!
//! A write waits until all replicas have it; a request that reached a node which does not own the record is handed
//! on to the one that does. If that node is gone, both wait until the partition has new owners, or until their time
//! is up: then the answer is "timeout", and a write may or may not have been applied.
//! Source: `as/src/transaction/rw_request_hash.c`, `proxy.c`; `transaction-max-ms`, `transaction-pending-limit`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::membership::Cluster;
use crate::storage::namespace::partition_id;
use crate::storage::record::Digest;
use crate::wire::result::{Outcome, ResultCode};

/// Longest wait of a request that names none (`transaction-max-ms`).
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Writes that may wait for one record (`transaction-pending-limit`).
const MAX_PENDING: usize = 20;

/// Why a request cannot be answered at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// The node that is to carry it out is gone.
    Owner,
    /// It can be carried out, but a replica will not confirm it.
    Replica,
}

impl Cluster {
    /// What stands in the way of a request for a record that came to `node`. Costs nothing while all is well.
    pub fn stall(&self, node: usize, digest: &Digest, is_write: bool) -> Option<Stall> {
        if !self.is_stalled.load(Ordering::Acquire) {
            return None;
        }
        let members = self.members.read();
        let owners = members.map.owners(partition_id(digest))?;
        // A replica answers reads itself (`find_best_node()`).
        let is_replica = owners.holders.has(node) && owners.replicas.contains(&node);
        let executor = if !is_write && is_replica {
            node
        } else {
            owners.master
        };
        if !members.up.has(executor) {
            return Some(Stall::Owner);
        }
        let mut replicas = owners.replicas.iter();
        (is_write && replicas.any(|replica| !members.up.has(*replica))).then_some(Stall::Replica)
    }

    /// Waits until nothing stands in the way of any of the requests, or their time is up; what then still does
    /// has to end in "timeout". A single `write` takes its place in the queue for its record.
    ///
    /// # Errors
    /// [`KEY_BUSY`](ResultCode::KEY_BUSY): too many writes wait for the record.
    pub async fn wait(
        &self,
        node: usize,
        requests: &[(Digest, bool)],
        write: Option<Digest>,
        limit: Option<Duration>,
    ) -> Outcome<()> {
        let is_stalled = || {
            let mut requests = requests.iter();
            requests.any(|(digest, is_write)| self.stall(node, digest, *is_write).is_some())
        };
        if !is_stalled() {
            return Ok(());
        }
        let _queued = write.map(|digest| self.queue(digest)).transpose()?;
        let settled = self.wait_until(|| !is_stalled());
        let _ = tokio::time::timeout(limit.unwrap_or(MAX_WAIT), settled).await;
        Ok(())
    }

    fn queue(&self, digest: Digest) -> Outcome<QueuedWrite<'_>> {
        let mut pending_writes = self.pending_writes.lock();
        let count = pending_writes.entry(digest).or_default();
        // The first one is being carried out, and the limit has to be exceeded (`handle_hot_key()`).
        if *count > MAX_PENDING + 1 {
            return Err(ResultCode::KEY_BUSY);
        }
        *count += 1;
        Ok(QueuedWrite {
            cluster: self,
            digest,
        })
    }
}

/// A write's place in the queue for a record, given up when dropped.
struct QueuedWrite<'a> {
    cluster: &'a Cluster,
    digest: Digest,
}

impl Drop for QueuedWrite<'_> {
    fn drop(&mut self) {
        let mut pending_writes = self.cluster.pending_writes.lock();
        if let Some(count) = pending_writes.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                pending_writes.remove(&self.digest);
            }
        }
    }
}
