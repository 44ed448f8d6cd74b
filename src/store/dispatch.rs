//! Runs a request: from the request to its operation.

use tokio::time::{Instant, timeout_at};

use super::baseline::{Baseline, InDoubtWrite};
use super::record_ref::RecordRef;
use super::renew_ops::{Renewal, Renewed};
use super::request::{Operation, Output, RateLimitOp, ScanOp, SessionOp, Written};
use super::session_ops::Touched;
use super::sessions::Sessions;
use super::shared::{LARGE, Shared};
use super::view::View;
use crate::cluster::{LARGEST_RECORD, too_big};
use crate::codec::size_check;
use crate::error::Result;
use crate::failpoint;
use crate::rate_limits::Limits;

impl Shared {
    /// Returns whether an operation takes so long that others should not wait for it.
    pub fn is_bulk(&self, target: &RecordRef, op: &SessionOp) -> bool {
        let limit = match target.options.is_lone {
            // Hardly any other request would wait, and using the other thread means waking it. There is a limit all the same: the
            // event loop may be driving (see `bridge::event_loop`), and large sessions take milliseconds.
            true => 4 * LARGE,
            false => LARGE,
        };
        match op {
            SessionOp::Save { json, .. }
            | SessionOp::Set { json, .. }
            | SessionOp::Renew { json, .. } => json.len() >= limit,
            SessionOp::Get | SessionOp::Load => self.cluster.is_at_least(&target.key, limit),
            SessionOp::Touch { .. }
            | SessionOp::Refresh { .. }
            | SessionOp::Delete
            | SessionOp::Has
            | SessionOp::Destroy
            | SessionOp::DestroyByDigest { .. }
            // Values of a cache are texts, which take no time to decode.
            | SessionOp::Cache(_) => false,
        }
    }

    pub async fn run(
        &self,
        view: &View,
        operation: Operation,
        deadline: Instant,
    ) -> Result<Output> {
        let sessions = Sessions::new(self, view);
        match operation {
            Operation::Ready => {
                let namespace = &sessions.options().namespace;
                self.cluster.ready(namespace, deadline).await?;
                if sessions.options().limit.is_some() {
                    // A login that may not create the index, or an index that is not complete yet, is no failure.
                    let _ = timeout_at(deadline, sessions.create_user_index()).await;
                }
                Ok(Output::Done)
            }
            Operation::Info { commands } => self.info(&commands, deadline).await,
            Operation::Scan(op) => sessions.run_scan_op(op).await,
            Operation::RateLimit(RateLimitOp::ResetAll { view }) => {
                let limits = Limits {
                    cluster: &self.cluster,
                    view: &view,
                    ttl_refused: &|| {},
                };
                limits.remove_all().await?;
                Ok(Output::Done)
            }
            Operation::Cache(op) => sessions.run_many_cache_op(op).await,
            Operation::Close
            | Operation::Session { .. }
            | Operation::RateLimit(RateLimitOp::One { .. }) => Ok(Output::Done),
        }
    }
}

