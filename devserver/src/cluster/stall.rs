//! Requests that wait while a node is down and the others have not noticed.
//!
//! A write waits until all replicas have it. A node that does not own a record proxies the request to the node that
//! does. If that node is down, both wait until the partition has new owners or until their timeout. Then the response
//! is TIMEOUT, and a write may or may not have been applied.
//! Source: `as/src/transaction/rw_request_hash.c`, `proxy.c`; `transaction-max-ms`, `transaction-pending-limit`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::membership::Cluster;
use crate::storage::namespace::partition_id;
use crate::storage::record::Digest;
use crate::wire::result::{Outcome, ResultCode};

/// Timeout of a request that has none (`transaction-max-ms`).
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Maximum number of writes that wait for one record (`transaction-pending-limit`).
const MAX_PENDING: usize = 20;

/// Why a request cannot be completed at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// The node that should execute it is down.
    Owner,
    /// It can be executed, but a replica will not confirm it.
    Replica,
}

impl Cluster {
    /// Returns why `node` cannot complete a request for a record. Costs one atomic load while all nodes run.
    pub fn stall(&self, node: usize, digest: &Digest, is_write: bool) -> Option<Stall> {
        if !self.is_stalled.load(Ordering::Acquire) {
            return None;
        }
        let members = self.members.read();
        let owners = members.map.owners(partition_id(digest))?;
        // A replica executes reads itself (`find_best_node()`).
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

    /// Waits until all of the requests can be completed, or their timeout. Requests that still cannot be completed
    /// must end with TIMEOUT. A single `write` is queued for its record.
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
        // The first write is being executed, and the limit must be exceeded (`handle_hot_key()`).
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

/// A write that is queued for a record. Dropping it removes it from the queue.
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
