//! Checks the watched sessions, and extends those that are watched with `touch`.
//!
//! A check reads only the header of a record and its small bins. Checks go in slices, and their number in flight is
//! limited, so that they neither delay the operations of visitors nor fill the memory while the cluster is away. A check
//! that fails ends nothing. The next one comes an interval later.
//!
//! The task sleeps and works on the thread for long work. The JavaScript thread takes no part in it, until a session has
//! ended.

use std::sync::Arc;

use aerospike::{Bins, Record};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Semaphore;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};

use super::bins::{ALIAS, COOKIE, CREATED, EXPIRES, PREFIX};
use super::expiry::now;
use super::layout::Resolved;
use super::notice::Notice;
use super::record_ref::{Precondition, RecordRef};
use super::sessions::Sessions;
use super::shared::Shared;
use super::watches::{Check, Ended, Finding, LogicalTime, MAX_SLICE};
use crate::cluster::{Command, Reply};
use crate::error::Result;

/// The number of slices in flight.
const MAX_SLICES: usize = 4;
/// The part of its lifetime that a session may have left before a watch extends it: one half.
const LEFT_PART: i64 = 2;

/// The bins that tell whether a session is alive, or has been renewed.
const BINS: [&str; 4] = [EXPIRES, CREATED, PREFIX, ALIAS];

fn read_command(bins: &[&str]) -> Command {
    Command::Check {
        bins: Bins::Some(bins.iter().map(ToString::to_string).collect()),
    }
}

impl Shared {
    /// Reports watches that have ended.
    pub fn report_ended(&self, ended: Ended) {
        if !ended.is_empty() {
            (self.notify)(Notice::Ended(ended));
        }
    }
}

/// Checks the watched sessions, until nothing is watched or the cluster is closed.
pub async fn run(shared: Arc<Shared>) {
    let slices = Arc::new(Semaphore::new(MAX_SLICES));
    let check = async {
        while let Ok(due) = shared.watches.next_due() {
            let changed = shared.watches.changed.notified();
            match due {
                None => changed.await,
                Some(due) => {
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = changed => continue,
                    }
                    // An error would mean that the semaphore was closed, which never happens.
                    let Ok(permit) = slices.clone().acquire_owned().await else {
                        return;
                    };
                    let slice = Slice::take(&shared);
                    // With tokio's budget for a task, the slice would yield half-way, and be sent as two batches.
                    shared.bulk.spawn(unconstrained(async move {
                        slice.check().await;
                        drop(permit);
                    }));
                }
            }
        }
    };
    tokio::select! {
        () = check => {}
        () = shared.cluster.closed() => {}
    }
}

/// Sessions that are checked together. Dropping it plans the next check of those that were not checked.
struct Slice {
    shared: Arc<Shared>,
    checks: Vec<Check>,
}

impl Slice {
    fn take(shared: &Arc<Shared>) -> Slice {
        Slice {
            checks: shared.watches.take_due(Instant::now(), now()),
            shared: shared.clone(),
        }
    }

    async fn check(mut self) {
        let shared = &self.shared;
        let read = read_command(&BINS);
        let checks = self.checks.iter().map(async |check| {
            let finding = Sessions::new(shared, &check.view).check(check, &read).await;
            (check.id, check.sent, finding.unwrap_or(Finding::Unknown))
        });
        let checks: FuturesUnordered<_> = checks.collect();
        let mut findings = checks.ready_chunks(MAX_SLICE);
        while let Some(findings) = findings.next().await {
            shared.report_ended(shared.watches.finish(findings, now()));
        }
        drop(findings);
        self.checks.clear();
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        let ids: Vec<_> = self.checks.iter().map(|check| check.id).collect();
        self.shared.watches.give_up(&ids);
    }
}

impl Sessions<'_> {
    /// Ends the watches of a session that a command has removed. `sent`: the logical time before the command.
    pub(super) fn report_removed(&self, target: &RecordRef, sent: LogicalTime) {
        let watches = &self.shared.watches;
        if !watches.is_empty() {
            let ended = watches.removed(self.options(), &target.key.digest(), sent, now());
            self.shared.report_ended(ended);
        }
    }

    /// Notes the new end of a session that an operation has written.
    pub(super) fn report_written(&self, target: &RecordRef, expires: i64) {
        let watches = &self.shared.watches;
        if !watches.is_empty() {
            watches.written(self.options(), &target.key.digest(), expires, now());
        }
    }

    /// Checks a session. `read`: reads [`BINS`].
    async fn check(&self, check: &Check, read: &Command) -> Result<Finding> {
        let target = RecordRef::untraced(check.key.clone(), self.shared.cluster.deadline());
        let with_cookie = [&BINS[..], &[COOKIE]].concat();
        let found = match check.may_touch {
            true => {
                self.read_header(&target, &read_command(&with_cookie))
                    .await?
            }
            false => self.read_header(&target, read).await?,
        };
        let Some(mut record) = found else {
            return Ok(Finding::Missing);
        };
        if !record.bins.contains_key(EXPIRES) && !record.bins.contains_key(CREATED) {
            // A tombstone, or a session that another program wrote. The data tells which.
            let with_data = [&with_cookie[..], &[&self.options().bin]].concat();
            match self.read_header(&target, &read_command(&with_data)).await? {
                Some(whole) => record = whole,
                None => return Ok(Finding::Missing),
            }
        }
        match self.layout.resolve(&record, &target.key, now()) {
            Resolved::Alive(_) if check.may_touch => {
                Box::pin(self.check_touched(&target, &record)).await
            }
            Resolved::Alive(stored) => Ok(Finding::Alive {
                created: stored.created,
                end: stored.expires,
                touch_at: None,
            }),
            Resolved::Renewed(digest) => Ok(Finding::Renewed(digest)),
            Resolved::Expired => Ok(Finding::Expired),
            Resolved::Missing => Ok(Finding::Missing),
        }
    }

    async fn read_header(&self, target: &RecordRef, read: &Command) -> Result<Option<Record>> {
        match self.execute(target, read).await? {
            Reply::Record(record) => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    /// Extends a session if less than half of its lifetime is left, and nobody has written it since it was read.
    async fn check_touched(&self, target: &RecordRef, record: &Record) -> Result<Finding> {
        let now = now();
        let Some(stored) = self.layout.open(record, &target.key, now) else {
            return Ok(Finding::Unknown);
        };
        let created = stored.created;
        let lifetime = self.layout.max_age(&stored).unwrap_or(self.options().ttl);
        let touch_at = |end: i64| end.saturating_sub(lifetime / LEFT_PART);
        let alive = |end, touch_at| {
            Ok(Finding::Alive {
                created,
                end,
                touch_at: Some(touch_at),
            })
        };
        let Some(end) = stored.expires else {
            return alive(None, i64::MAX);
        };
        if touch_at(end) > now {
            return alive(Some(end), touch_at(end));
        }
        let expires = self.bounded_expires(now.saturating_add(lifetime), created);
        if expires <= end {
            // Nothing extends it further: its absolute lifetime.
            return alive(Some(end), i64::MAX);
        }
        let precondition = Precondition {
            created,
            generation: Some(record.generation),
        };
        let bins = vec![self.layout.expires_bin(expires)];
        let mut change = self.change((vec![], 0), bins, precondition);
        match self.apply(target, expires, &mut change).await? {
            Reply::Record(_) => alive(Some(expires), touch_at(expires)),
            // Somebody else has written it, or removed it.
            _ => Ok(Finding::Unknown),
        }
    }
}
