//! The operations on plain data, as Aerospike's session-store recipe has them, and the writing
//! with a TTL that all share.

use std::future::Future;

use aerospike::expressions::Expression;
use aerospike::{Bin, Bins, Expiration, Record, Value};

use super::bins::{COOKIE, CREATED, EXPIRES, LEGACY, PREFIX, USER};
use super::expiry::{self, now};
use super::notice::Notice;
use super::record_ref::RecordRef;
use super::request::Output;
use super::sessions::Sessions;
use crate::cluster::{memory_size, Command, Reply, Step};
use crate::error::{Code, Error, Result};

impl Sessions<'_> {
    pub(super) async fn save(&self, at: &RecordRef, json: &str, expires: i64) -> Result<Output> {
        let data = self.layout.of_data(&at.key, json)?;
        let expires = self.not_beyond(expires, None);
        let mut bins = vec![data, self.layout.of_expires(expires)];
        bins.extend(self.layout.of_prefix());
        self.upsert(at, bins, expires).await?;
        Ok(Output::Done)
    }

    pub(super) async fn get(&self, at: &RecordRef) -> Result<Output> {
        let record = self.read(at, Bins::All).await?;
        self.turn_for(record.as_ref()).await;
        let stored = record
            .as_ref()
            .and_then(|record| self.layout.open(record, &at.key, now()));
        let data = match stored {
            Some(stored) => self.read_as(self.layout.data(&stored))?,
            None => None,
        };
        Ok(data.map_or(Output::Missing, Output::Json))
    }

    pub(super) async fn has(&self, at: &RecordRef) -> Result<Output> {
        let record = self.read(at, self.bins_of_life()).await?;
        let stored = record
            .as_ref()
            .and_then(|record| self.layout.open(record, &at.key, now()));
        Ok(Output::Flag(stored.is_some()))
    }

    pub(super) async fn touch(&self, at: &RecordRef, expires: i64) -> Result<Output> {
        let bins = vec![self.layout.of_expires(expires)];
        let mut change = self.change((vec![], 0), bins, Precondition::default());
        let reply = self.apply(at, expires, &mut change).await?;
        Ok(Output::Flag(!matches!(reply, Reply::Missing)))
    }

    pub(super) async fn delete(&self, at: &RecordRef) -> Result<Output> {
        if self.options().tombstones {
            return Ok(Output::Flag(self.write_tombstone(at, None).await?));
        }
        let command = Command::Delete {
            reading: vec![
                Step::Read(EXPIRES.into()),
                Step::Read(CREATED.into()),
                Step::Read(self.options().bin.clone()),
                Step::Read(PREFIX.into()),
            ],
            durable: self.options().durable_delete,
            only_if: self.filters.of_this_view(),
        };
        let record = match self.execute(at, &command).await {
            Ok(Reply::Record(record)) => Some(record),
            Ok(_) => None,
            // A full server refuses what writes, and for that it takes this; a bare removal it does not refuse.
            Err(error) if error.code == Code::Overload => {
                let record = self.read(at, self.bins_of_life()).await?;
                self.erase(at, None).await?;
                record
            }
            // It is removed, and held what cannot be read.
            Err(error) if error.code == Code::BadData => return Ok(Output::Flag(true)),
            Err(error) => return Err(error),
        };
        let open = |record| self.layout.open(record, &at.key, now()).is_some();
        let existed = record.as_ref().is_some_and(open);
        Ok(Output::Flag(existed))
    }

    /// Removes the record, whatever is in it, if it is of this view and passes the filter. Whether there was one.
    pub(super) async fn erase(&self, at: &RecordRef, only_if: Option<&Expression>) -> Result<bool> {
        let command = Command::Delete {
            reading: vec![],
            durable: self.options().durable_delete,
            only_if: self.or_any_of_this_view(only_if),
        };
        let reply = self.execute(at, &command).await?;
        Ok(!matches!(reply, Reply::Missing))
    }

    /// Leaves a tombstone: an empty record that outlives the one it replaces, so that a cold
    /// restart of the Community Edition, which reads removed records from disk again, finds
    /// something newer. Only if it is of this view and passes the filter. Whether there was a session.
    pub(super) async fn write_tombstone(
        &self,
        at: &RecordRef,
        only_if: Option<&Expression>,
    ) -> Result<bool> {
        let record = match self.read(at, self.bins_of_life()).await {
            // What cannot be read is removed like any other.
            Err(error) if error.code == Code::BadData => self.read(at, Bins::None).await?,
            outcome => outcome?,
        };
        let Some(record) = record else {
            return Ok(false);
        };
        let existed = self.layout.open(&record, &at.key, now()).is_some();
        let mut bins = vec![Bin::new(self.options().bin.as_str(), Value::Int(0))];
        let emptied = [COOKIE, EXPIRES, CREATED, USER, LEGACY];
        bins.extend(emptied.map(|bin| Bin::new(bin, Value::Nil)));
        // An earlier version of the record may have had a longer life than the last one.
        let left = record.time_to_live().map(|left| left.as_millis() as i64);
        let outlives = left.map_or(i64::MAX, |left| left.max(self.options().ttl) + 60_000);
        let command = Command::Change {
            operations: vec![],
            size: 0,
            bins,
            ttl: match left {
                None => Expiration::Never,
                Some(_) => expiry::ttl(outlives, 0),
            },
            only_if: self.or_any_of_this_view(only_if),
            generation: None,
        };
        match self.execute(at, &command).await {
            // Rather removed without a tombstone than not at all.
            Err(error) if error.code == Code::Overload => {
                Ok(self.erase(at, only_if).await? && existed)
            }
            outcome => Ok(!matches!(outcome?, Reply::Missing) && existed),
        }
    }

    fn or_any_of_this_view(&self, filter: Option<&Expression>) -> Expression {
        filter.map_or_else(|| self.filters.of_this_view(), Clone::clone)
    }

    pub(super) async fn read(&self, at: &RecordRef, bins: Bins) -> Result<Option<Record>> {
        let touch = self.options().touch_on_read;
        match self.execute(at, &Command::Read { bins, touch }).await? {
            Reply::Record(record) => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    /// Waits for a turn to take a record apart, if it is large.
    pub(super) async fn turn_for(&self, record: Option<&Record>) {
        self.shared
            .turn(record.map_or(0, memory_size::of_record))
            .await;
    }

    pub(super) fn execute<'b>(
        &'b self,
        at: &'b RecordRef,
        command: &'b Command,
    ) -> impl Future<Output = Result<Reply>> + 'b {
        let cluster = &self.shared.cluster;
        cluster.execute(&at.key, command, at.terms())
    }

    /// What decides whether a session of this view goes on.
    pub(super) fn bins_of_life(&self) -> Bins {
        let bins = [EXPIRES, CREATED, PREFIX, self.options().bin.as_str()];
        Bins::Some(bins.map(String::from).to_vec())
    }

    /// The end that was asked for, or the end of the absolute TTL, if that comes first.
    pub(super) fn not_beyond(&self, expires: i64, created: Option<i64>) -> i64 {
        let created = created.unwrap_or_else(now);
        expiry::bounded(Some(expires), Some(created), self.options().absolute_ttl)
            .unwrap_or(expires)
    }

    /// Writes these bins. If a session goes on under this key, it stays the same session: its other bins are left as they are,
    /// its time of creation among them. Otherwise a new one begins, with nothing of what an earlier one may have left.
    ///
    /// # Errors
    ///
    /// [`Code::BadKey`] where the key is that of another view's record, which is left as it is.
    pub(super) async fn upsert(
        &self,
        at: &RecordRef,
        bins: Vec<Bin>,
        expires: i64,
    ) -> Result<Stored> {
        /// A session may begin or end between two commands: not again and again.
        const TRIES: usize = 3;
        let mut command = self.whole(bins);
        for _ in 0..TRIES {
            if let Some(stored) = self.write_whole(at, expires, &mut command).await? {
                return Ok(stored);
            }
            // There is a record, and no session of this view that goes on.
            let mut anew = self.anew(&command);
            if let Some(stored) = Box::pin(self.write_whole(at, expires, &mut anew)).await? {
                return Ok(stored);
            }
        }
        Err(Error::new(
            Code::BadKey,
            "this session id cannot be used: with option 'prefix' it makes the key of a session of another prefix",
        ))
    }

    /// Writes these bins if there is no record, or one of a session that goes on.
    fn whole(&self, bins: Vec<Bin>) -> Command {
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

    /// The same, if there is no record, or one of a session that has ended or been removed, or one of no view at all.
    fn anew(&self, whole: &Command) -> Command {
        let Command::Upsert { bins, send_key, .. } = whole else {
            return self.whole(Vec::new());
        };
        let now = now();
        let is_written = |bin: &&str| bins.iter().any(|written| written.name == **bin);
        let left = [COOKIE, USER, LEGACY, PREFIX]
            .into_iter()
            .filter(|bin| !is_written(bin));
        let emptied = left.map(|bin| Bin::new(bin, Value::Nil));
        Command::Upsert {
            operations: vec![
                Step::Put(self.layout.of_created(now)),
                Step::Read(CREATED.into()),
            ],
            bins: bins.iter().cloned().chain(emptied).collect(),
            ttl: Expiration::Never,
            send_key: *send_key,
            only_if: self.layout.is_free(now),
        }
    }

    /// `None`: the filter kept the write from the record.
    async fn write_whole(
        &self,
        at: &RecordRef,
        expires: i64,
        command: &mut Command,
    ) -> Result<Option<Stored>> {
        let reply = self.with_ttl(at, expires, command).await?;
        Ok(match reply {
            Reply::Record(record) => Some(Stored {
                created: record.bins.get(CREATED).and_then(integer),
                generation: record.generation,
            }),
            _ => None,
        })
    }

    /// Operations (of so many bytes) and bins for a session that goes on, and for no other.
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

    /// Runs a [`Sessions::change`] of a session that ends at `expires` then.
    pub(super) fn apply<'b>(
        &'b self,
        at: &'b RecordRef,
        expires: i64,
        change: &'b mut Command,
    ) -> impl Future<Output = Result<Reply>> + 'b {
        self.with_ttl(at, expires, change)
    }

    /// Runs a write with the TTL that `expires` asks for; where the namespace refuses TTLs, without one. The session still
    /// ends on time: bin `expires` says when. A TTL that the record may still have from earlier is taken away: if it were
    /// later than `expires`, it would count as a touch by somebody else, and if it were earlier, the server would end the
    /// session.
    ///
    /// The server gives the same answer to writes that it forbids for other reasons, some of which pass. So a refusal of TTLs
    /// is believed only once a write without one has succeeded, and another with one has been refused again.
    pub(super) async fn with_ttl(
        &self,
        at: &RecordRef,
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
        let outcome = self.execute(at, command).await;
        let may_be_the_ttl = |error: &Error| error.code == Code::Forbidden && !is_refused;
        if !outcome.as_ref().is_err_and(may_be_the_ttl) {
            if !is_refused && outcome.as_ref().is_ok_and(applied) {
                support.accept();
            }
            return outcome;
        }
        drop(outcome);
        command.set_ttl(Expiration::Never);
        let reply = Box::pin(self.execute(at, command)).await?;
        if !applied(&reply) {
            return Ok(reply);
        }
        Box::pin(self.prove_refusal(at, expires, ttl, reply)).await
    }

    /// After a write that succeeded without a TTL: gives the record its TTL after all, or finds out that TTLs are refused.
    async fn prove_refusal(
        &self,
        at: &RecordRef,
        expires: i64,
        ttl: Expiration,
        mut reply: Reply,
    ) -> Result<Reply> {
        // Nothing but the TTL, and only if nobody has written since.
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
            vec![self.layout.of_expires(expires)],
            precondition,
        );
        touch.set_ttl(ttl);
        match self.execute(at, &touch).await {
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
            // The write itself has succeeded. What is to be thought of TTLs the next one may find out.
            Ok(_) | Err(_) => {}
        }
        Ok(reply)
    }
}

/// What a whole write left in the record.
pub(super) struct Stored {
    pub created: Option<i64>,
    pub generation: u32,
}

/// The last integer that operations on a bin have answered.
fn integer(answer: &Value) -> Option<i64> {
    match answer {
        Value::Int(value) => Some(*value),
        Value::MultiResult(answers) => answers.iter().rev().find_map(integer),
        _ => None,
    }
}

/// Precondition session a change is meant for, beyond its key.
#[derive(Clone, Copy, Default)]
pub(super) struct Precondition {
    /// Not one that was made since, under the same id.
    pub created: Option<i64>,
    /// As it was at this generation.
    pub generation: Option<u32>,
}

fn applied(reply: &Reply) -> bool {
    matches!(reply, Reply::Record(_) | Reply::Done)
}
