//! A set of a session that was stored before: one update-only command if possible, otherwise a merge under a
//! generation check.

use std::collections::BTreeMap;
use std::time::Duration;

use aerospike::{Bin, Bins, Value};
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use super::baseline::{BaselineMeta, RecordFormat};
use super::bins::LEGACY;
use super::expiry::now;
use super::layout::{bad_session, unreadable};
use super::merge::{Diff, Session, key_text};
use super::plain_ops::Precondition;
use super::record_ref::RecordRef;
use super::request::Written;
use super::sessions::Sessions;
use crate::clock::noise;
use crate::cluster::{Command, LARGEST_RECORD, Reply, Step};
use crate::codec::encode::{self, Encoded};
use crate::codec::{keys, members, tree};
use crate::error::{Code, Error, Result};

/// The number of attempts to merge under a generation check. Then the set fails with `CONFLICT`.
const ATTEMPTS: u32 = 32;

/// A set of a session that was stored before.
pub(super) struct Write<'a> {
    pub target: &'a RecordRef,
    pub diff: Diff<'a>,
    pub session: Session<'a>,
    pub expires: i64,
    pub base: BaselineMeta<'a>,
    /// The format of the record after the write.
    pub format: RecordFormat,
    pub user: Option<Option<&'a str>>,
}

impl Write<'_> {
    fn precondition(&self) -> Precondition {
        Precondition {
            created: self.base.created,
            generation: None,
        }
    }

    /// Returns the result of a successful write. `merged`: the data was merged with changes of others. Then it
    /// differs from what the caller has, and its generation cannot be used for the next write. `owner`: the hash of the
    /// owner that was written.
    fn done(&self, generation: u32, merged: bool, owner: Option<u64>) -> Written {
        let format = self.format;
        let generation = match merged {
            true => 0,
            false => format.known_generation(generation),
        };
        let meta = BaselineMeta {
            format,
            owner: match self.user {
                Some(_) => owner,
                None => self.base.owner,
            },
            ..self.base
        }
        .written(self.expires, generation);
        Written {
            meta: Some(meta.to_string()),
            conflict: merged.then(|| self.target.digest()),
            ..Written::default()
        }
    }

    fn gone(&self) -> Written {
        Written {
            gone: Some(self.target.digest()),
            ..Written::default()
        }
    }
}

