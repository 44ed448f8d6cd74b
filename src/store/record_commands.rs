//! The commands on one record that all operations share: reads, and changes with a TTL that the server may refuse.

use std::future::Future;

use aerospike::{Bin, Bins, Expiration, Record};

use super::bins::{ALIAS, CREATED, EXPIRES, PREFIX};
use super::expiry::{self, now};
use super::notice::Notice;
use super::record_ref::{Precondition, RecordRef};
use super::sessions::Sessions;
use crate::cluster::{Command, Reply, Step, memory_size};
use crate::error::{Code, Error, Result};

impl Sessions<'_> {
    pub(super) async fn read(&self, target: &RecordRef, bins: Bins) -> Result<Option<Record>> {
        let touch = self.options().touch_on_read;
        match self.execute(target, &Command::Read { bins, touch }).await? {
            Reply::Record(record) => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    /// Waits for a turn to decode a record, if it is large.
    pub(super) async fn wait_turn_for(&self, record: Option<&Record>) {
        self.shared
            .wait_turn(record.map_or(0, memory_size::of_record))
            .await;
    }

    pub(super) fn execute<'b>(
        &'b self,
        target: &'b RecordRef,
        command: &'b Command,
    ) -> impl Future<Output = Result<Reply>> + 'b {
        let cluster = &self.shared.cluster;
        cluster.execute(&target.key, command, &target.options)
    }

    /// Returns the bins that decide whether a session of this view is alive, and where an alias leads to.
    pub(super) fn expiry_bins(&self) -> Bins {
        let bins = [EXPIRES, CREATED, PREFIX, ALIAS, self.options().bin.as_str()];
        Bins::Some(bins.map(String::from).to_vec())
    }

    /// Returns the requested expiry, limited by the absolute TTL.
    pub(super) fn bounded_expires(&self, expires: i64, created: Option<i64>) -> i64 {
        let created = created.unwrap_or_else(now);
        expiry::bounded(Some(expires), Some(created), self.options().absolute_ttl)
            .unwrap_or(expires)
    }

    /// Returns a command that applies operations (of `size` bytes) and bins to a session that is alive.
    pub(super) fn change(
        &self,
        (operations, size): (Vec<Step>, usize),
        bins: Vec<Bin>,
        precondition: Precondition,
    ) -> Command {
        let only_if = self
            .filters
            .same_and_alive(self.layout, precondition.created, now());
        Command::Change {
            operations,
            size,
            bins,
            ttl: Expiration::DontUpdate,
            only_if,
            generation: precondition.generation,
        }
    }

    /// Runs a [`Sessions::change`] after which the session ends at `expires`.
    pub(super) fn apply<'b>(
        &'b self,
        target: &'b RecordRef,
        expires: i64,
        change: &'b mut Command,
    ) -> impl Future<Output = Result<Reply>> + 'b {
        self.with_ttl(target, expires, change)
    }

    /// Runs a write with the TTL for `expires`. If the namespace refuses TTLs, runs it without one: bin `expires`
    /// still ends the session on time. The write then removes a TTL that the record may still have from earlier. If
    /// that TTL ended later than `expires`, it would count as a foreign touch. If it ended earlier, the server would
    /// end the session.
    ///
    /// The server returns the same result code for writes that it forbids for other reasons, some of which are
    /// temporary. So a refusal of TTLs counts only if a write without a TTL has succeeded and another one with a TTL
    /// has been refused again.
    pub(super) async fn with_ttl(
        &self,
        target: &RecordRef,
        expires: i64,
        command: &mut Command,
    ) -> Result<Reply> {
        let support = &self.shared.ttl;
        let is_refused = support.is_refused();
        let ttl = expiry::ttl(expires, now());
        command.set_ttl(match is_refused {
            true => Expiration::Never,
            false => ttl,
        });
        let outcome = self.execute(target, command).await;
        let may_refuse_the_ttl = |error: &Error| error.code == Code::Forbidden && !is_refused;
        if !outcome.as_ref().is_err_and(may_refuse_the_ttl) {
            if outcome.as_ref().is_ok_and(applied) {
                self.report_written(target, expires);
                if !is_refused {
                    support.accept();
                }
            }
            return outcome;
        }
        drop(outcome);
        command.set_ttl(Expiration::Never);
        let reply = Box::pin(self.execute(target, command)).await?;
        if !applied(&reply) {
            return Ok(reply);
        }
        self.report_written(target, expires);
        Box::pin(self.verify_ttl_refusal(target, expires, ttl, reply)).await
    }

    /// After a write without a TTL has succeeded: adds the TTL after all, or finds that TTLs are refused.
    async fn verify_ttl_refusal(
        &self,
        target: &RecordRef,
        expires: i64,
        ttl: Expiration,
        mut reply: Reply,
    ) -> Result<Reply> {
        // Changes only the TTL, and only if the record has not been written since.
        let (generation, created) = match &reply {
            Reply::Record(record) => (Some(record.generation), None),
            _ => (None, None),
        };
        let precondition = Precondition {
            created,
            generation,
        };
        let mut touch = self.change(
            (vec![], 0),
            vec![self.layout.expires_bin(expires)],
            precondition,
        );
        touch.set_ttl(ttl);
        match self.execute(target, &touch).await {
            Ok(Reply::Record(touched)) => {
                if let Reply::Record(record) = &mut reply {
                    record.generation = touched.generation;
                }
                self.shared.ttl.accept();
            }
            Err(error) if error.code == Code::Forbidden => {
                if self.shared.ttl.refuse() {
                    (self.shared.notify)(Notice::TtlRefused);
                }
            }
            // The write itself has succeeded. The next write may find out whether TTLs are refused.
            Ok(_) | Err(_) => {}
        }
        Ok(reply)
    }
}

fn applied(reply: &Reply) -> bool {
    matches!(reply, Reply::Record(_) | Reply::Done)
}
