//! The operations on several entries, on all entries, and on pages of them.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use aerospike::expressions::Expression;
use aerospike::{Bins, Key};
use futures::future::join_all;
use tokio::task::unconstrained;
use tokio::time::Instant;

use super::one_ops::{Cache, Target};
use super::request::{Answer, CacheOp};
use crate::clock::now;
use crate::cluster::CallOptions;
use crate::cluster::scan::{PARTITIONS, Query};
use crate::error::Result;

/// The number of entries that are read or written at once. They go in one batch to each node, or in a few.
const TOGETHER: usize = 500;
/// The number of keys held at once, before their records are removed.
const GATHERED: usize = 50_000;

impl Cache<'_> {
    /// Runs an operation on each of these keys. Returns the outcomes in the same order.
    pub async fn run_each(&self, targets: &[(Key, CacheOp)]) -> Vec<Result<Answer>> {
        let mut outcomes = Vec::with_capacity(targets.len());
        for targets in targets.chunks(TOGETHER) {
            // With the same deadline, so that they can be sent together.
            let deadline = self.cluster.deadline();
            let runs = targets.iter().map(|target| self.run_one(target, deadline));
            // With tokio's budget for a task it would yield half-way, and be sent as two batches.
            outcomes.extend(unconstrained(join_all(runs)).await);
        }
        outcomes
    }

    async fn run_one(&self, (key, op): &(Key, CacheOp), deadline: Instant) -> Result<Answer> {
        let options = CallOptions::untraced(deadline);
        let target = Target {
            key,
            options: &options,
        };
        let outcome = self.run(target, op).await;
        outcome.map_err(|error| {
            let in_doubt = error.in_doubt || options.in_doubt.load(Ordering::Relaxed);
            error.in_doubt(in_doubt)
        })
    }

    /// Removes all entries of the view.
    ///
    /// A truncate would be a single command. But it would also remove the entries of other views of the set, and records of other
    /// applications. It gathers the keys of all partitions, or of half as many if they hold too many keys.
    ///
    /// # Errors
    ///
    /// The first failure. It does not stop the rest, unless as many removals as are sent together have failed.
    pub async fn clear(&self) -> Result<()> {
        let (mut first, mut width) = (0, PARTITIONS);
        let mut failures = Vec::new();
        while first < PARTITIONS && failures.len() < TOGETHER {
            let part = width.min(PARTITIONS - first);
            let mut keys: Vec<Key> = Vec::new();
            let mut is_whole = true;
            let query = self.query(Bins::None, self.layout.is_entry(), (first, part));
            let scan = self.cluster.scan(query, |record| {
                keys.extend(record.key);
                // A single partition cannot be divided. It never holds that many keys.
                is_whole = part == 1 || keys.len() < GATHERED;
                Ok(match is_whole {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                })
            });
            scan.await?;
            let removals: Vec<_> = keys.into_iter().map(|key| (key, CacheOp::Delete)).collect();
            for removals in removals.chunks(TOGETHER) {
                let outcomes = self.run_each(removals).await;
                failures.extend(outcomes.into_iter().filter_map(Result::err));
                if failures.len() >= TOGETHER {
                    break;
                }
            }
            match is_whole {
                true => first += part,
                false => width = part / 2,
            }
        }
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    /// Returns the keys and values of the entries in these partitions (first and count), of those that were stored with their
    /// key. Values that cannot be read are left out.
    pub async fn entries(&self, partitions: (usize, usize)) -> Result<Vec<(String, String)>> {
        let now = now();
        let mut found = Vec::new();
        let query = self.query(Bins::All, self.layout.is_listed(now), partitions);
        let scan = self.cluster.scan(query, |record| {
            if let Some(key) = &record.key
                && let Some(name) = self.layout.stored_key(&record, key)
                && let Ok(Some(value)) = self.layout.value(&record, key, now)
            {
                found.push((name, value));
            }
            Ok(ControlFlow::Continue(()))
        });
        scan.await?;
        Ok(found)
    }

    fn query(&self, bins: Bins, filter: Expression, partitions: (usize, usize)) -> Query<'_> {
        Query {
            namespace: self.layout.namespace,
            set: self.layout.set,
            bins,
            filter,
            indexed: None,
            partitions: Some(partitions),
        }
    }
}
