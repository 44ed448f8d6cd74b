//! The operations on plain data, compatible with Aerospike's own session-store example, and the write with a TTL that
//! all operations share.

use std::future::Future;

use aerospike::expressions::{Expression, and, or};
use aerospike::{Bin, Bins, Expiration, Key, Record, Value};

use super::aliases::{Removal, Trail};
use super::bins::{ALIAS, COOKIE, CREATED, EXPIRES, LEGACY, LOGIN, PREFIX, RENEWED, RENEWS, USER};
use super::expiry::{self, now};
use super::notice::Notice;
use super::record_ref::{Precondition, RecordRef};
use super::request::Output;
use super::sessions::Sessions;
use super::update_ops::{Update, Updated};
use crate::cluster::{Command, Reply, Step, memory_size};
use crate::error::{Code, Error, Result};

impl Sessions<'_> {
    pub(super) async fn save(
        &self,
        target: &RecordRef,
        json: &str,
        expires: i64,
    ) -> Result<Output> {
        let expires = self.bounded_expires(expires, None);
        let bins = |key: &Key| {
            let data = self.layout.data_bin(key, json)?;
            let mut bins = vec![data, self.layout.expires_bin(expires)];
            bins.extend(self.layout.prefix_bin());
            Ok(bins)
        };
        self.upsert(target, &bins, expires).await?;
        Ok(Output::Done)
    }

    pub(super) async fn get(&self, target: &RecordRef) -> Result<Output> {
        let record = self.read(target, Bins::All).await?;
        match self.alias_in(record.as_ref(), &target.key)? {
            None => self.data_of(record.as_ref(), &target.key).await,
            Some(alias) => {
                let found = Box::pin(self.read_along(target, alias, Bins::All)).await?;
                match &found {
                    Some((key, record)) => Box::pin(self.data_of(Some(record), key)).await,
                    None => Ok(Output::Missing),
                }
            }
        }
    }

    /// Returns the data in a record.
    async fn data_of(&self, record: Option<&Record>, key: &Key) -> Result<Output> {
        self.wait_turn_for(record).await;
        let stored = record.and_then(|record| self.layout.open(record, key, now()));
        let data = match stored {
            Some(stored) => self.report_unreadable(self.layout.data(&stored))?,
            None => None,
        };
        Ok(data.map_or(Output::Missing, Output::Json))
    }

    pub(super) async fn has(&self, target: &RecordRef) -> Result<Output> {
        let record = self.read(target, self.expiry_bins()).await?;
        let is_there = |record: &Record, key: &Key| self.layout.open(record, key, now()).is_some();
        Ok(Output::Flag(
            match self.alias_in(record.as_ref(), &target.key)? {
                None => record.is_some_and(|record| is_there(&record, &target.key)),
                Some(alias) => Box::pin(self.read_along(target, alias, self.expiry_bins()))
                    .await?
                    .is_some_and(|(key, record)| is_there(&record, &key)),
            },
        ))
    }

    pub(super) async fn touch(&self, target: &RecordRef, expires: i64) -> Result<Output> {
        let updated = self.update(target, &Update::touch(None, expires)).await?;
        Ok(Output::Flag(matches!(updated, Updated::Written(_))))
    }

    pub(super) async fn delete(&self, target: &RecordRef) -> Result<Output> {
        let existed = match self.remove_session(target).await? {
            Removal::Done(existed) => existed,
            Removal::Refused => Box::pin(self.remove_along(target, None)).await?,
        };
        Ok(Output::Flag(existed))
    }

    /// Removes a session, if its record is no alias.
    pub(super) async fn remove_session(&self, target: &RecordRef) -> Result<Removal> {
        let only_if = self.filters.is_removable(self.layout, now());
        if self.options().tombstones {
            return Box::pin(self.write_tombstone(target, Some(&only_if))).await;
        }
        let command = Command::Delete {
            reading: vec![
                Step::Read(EXPIRES.into()),
                Step::Read(CREATED.into()),
                Step::Read(self.options().bin.clone()),
                Step::Read(PREFIX.into()),
            ],
            durable: self.options().durable_delete,
            only_if,
        };
        let sent = self.shared.watches.stamp();
        let record = match self.execute(target, &command).await {
            Ok(Reply::Record(record)) => Some(record),
            Ok(Reply::Filtered) => return Ok(Removal::Refused),
            Ok(_) => None,
            // A full server refuses writes and takes this command for one. It does not refuse a bare delete.
            Err(error) if error.code == Code::Overload => {
                let record = self.read(target, self.expiry_bins()).await?;
                let only_if = self.filters.is_removable(self.layout, now());
                match self.erase(target, Some(&only_if)).await? {
                    Removal::Refused => return Ok(Removal::Refused),
                    Removal::Done(_) => record,
                }
            }
            // The record is removed. It held something that cannot be read.
            Err(error) if error.code == Code::BadData => {
                self.report_removed(target, sent);
                return Ok(Removal::Done(true));
            }
            Err(error) => return Err(error),
        };
        self.report_removed(target, sent);
        let open = |record| self.layout.open(record, &target.key, now()).is_some();
        Ok(Removal::Done(record.as_ref().is_some_and(open)))
    }

    /// Removes a record of this view, whatever it holds.
    pub(super) async fn remove_record(&self, target: &RecordRef) -> Result<()> {
        match self.options().tombstones {
            true => self.write_tombstone(target, None).await.map(drop),
            false => self.erase(target, None).await.map(drop),
        }
    }

    /// Removes the record, whatever it holds, if it belongs to this view and passes the filter.
    pub(super) async fn erase(
        &self,
        target: &RecordRef,
        only_if: Option<&Expression>,
    ) -> Result<Removal> {
        let command = Command::Delete {
            reading: vec![],
            durable: self.options().durable_delete,
            only_if: self.or_in_this_view(only_if),
        };
        let sent = self.shared.watches.stamp();
        Ok(match self.execute(target, &command).await? {
            Reply::Filtered => Removal::Refused,
            reply => {
                self.report_removed(target, sent);
                Removal::Done(!matches!(reply, Reply::Missing))
            }
        })
    }

    /// Replaces the record with a tombstone, if it belongs to this view and passes the filter.
    ///
    /// A tombstone is an empty record that outlives the removed one. A cold restart of the Community Edition reads
    /// removed records from disk again, and then finds the newer tombstone.
    pub(super) async fn write_tombstone(
        &self,
        target: &RecordRef,
        only_if: Option<&Expression>,
    ) -> Result<Removal> {
        let sent = self.shared.watches.stamp();
        let record = match self.read(target, self.expiry_bins()).await {
            // A record that cannot be read is removed like any other.
            Err(error) if error.code == Code::BadData => self.read(target, Bins::None).await?,
            outcome => outcome?,
        };
        let Some(record) = record else {
            self.report_removed(target, sent);
            return Ok(Removal::Done(false));
        };
        let existed = self.layout.open(&record, &target.key, now()).is_some();
        let mut bins = vec![Bin::new(self.options().bin.as_str(), Value::Int(0))];
        let emptied = [
            COOKIE, EXPIRES, CREATED, USER, LOGIN, LEGACY, ALIAS, RENEWED, RENEWS,
        ];
        bins.extend(emptied.map(|bin| Bin::new(bin, Value::Nil)));
        // An earlier version of the record may have had a longer lifetime than the last one.
        let left = record.time_to_live().map(|left| left.as_millis() as i64);
        let lifetime = left.map_or(i64::MAX, |left| left.max(self.options().ttl) + 60_000);
        let command = Command::Change {
            operations: vec![],
            size: 0,
            bins,
            ttl: match left {
                None => Expiration::Never,
                Some(_) => expiry::ttl(lifetime, 0),
            },
            only_if: self.or_in_this_view(only_if),
            generation: None,
        };
        match self.execute(target, &command).await {
            // Removing it without a tombstone is better than not removing it.
            Err(error) if error.code == Code::Overload => {
                Ok(match self.erase(target, only_if).await? {
                    Removal::Done(was_there) => Removal::Done(was_there && existed),
                    Removal::Refused => Removal::Refused,
                })
            }
            outcome => Ok(match outcome? {
                Reply::Filtered => Removal::Refused,
                reply => {
                    self.report_removed(target, sent);
                    Removal::Done(!matches!(reply, Reply::Missing) && existed)
                }
            }),
        }
    }

    fn or_in_this_view(&self, filter: Option<&Expression>) -> Expression {
        filter.map_or_else(|| self.filters.in_this_view(), Clone::clone)
    }

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
        cluster.execute(&target.key, command, target.call_options())
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

    /// Writes the bins that `bins` returns for a key. If a session under this key is alive, it stays the same session: its
    /// other bins are kept, also its creation time. Otherwise a new session begins, and nothing of an earlier one is kept.
    /// An alias is followed.
    ///
    /// # Errors
    ///
    /// [`Code::BadKey`] if the key is that of another view's record, which is left as it is.
    pub(super) async fn upsert(
        &self,
        target: &RecordRef,
        bins: &(dyn Fn(&Key) -> Result<Vec<Bin>> + Sync),
        expires: i64,
    ) -> Result<Upserted> {
        /// A session may begin or end between two commands, but hardly repeatedly.
        const ATTEMPTS: usize = 3;
        let mut command = self.upsert_command(bins(&target.key)?);
        for _ in 0..ATTEMPTS {
            if let Some(stored) = self.try_upsert(target, expires, &mut command).await? {
                return Ok(stored);
            }
            // There is a record, but no session of this view that is alive.
            let only_if = self.layout.is_free(now());
            let mut replace = self.replace_command(&command, only_if);
            if let Some(stored) = Box::pin(self.try_upsert(target, expires, &mut replace)).await? {
                return Ok(stored);
            }
            let along = self.upsert_along(target, bins, expires, &command);
            if let Some(stored) = Box::pin(along).await? {
                return Ok(stored);
            }
        }
        Err(Error::new(
            Code::BadKey,
            "this session id cannot be used: with option 'prefix' it makes the key of a session of another prefix",
        ))
    }

    /// Writes a session through an alias. If the alias leads to no session, a new one takes the place of the alias. Returns
    /// `None` if the record is no alias.
    async fn upsert_along(
        &self,
        target: &RecordRef,
        bins: &(dyn Fn(&Key) -> Result<Vec<Bin>> + Sync),
        expires: i64,
        command: &Command,
    ) -> Result<Option<Upserted>> {
        let mut trail = Trail::new(target);
        if !self.follow(&mut trail, None).await? {
            return Ok(None);
        }
        loop {
            let at = trail.record();
            let steps = vec![Step::Read(CREATED.into())];
            let mut change = self.change((steps, 0), bins(&at.key)?, Precondition::default());
            match self.with_ttl(at, expires, &mut change).await? {
                Reply::Record(record) => return Ok(Some(Upserted::new(&record, at.digest()))),
                Reply::Filtered if self.follow(&mut trail, None).await? => {}
                _ => break,
            }
        }
        drop(trail);
        let now = now();
        let is_alias = and(vec![self.layout.in_this_view(), self.layout.is_alias(now)]);
        let only_if = or(vec![self.layout.is_free(now), is_alias]);
        let mut replace = self.replace_command(command, only_if);
        self.try_upsert(target, expires, &mut replace).await
    }

    /// Returns the command that writes these bins if there is no record, or one whose session is alive.
    fn upsert_command(&self, bins: Vec<Bin>) -> Command {
        let now = now();
        let creation = self.filters.creation(self.layout, now);
        Command::Upsert {
            operations: vec![
                Step::PutExpression(CREATED, creation),
                Step::Read(CREATED.into()),
            ],
            bins,
            ttl: Expiration::Never,
            send_key: self.options().store_ids,
            only_if: self.filters.same_and_alive(self.layout, None, now),
        }
    }

    /// Returns the command that writes the same bins as a new session, if there is no record or one that passes the filter.
    fn replace_command(&self, upsert: &Command, only_if: Expression) -> Command {
        let Command::Upsert { bins, send_key, .. } = upsert else {
            return self.upsert_command(Vec::new());
        };
        let now = now();
        let is_written = |bin: &&str| bins.iter().any(|written| written.name == **bin);
        let left = [COOKIE, USER, LOGIN, LEGACY, PREFIX, ALIAS, RENEWED, RENEWS]
            .into_iter()
            .filter(|bin| !is_written(bin));
        let emptied = left.map(|bin| Bin::new(bin, Value::Nil));
        Command::Upsert {
            operations: vec![
                Step::Put(self.layout.created_bin(now)),
                Step::Read(CREATED.into()),
            ],
            bins: bins.iter().cloned().chain(emptied).collect(),
            ttl: Expiration::Never,
            send_key: *send_key,
            only_if,
        }
    }

    /// Runs an upsert command. Returns `None` if its filter rejected the record.
    async fn try_upsert(
        &self,
        target: &RecordRef,
        expires: i64,
        command: &mut Command,
    ) -> Result<Option<Upserted>> {
        let reply = self.with_ttl(target, expires, command).await?;
        Ok(match reply {
            Reply::Record(record) => Some(Upserted::new(&record, String::new())),
            _ => None,
        })
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

/// What the record holds after an upsert.
pub(super) struct Upserted {
    pub created: Option<i64>,
    pub generation: u32,
    /// The digest of the record in hexadecimal digits, if an alias led there, else empty.
    pub target: String,
}

impl Upserted {
    fn new(record: &Record, target: String) -> Upserted {
        Upserted {
            created: record.bins.get(CREATED).and_then(integer),
            generation: record.generation,
            target,
        }
    }
}

/// Returns the last integer in the results of the operations on a bin.
fn integer(answer: &Value) -> Option<i64> {
    match answer {
        Value::Int(value) => Some(*value),
        Value::MultiResult(answers) => answers.iter().rev().find_map(integer),
        _ => None,
    }
}

fn applied(reply: &Reply) -> bool {
    matches!(reply, Reply::Record(_) | Reply::Done)
}
