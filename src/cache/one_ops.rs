//! The operations on one entry.

use aerospike::expressions::{and, cond, eq, int_bin, int_val, num_add};
use aerospike::{Bin, Bins, Expiration, Key, Value};

use super::entry::{COUNT, EXPIRES, Entry, LAST, Layout, PREFIX, VALUE, has_not_ended, is_counter};
use super::request::{Answer, CacheOp};
use crate::clock::now;
use crate::cluster::TtlSupport;
use crate::cluster::{CallOptions, Cluster, Command, Reply, Step};
use crate::error::{Code, Error, Result};
use crate::store::expiry::{self, is_integer};

/// The entries of one view.
pub struct Cache<'a> {
    pub cluster: &'a Cluster,
    pub layout: Layout<'a>,
    pub ttl: &'a TtlSupport,
    /// Called when the namespace begins to refuse TTLs.
    pub report_ttl_refused: &'a (dyn Fn() + Sync),
}

/// The record of one entry, and how its commands are run.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub key: &'a Key,
    pub options: &'a CallOptions,
}

impl Cache<'_> {
    /// Runs an operation on one entry.
    pub async fn run(&self, target: Target<'_>, op: &CacheOp) -> Result<Answer> {
        Ok(match op {
            CacheOp::Get => Answer::Value(self.get(target).await?),
            CacheOp::Has => Answer::Flag(self.has(target).await?),
            CacheOp::Set(entry) => {
                self.set(target, entry).await?;
                Answer::Done
            }
            CacheOp::Delete => Answer::Flag(self.delete(target).await?),
            CacheOp::Take => Answer::Value(self.take(target).await?),
            CacheOp::Increment { expires, token } => {
                Answer::Count(self.increment(target, *expires, *token).await?)
            }
        })
    }

    async fn get(&self, target: Target<'_>) -> Result<Option<String>> {
        let whole = Command::Read {
            bins: Bins::All,
            touch: None,
        };
        match self.execute(target, &whole).await? {
            Reply::Record(record) => self.layout.value(&record, target.key, now()),
            _ => Ok(None),
        }
    }

    async fn has(&self, target: Target<'_>) -> Result<bool> {
        let header = Command::Read {
            bins: Bins::Some([EXPIRES, PREFIX].map(String::from).to_vec()),
            touch: None,
        };
        Ok(match self.execute(target, &header).await? {
            Reply::Record(record) => self.layout.is_alive(&record, now()),
            _ => false,
        })
    }

    /// # Errors
    ///
    /// [`Code::BadKey`] if the record belongs to another view, which is left as it is.
    async fn set(&self, target: Target<'_>, entry: &Entry) -> Result<()> {
        let mut command = Command::Upsert {
            operations: vec![],
            bins: self.layout.bins(target.key, entry)?,
            ttl: Expiration::Never,
            send_key: false,
            only_if: self.layout.in_this_view(),
        };
        self.with_ttl(target, entry.expires, &mut command)
            .await
            .map(drop)
    }

    async fn delete(&self, target: Target<'_>) -> Result<bool> {
        let reading = vec![Step::Read(EXPIRES.into()), Step::Read(PREFIX.into())];
        match self.execute(target, &self.delete_command(reading)).await {
            Ok(Reply::Record(record)) => Ok(self.layout.is_alive(&record, now())),
            Ok(_) => Ok(false),
            // A full server refuses writes and takes this command for one. It does not refuse a bare delete.
            Err(error) if error.code == Code::Overload => {
                let existed = self.has(target).await?;
                let bare = self.delete_command(vec![]);
                self.execute(target, &bare).await?;
                Ok(existed)
            }
            Err(error) => Err(error),
        }
    }

    /// If the command was repeated because its first attempt was in doubt, it may find nothing: then the value was removed, and
    /// nobody gets it. So a value is never returned twice.
    async fn take(&self, target: Target<'_>) -> Result<Option<String>> {
        let bins = [VALUE, EXPIRES, COUNT, PREFIX];
        let reading = bins.map(|bin| Step::Read(bin.into())).to_vec();
        match self.execute(target, &self.delete_command(reading)).await? {
            Reply::Record(record) => self.layout.value(&record, target.key, now()),
            _ => Ok(None),
        }
    }

    /// Adds 1 to a counter, or begins a new one. `token`: see [`CacheOp`]. Never counts too little. If another process counts
    /// between two attempts of this command, it may count one too many.
    async fn increment(&self, target: Target<'_>, expires: i64, token: i64) -> Result<u64> {
        let now = now();
        let is_running = || and(vec![is_counter(), has_not_ended(now)]);
        let is_repeated = and(vec![
            is_running(),
            is_integer(LAST),
            eq(int_bin(LAST), int_val(token)),
        ]);
        let count = cond(vec![
            is_repeated,
            int_bin(COUNT),
            is_running(),
            num_add(vec![int_bin(COUNT), int_val(1)]),
            int_val(1),
        ]);
        let end = cond(vec![is_running(), int_bin(EXPIRES), int_val(expires)]);
        // Each step sees what the steps before it have written, so the count comes first: it depends on the old values of all bins.
        let mut bins = vec![
            Bin::new(LAST, Value::Int(token)),
            Bin::new(VALUE, Value::Nil),
        ];
        bins.extend(self.layout.prefix_bin());
        let mut command = Command::Upsert {
            operations: vec![
                Step::PutExpression(COUNT, count),
                // A counter that has just begun has no end yet, or one in the past.
                Step::PutExpression(EXPIRES, end),
                Step::Read(COUNT.into()),
            ],
            bins,
            ttl: Expiration::Never,
            send_key: false,
            only_if: self.layout.in_this_view(),
        };
        let reply = self.with_ttl(target, Some(expires), &mut command).await?;
        let Reply::Record(record) = reply else {
            return Err(Error::new(Code::Server, "the server returned no count"));
        };
        let count = record.bins.get(COUNT).and_then(last_integer);
        count
            .and_then(|count| u64::try_from(count).ok())
            .ok_or_else(|| Error::bad_data("the counter was not written by a cache"))
    }

    fn delete_command(&self, reading: Vec<Step>) -> Command {
        Command::Delete {
            reading,
            durable: self.layout.durable_delete,
            only_if: self.layout.in_this_view(),
        }
    }

    async fn execute(&self, target: Target<'_>, command: &Command) -> Result<Reply> {
        let outcome = self.cluster.execute(target.key, command, target.options);
        outcome.await.map_err(|mut error| {
            if error.code == Code::TooBig {
                "the value is larger than the server stores in one record"
                    .clone_into(&mut error.message);
            }
            error
        })
    }

    /// Runs a write with the TTL for `expires`. If the namespace refuses TTLs, runs it without one: bin `expires` still ends the
    /// entry on time. The server returns the same result code for writes that it forbids for other reasons. So a refusal of TTLs
    /// counts only if the write without a TTL has succeeded and the one with a TTL has been refused again.
    async fn with_ttl(
        &self,
        target: Target<'_>,
        expires: Option<i64>,
        command: &mut Command,
    ) -> Result<Reply> {
        let Some(expires) = expires else {
            return checked(self.execute(target, command).await?);
        };
        let is_refused = self.ttl.is_refused();
        let ttl = expiry::ttl(expires, now());
        if !is_refused {
            command.set_ttl(ttl);
        }
        let outcome = self.execute(target, command).await;
        let may_refuse_the_ttl = |error: &Error| error.code == Code::Forbidden && !is_refused;
        if !outcome.as_ref().is_err_and(may_refuse_the_ttl) {
            let reply = checked(outcome?)?;
            if !is_refused {
                self.ttl.accept();
            }
            return Ok(reply);
        }
        command.set_ttl(Expiration::Never);
        let reply = checked(Box::pin(self.execute(target, command)).await?)?;
        command.set_ttl(ttl);
        match Box::pin(self.execute(target, command)).await {
            Ok(_) => self.ttl.accept(),
            Err(error) if error.code == Code::Forbidden => {
                if self.ttl.refuse() {
                    (self.report_ttl_refused)();
                }
            }
            // The write itself has succeeded. The next one may find out whether TTLs are refused.
            Err(_) => {}
        }
        Ok(reply)
    }
}

/// Returns the reply to a write, unless the record belongs to another view.
fn checked(reply: Reply) -> Result<Reply> {
    match reply {
        Reply::Filtered => Err(Error::new(
            Code::BadKey,
            "this key cannot be used: an entry of another prefix is stored under it",
        )),
        reply => Ok(reply),
    }
}

/// Returns the last integer in the results of the operations on a bin.
fn last_integer(answer: &Value) -> Option<i64> {
    match answer {
        Value::Int(value) => Some(*value),
        Value::MultiResult(answers) => answers.iter().rev().find_map(last_integer),
        _ => None,
    }
}