impl Sessions<'_> {
    /// Waits for a turn if the session is large, and rejects sessions that are too large for any server.
    async fn check_size(&self, op: &SessionOp) -> Result<()> {
        let (json, limit) = match op {
            SessionOp::Save { json, .. } => (json, LARGEST_RECORD),
            SessionOp::Renew { json, .. } => (json, 2 * LARGEST_RECORD),
            SessionOp::Set { json, baseline, .. } => match baseline {
                None => (json, LARGEST_RECORD),
                // Other writers may have removed keys and made room for the new ones.
                Some(_) => (json, 2 * LARGEST_RECORD),
            },
            _ => return Ok(()),
        };
        self.shared.wait_turn(json.len()).await;
        match size_check::is_larger(json, limit) {
            true => Err(too_big()),
            false => Ok(()),
        }
    }

    /// Runs an operation on one session. Takes the stored texts out of `op`.
    pub async fn run_session_op(&self, target: &RecordRef, op: &mut SessionOp) -> Result<Output> {
        failpoint::panic_in("serve", &self.options().set);
        self.check_size(op).await?;
        match op {
            SessionOp::Save { json, expires } => self.save(target, json, *expires).await,
            SessionOp::Get => self.get(target).await,
            SessionOp::Touch { expires } => self.touch(target, *expires).await,
            // Boxed: its future is much larger than the others, and it is rare.
            SessionOp::Delete => Box::pin(self.delete(target)).await,
            SessionOp::Has => self.has(target).await,
            SessionOp::Load => self.load(target).await,
            SessionOp::Set {
                json,
                expires,
                baseline,
                writer,
                user,
            } => {
                let user = user.as_ref().map(Option::as_deref);
                // What an earlier set of the same object has stored, if its answer is still on its way.
                let baseline = writer.baseline(baseline.take());
                let outcome = self
                    .set(target, json, *expires, baseline.as_ref(), user)
                    .await
                    .map_err(|error| target.failed(error));
                if let Err(error) = &outcome {
                    writer.failed(error, baseline, &InDoubtWrite::Set(json));
                }
                let mut written = outcome?;
                if let (true, Some(user)) = (written.is_login, user.flatten()) {
                    // Boxed: only logins need it.
                    Box::pin(self.limit_sessions(target, user, &mut written)).await;
                }
                if let Some(meta) = written.meta.clone() {
                    writer.set_stored(Baseline {
                        meta,
                        json: std::mem::take(json),
                        notes: String::new(),
                    });
                }
                Ok(Output::Written(written, writer.clone()))
            }
            SessionOp::Refresh {
                cookie,
                expires,
                baseline,
                writer,
            } => {
                let mut baseline = writer.baseline(baseline.take());
                let outcome = self
                    .refresh(target, cookie.as_deref(), *expires, baseline.as_ref())
                    .await
                    .map_err(|error| target.failed(error));
                if let Err(error) = &outcome {
                    writer.failed(
                        error,
                        baseline.take(),
                        &InDoubtWrite::Touch(cookie.as_deref()),
                    );
                }
                let Touched { meta, notes } = outcome?;
                if let Some((meta, baseline)) = meta.clone().zip(baseline) {
                    writer.set_stored(Baseline {
                        meta,
                        notes,
                        ..baseline
                    });
                }
                let written = Written {
                    meta,
                    ..Written::default()
                };
                Ok(Output::Written(written, writer.clone()))
            }
            // Boxed: it is rare.
            SessionOp::Renew { .. } => Box::pin(self.run_renewal_op(target, op)).await,
            SessionOp::Destroy => self.destroy(target).await,
            SessionOp::DestroyByDigest { of } => {
                Box::pin(self.destroy_of_user(target, of.as_deref())).await
            }
            // Boxed: its future is larger than those of most operations on sessions.
            SessionOp::Cache(op) => Box::pin(self.run_cache_op(target, op)).await,
        }
    }

    /// Returns an object: `outcome` is `done`, `lost` or `missing`. If it is done, `head` is the meta of the baseline under the
    /// new id.
    async fn run_renewal_op(&self, target: &RecordRef, op: &mut SessionOp) -> Result<Output> {
        let SessionOp::Renew {
            id,
            json,
            expires,
            baseline,
            writer,
            user,
            grace,
        } = op
        else {
            return Ok(Output::Done);
        };
        let baseline = writer.baseline(baseline.take());
        let renewal = Renewal {
            id,
            json,
            expires: *expires,
            baseline: baseline.as_ref(),
            user: user.as_ref().map(Option::as_deref),
            grace: *grace,
        };
        let outcome = self
            .renew(target, &renewal)
            .await
            .map_err(|error| target.failed(error));
        if let Err(error) = &outcome {
            // The session may be stored under the new id, as the request has it, and the old id may lead there.
            writer.failed(error, baseline, &InDoubtWrite::Set(json));
        }
        let (outcome, head) = match outcome? {
            Renewed::Done(head) => ("done", Some(head)),
            Renewed::Lost => ("lost", None),
            Renewed::Missing => ("missing", None),
        };
        let answer = serde_json::json!({ "outcome": outcome, "head": head });
        Ok(Output::Json(answer.to_string()))
    }

    async fn run_scan_op(&self, op: ScanOp) -> Result<Output> {
        failpoint::panic_in("many", &self.options().set);
        match op {
            ScanOp::All { partitions } => self.all(partitions).await,
            ScanOp::Ids { partitions } => self.ids(partitions).await,
            ScanOp::Length { partitions } => self.length(partitions).await,
            ScanOp::Clear => self.clear().await,
            ScanOp::Prune {
                partitions,
                dry_run,
            } => self.prune(partitions, dry_run).await,
            ScanOp::CreateUserIndex => self.create_user_index().await,
            ScanOp::SessionsOf { user, limit } => self.sessions_of(&user, limit).await,
            ScanOp::CountOf { user } => self.count_of(&user).await,
            ScanOp::DestroyOf { user, except } => self.destroy_of(&user, except.as_deref()).await,
        }
    }
}