impl Sessions<'_> {
    /// Writes the changed data of a session that was stored before, with one command except in rare cases.
    pub(super) async fn update(&self, write: &Write<'_>) -> Result<Written> {
        let owner = self.owner_mark(write.user);
        if let Some(mut change) = self.update_command(write)? {
            let reply = self.apply(write.target, write.expires, &mut change).await?;
            match reply {
                Reply::Record(record) => return Ok(write.done(record.generation, false, owner)),
                // The data is no longer a map (JSON, or a tombstone), or has changed.
                Reply::WrongType | Reply::Moved => {}
                Reply::Done | Reply::Missing => return Ok(write.gone()),
            }
        }
        self.rewrite(write).await
    }

    /// Returns the command that updates a session if its record has not changed in an incompatible way. `None`: too
    /// little is known about the record.
    fn update_command(&self, write: &Write<'_>) -> Result<Option<Command>> {
        let (base, options) = (&write.base, self.options());
        if options.overwrite && !write.diff.keeps_data() {
            // Whatever the record holds, as long as the session is alive.
            return self.overwrite_command(write, None).map(Some);
        }
        if base.format == RecordFormat::Map
            && !options.json
            && let Some(operations) = self.merge_operations(write)?
        {
            let bins = self.other_bins(write, base.format)?;
            return Ok(Some(self.change(operations, bins, write.precondition())));
        }
        match base.generation {
            0 => Ok(None),
            known => self.overwrite_command(write, Some(known)).map(Some),
        }
    }

    /// Returns the changes as operations on the map, and their approximate size in bytes. `None`: no map can hold
    /// them.
    fn merge_operations(&self, write: &Write<'_>) -> Result<Option<(Vec<Step>, usize)>> {
        let bin = &self.options().bin;
        let mut operations = Vec::with_capacity(2);
        let mut removed = Vec::with_capacity(write.diff.removed.len());
        for key in &write.diff.removed {
            let Some(key) = key_text(key) else {
                return Ok(None);
            };
            removed.extend(keys::shown_as(write.base.keys, key));
            removed.push(Value::String(key.to_owned()));
        }
        let mut changed = BTreeMap::new();
        let mut size = 0;
        for member in &write.diff.changed {
            let value = tree::value(member.value, 2).map_err(bad_session)?;
            let (Some(key), Some(value)) = (key_text(&member.key), value) else {
                return Ok(None);
            };
            let text = Value::String(key.to_owned());
            let key = match keys::shown_as(write.base.keys, key) {
                // The record may have both keys, and JSON shows only one of them.
                Some(key) => {
                    removed.push(text);
                    key
                }
                None => text,
            };
            changed.insert(key, value);
            size += member.whole.len();
        }
        if !removed.is_empty() {
            operations.push(Step::RemoveKeys(bin.clone(), removed));
        }
        if size > LARGEST_RECORD {
            // JSON may need several bytes for one stored byte.
            size = match encode::object(&members::join(&write.diff.changed)).map_err(bad_session)? {
                Encoded::Map(packed) => packed.len(),
                Encoded::OnlyJson => size,
            };
        }
        if !changed.is_empty() {
            operations.push(Step::PutEntries(bin.clone(), changed));
        }
        Ok(Some((operations, size)))
    }

    /// Returns the command that replaces the data with the writer's whole data, if the record still has the
    /// generation.
    fn overwrite_command(&self, write: &Write<'_>, generation: Option<u32>) -> Result<Command> {
        let mut bins = vec![self.layout.session_bin(&write.target.key, &write.session)?];
        bins.extend(self.other_bins(write, write.base.format)?);
        let precondition = Precondition {
            generation,
            ..write.precondition()
        };
        Ok(self.change((vec![], 0), bins, precondition))
    }

    /// Writes the whole data under a generation check, merged with what the record holds by now.
    ///
    /// Boxed: this is rare, and its future is much larger than the others.
    pub(super) fn rewrite<'a>(&'a self, write: &'a Write<'_>) -> BoxFuture<'a, Result<Written>> {
        Box::pin(async {
            let target = write.target;
            let owner = self.owner_mark(write.user);
            for attempt in 0..ATTEMPTS {
                let Some(record) = self.read(target, Bins::All).await? else {
                    return Ok(write.gone());
                };
                let theirs = match self.layout.open(&record, &target.key, now()) {
                    Some(stored) => self
                        .report_unreadable(self.layout.data(&stored))?
                        .zip(self.layout.format(&stored)),
                    None => None,
                };
                let Some((theirs, format)) = theirs else {
                    return Ok(write.gone());
                };
                let merged = write.diff.apply(&theirs).map_err(unreadable)?;
                let mut bins = vec![self.layout.data_bin(&target.key, &merged)?];
                bins.extend(self.other_bins(write, format)?);
                let precondition = Precondition {
                    generation: Some(record.generation),
                    ..write.precondition()
                };
                let mut change = self.change((vec![], 0), bins, precondition);
                match self.apply(target, write.expires, &mut change).await? {
                    Reply::Record(written) => {
                        let merged = record.generation != write.base.generation;
                        return Ok(write.done(written.generation, merged, owner));
                    }
                    Reply::Moved => {}
                    _ => return Ok(write.gone()),
                }
                // Not longer than until the deadline. After it the next command fails at once.
                let until = Instant::now() + pause(attempt);
                sleep_until(until.min(target.deadline)).await;
            }
            let mut error = Error::new(
                Code::Conflict,
                format!(
                    "others wrote to the session faster than it could be merged, {ATTEMPTS} times"
                ),
            );
            error.retryable = true;
            Err(error)
        })
    }

    /// Returns the other bins of a write that changes the data of a record in this format.
    fn other_bins(&self, write: &Write<'_>, format: RecordFormat) -> Result<Vec<Bin>> {
        let (key, cookie) = (&write.target.key, write.session.cookie);
        let mut bins = vec![self.layout.expires_bin(write.expires)];
        if write.base.format == RecordFormat::Legacy {
            // The record is upgraded: everything in the old bin has a bin of its own now.
            bins.push(self.layout.cookie_bin(key, cookie)?);
            bins.push(
                self.layout
                    .created_bin(write.base.created.unwrap_or_else(now)),
            );
            bins.push(Bin::new(LEGACY, Value::Nil));
        } else if format == RecordFormat::Outdated || write.diff.cookie.is_some() {
            bins.push(self.layout.cookie_bin(key, cookie)?);
        }
        bins.extend(write.user.map(|user| self.layout.user_bin(user)));
        Ok(bins)
    }
}

/// Returns the pause before the next attempt: longer each time, with jitter.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(u64::from(attempt.min(10) + noise(7)))
}
