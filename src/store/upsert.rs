//! Writes a whole session: keeps the session if it is alive, and begins a new one otherwise.

use aerospike::expressions::{Expression, and, or};
use aerospike::{Bin, Expiration, Key, Record, Value};

use super::aliases::Trail;
use super::bins::{ALIAS, COOKIE, CREATED, LEGACY, LOGIN, PREFIX, RENEWED, RENEWS, USER};
use super::expiry::now;
use super::record_ref::{Precondition, RecordRef};
use super::sessions::Sessions;
use crate::cluster::{Command, Reply, Step};
use crate::error::{Code, Error, Result};

impl Sessions<'_> {
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
