//! What a set of a session that was stored before comes to: one update-only command where that will do, and a merge under a
//! generation check where it will not.

use std::collections::BTreeMap;
use std::time::Duration;

use aerospike::{Bin, Bins, Value};
use futures::future::BoxFuture;
use tokio::time::{sleep_until, Instant};

use super::baseline::{BaselineMeta, RecordFormat};
use super::bins::LEGACY;
use super::expiry::now;
use super::layout::{bad_session, unreadable};
use super::merge::{key_text, Diff, Session};
use super::plain_ops::Precondition;
use super::record_ref::RecordRef;
use super::request::Written;
use super::sessions::Sessions;
use crate::clock::noise;
use crate::cluster::{Command, Reply, Step, LARGEST_RECORD};
use crate::codec::encode::{self, Encoded};
use crate::codec::{keys, members, tree};
use crate::error::{Code, Error, Result};

/// Tries of a merge under a generation check, before it is given up as a conflict.
const TRIES: u32 = 32;

/// A set of a session that was stored before.
pub(super) struct Write<'a> {
    pub at: &'a RecordRef,
    pub diff: Diff<'a>,
    pub session: Session<'a>,
    pub expires: i64,
    pub base: BaselineMeta<'a>,
    /// That the record has then.
    pub form: RecordFormat,
    pub user: Option<Option<&'a str>>,
}

impl Write<'_> {
    fn precondition(&self) -> Precondition {
        Precondition {
            created: self.base.created,
            generation: None,
        }
    }

    /// `merged`: with what others wrote; then the session is no longer what the caller has, and
    /// its generation says nothing about that.
    fn done(&self, generation: u32, merged: bool) -> Written {
        let form = self.form;
        let generation = match merged {
            true => 0,
            false => form.known_generation(generation),
        };
        let head = BaselineMeta { form, ..self.base }.written(self.expires, generation);
        Written {
            head: Some(head.to_string()),
            conflict: merged.then(|| self.at.digest()),
            ..Written::default()
        }
    }

    fn gone(&self) -> Written {
        Written {
            gone: Some(self.at.digest()),
            ..Written::default()
        }
    }
}

impl Sessions<'_> {
    /// A session that was stored before, with changed data: by one command, in all but rare cases.
    pub(super) async fn update(&self, write: &Write<'_>) -> Result<Written> {
        if let Some(mut change) = self.updating(write)? {
            let reply = self.apply(write.at, write.expires, &mut change).await?;
            match reply {
                Reply::Record(record) => return Ok(write.done(record.generation, false)),
                // The data is no map by now (JSON, or what was left by a logout), or has changed.
                Reply::WrongType | Reply::Moved => {}
                Reply::Done | Reply::Missing => return Ok(write.gone()),
            }
        }
        self.rewrite(write).await
    }

    /// The command that updates a session, if what was known of it is still so. `None`: too little is known.
    fn updating(&self, write: &Write<'_>) -> Result<Option<Command>> {
        let (base, options) = (&write.base, self.options());
        if options.overwrite && !write.diff.keeps_data() {
            // Whatever is there, as long as the session is.
            return self.replacing(write, None).map(Some);
        }
        if base.form == RecordFormat::Map && !options.json {
            if let Some(operations) = self.merging(write)? {
                let bins = self.beside_the_data(write, base.form)?;
                return Ok(Some(self.change(operations, bins, write.precondition())));
            }
        }
        match base.generation {
            0 => Ok(None),
            known => self.replacing(write, Some(known)).map(Some),
        }
    }

    /// The changes as operations on the map, and about how many bytes they are. `None`: no map can hold them.
    fn merging(&self, write: &Write<'_>) -> Result<Option<(Vec<Step>, usize)>> {
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
                // The record may have both, and shows one of them.
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
            // JSON may take several bytes for one that is stored.
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

    /// The writer's whole data in the place of what is there, if that still has the generation.
    fn replacing(&self, write: &Write<'_>, generation: Option<u32>) -> Result<Command> {
        let mut bins = vec![self.layout.of_session(&write.at.key, &write.session)?];
        bins.extend(self.beside_the_data(write, write.base.form)?);
        let precondition = Precondition {
            generation,
            ..write.precondition()
        };
        Ok(self.change((vec![], 0), bins, precondition))
    }

    /// The whole data, under a generation check, merged with what the record holds by now.
    ///
    /// Boxed: it is rare, and many times as large as what is not.
    pub(super) fn rewrite<'a>(&'a self, write: &'a Write<'_>) -> BoxFuture<'a, Result<Written>> {
        Box::pin(async {
            let at = write.at;
            for attempt in 0..TRIES {
                let Some(record) = self.read(at, Bins::All).await? else {
                    return Ok(write.gone());
                };
                let theirs = match self.layout.open(&record, &at.key, now()) {
                    Some(stored) => self
                        .read_as(self.layout.data(&stored))?
                        .zip(self.layout.form(&stored)),
                    None => None,
                };
                let Some((theirs, form)) = theirs else {
                    return Ok(write.gone());
                };
                let merged = write.diff.apply(&theirs).map_err(unreadable)?;
                let mut bins = vec![self.layout.of_data(&at.key, &merged)?];
                bins.extend(self.beside_the_data(write, form)?);
                let precondition = Precondition {
                    generation: Some(record.generation),
                    ..write.precondition()
                };
                let mut change = self.change((vec![], 0), bins, precondition);
                match self.apply(at, write.expires, &mut change).await? {
                    Reply::Record(written) => {
                        let merged = record.generation != write.base.generation;
                        return Ok(write.done(written.generation, merged));
                    }
                    Reply::Moved => {}
                    _ => return Ok(write.gone()),
                }
                // Not beyond the deadline: then the next command fails at once.
                let until = Instant::now() + pause(attempt);
                sleep_until(until.min(at.deadline)).await;
            }
            let mut error = Error::new(
                Code::Conflict,
                format!(
                    "others wrote to the session faster than it could be merged, {TRIES} times"
                ),
            );
            error.retryable = true;
            Err(error)
        })
    }

    /// The bins that go with a change of the data of a record in this form.
    fn beside_the_data(&self, write: &Write<'_>, form: RecordFormat) -> Result<Vec<Bin>> {
        let (key, cookie) = (&write.at.key, write.session.cookie);
        let mut bins = vec![self.layout.of_expires(write.expires)];
        if write.base.form == RecordFormat::Legacy {
            // Upgraded: everything the old bin held has a bin of its own now.
            bins.push(self.layout.of_cookie(key, cookie)?);
            bins.push(
                self.layout
                    .of_created(write.base.created.unwrap_or_else(now)),
            );
            bins.push(Bin::new(LEGACY, Value::Nil));
        } else if form == RecordFormat::Outdated || write.diff.cookie.is_some() {
            bins.push(self.layout.of_cookie(key, cookie)?);
        }
        bins.extend(write.user.map(|user| self.layout.of_user(user)));
        Ok(bins)
    }
}

/// A little longer with each try, and never in step with others.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(u64::from(attempt.min(10) + noise(7)))
}
