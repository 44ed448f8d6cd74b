//! Carries out a request: from what is asked for to the operation that does it.

use tokio::time::Instant;

use super::baseline::{Baseline, Doubt};
use super::record_ref::RecordRef;
use super::request::{Operation, Output, ScanOp, SessionOp, Written};
use super::session_ops::Touched;
use super::sessions::Sessions;
use super::shared::{Shared, LARGE};
use super::view::View;
use crate::cluster::{too_big, LARGEST_RECORD};
use crate::codec::size_check;
use crate::error::Result;
use crate::failpoint;

impl Shared {
    /// Whether an operation takes so long that others should not wait for it.
    pub fn is_bulk(&self, at: &RecordRef, what: &SessionOp) -> bool {
        let is_large = |bytes: usize| match at.is_lone {
            // There is hardly anybody who would wait; and another thread has to be woken.
            true => bytes >= 4 * LARGE,
            false => bytes >= LARGE,
        };
        match what {
            SessionOp::Save { json, .. } | SessionOp::Set { json, .. } => is_large(json.len()),
            SessionOp::Get | SessionOp::Load => !at.is_lone && self.cluster.is_large(&at.key),
            SessionOp::Touch { .. }
            | SessionOp::Refresh { .. }
            | SessionOp::Delete
            | SessionOp::Has
            | SessionOp::Destroy => false,
        }
    }

    pub async fn run(
        &self,
        view: &View,
        operation: Operation,
        deadline: Instant,
    ) -> Result<Output> {
        let sessions = Sessions::of(self, view);
        match operation {
            Operation::Ready => {
                let namespace = &sessions.options().namespace;
                let ready = self.cluster.ready(namespace, deadline).await;
                ready.map(|()| Output::Done)
            }
            Operation::Info { commands } => self.info(&commands, deadline).await,
            Operation::Scan(many) => sessions.many(many).await,
            Operation::Close | Operation::Session { .. } => Ok(Output::Done),
        }
    }
}

impl Sessions<'_> {
    /// Waits for a turn, if what is to be stored is large, and refuses what no server takes.
    async fn check_size(&self, what: &SessionOp) -> Result<()> {
        let (json, most) = match what {
            SessionOp::Save { json, .. } => (json, LARGEST_RECORD),
            SessionOp::Set { json, baseline, .. } => match baseline {
                None => (json, LARGEST_RECORD),
                // Others may have removed what it holds, to make place for what it adds.
                Some(_) => (json, 2 * LARGEST_RECORD),
            },
            _ => return Ok(()),
        };
        self.shared.turn(json.len()).await;
        match size_check::is_larger(json, most) {
            true => Err(too_big()),
            false => Ok(()),
        }
    }

    /// Takes out of `what` what it stores or returns.
    pub async fn one(&self, at: &RecordRef, what: &mut SessionOp) -> Result<Output> {
        failpoint::panic_in("serve", &self.options().set);
        self.check_size(what).await?;
        match what {
            SessionOp::Save { json, expires } => self.save(at, json, *expires).await,
            SessionOp::Get => self.get(at).await,
            SessionOp::Touch { expires } => self.touch(at, *expires).await,
            // Boxed: much larger than the others, and rare.
            SessionOp::Delete => Box::pin(self.delete(at)).await,
            SessionOp::Has => self.has(at).await,
            SessionOp::Load => self.load(at).await,
            SessionOp::Set {
                json,
                expires,
                baseline,
                writer,
                user,
            } => {
                let user = user.as_ref().map(Option::as_deref);
                // What an earlier set of the same object stored, if its answer is on the way.
                let baseline = writer.baseline(baseline.take());
                let outcome = self
                    .set(at, json, *expires, baseline.as_ref(), user)
                    .await
                    .map_err(|error| at.failed(error));
                if let Err(error) = &outcome {
                    writer.failed(error, baseline, &Doubt::Set(json));
                }
                let written = outcome?;
                if let Some(head) = written.head.clone() {
                    writer.stored(Baseline {
                        head,
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
                    .refresh(at, cookie.as_deref(), *expires, baseline.as_ref())
                    .await
                    .map_err(|error| at.failed(error));
                if let Err(error) = &outcome {
                    writer.failed(error, baseline.take(), &Doubt::Touch(cookie.as_deref()));
                }
                let Touched { head, notes } = outcome?;
                if let Some((head, baseline)) = head.clone().zip(baseline) {
                    writer.stored(Baseline {
                        head,
                        notes,
                        ..baseline
                    });
                }
                let written = Written {
                    head,
                    ..Written::default()
                };
                Ok(Output::Written(written, writer.clone()))
            }
            SessionOp::Destroy => self.destroy(at).await,
        }
    }

    async fn many(&self, many: ScanOp) -> Result<Output> {
        failpoint::panic_in("many", &self.options().set);
        match many {
            ScanOp::All { partitions } => self.all(partitions).await,
            ScanOp::Ids { partitions } => self.ids(partitions).await,
            ScanOp::Length { partitions } => self.length(partitions).await,
            ScanOp::Clear => self.clear().await,
            ScanOp::Prune { partitions } => self.prune(partitions).await,
            ScanOp::CreateUserIndex => self.create_user_index().await,
            ScanOp::SessionsOf { user, limit } => self.sessions_of(&user, limit).await,
            ScanOp::CountOf { user } => self.count_of(&user).await,
            ScanOp::DestroyOf { user, except } => self.destroy_of(&user, except.as_deref()).await,
        }
    }
}
