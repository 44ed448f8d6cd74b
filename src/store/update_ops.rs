//! A set or touch of a session that was stored before: one update-only command if possible, otherwise a merge under a
//! generation check. Through an alias it is the same on the record that the alias leads to.

use std::collections::BTreeMap;
use std::time::Duration;

use aerospike::{Bin, Bins, Value};
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use super::aliases::Trail;
use super::baseline::{BaselineMeta, RecordFormat};
use super::bins::LEGACY;
use super::expiry::now;
use super::layout::{Digest, bad_session, unreadable};
use super::merge::Diff;
use super::record_ref::{Precondition, RecordRef, digest_of_text};
use super::request::Written;
use super::session_text::{Session, key_text};
use super::sessions::Sessions;
use crate::clock::noise;
use crate::cluster::{Command, LARGEST_RECORD, Reply, Step};
use crate::codec::encode::{self, Encoded};
use crate::codec::{keys, members, tree};
use crate::error::{Code, Error, Result};

/// The number of attempts to merge under a generation check. Then the set fails with `CONFLICT`.
pub(super) const ATTEMPTS: u32 = 32;

/// A set or touch of a session that was stored before.
pub(super) struct Update<'a> {
    pub diff: Diff<'a>,
    pub session: Session<'a>,
    pub expires: i64,
    /// `None`: nothing is known about the record. Only the end of the session is written, and the cookie of `diff`.
    pub base: Option<BaselineMeta<'a>>,
    pub user: Option<Option<&'a str>>,
    /// Its session has no data: if the record needs another format, its data is the one in the record.
    pub is_touch: bool,
}

impl<'a> Update<'a> {
    /// Returns a touch that changes nothing else.
    pub fn touch(cookie: Option<&'a str>, expires: i64) -> Update<'a> {
        Update {
            diff: Diff {
                changed: Vec::new(),
                removed: Vec::new(),
                cookie,
            },
            session: Session {
                data: Vec::new(),
                cookie,
            },
            expires,
            base: None,
            user: None,
            is_touch: true,
        }
    }

    /// Returns whether no data would be lost with it.
    pub fn changes_nothing(&self) -> bool {
        let is_outdated = self.base.is_some_and(|base| base.format.is_outdated());
        self.diff.keeps_data() && !is_outdated
    }
}

/// The result of an update.
pub(super) enum Updated {
    Written(Written),
    /// The session is gone. Holds the digest of its record.
    Gone(String),
}

/// The result of an update of one record.
pub(super) enum Attempt {
    Written(Written),
    Gone,
    /// The record exists, but holds no session that can be updated. It may be an alias. `Some`: where it leads to.
    Refused(Option<Digest>),
}

/// An update of the data in one record.
pub(super) struct Write<'a> {
    pub target: &'a RecordRef,
    pub diff: &'a Diff<'a>,
    pub session: &'a Session<'a>,
    pub expires: i64,
    pub base: &'a BaselineMeta<'a>,
    /// The format of the record after the write.
    pub format: RecordFormat,
    pub user: Option<Option<&'a str>>,
    /// The hash of the owner after the write, see [`BaselineMeta::owner`].
    pub owner: Option<u64>,
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
    fn done(&self, generation: u32, merged: bool) -> Written {
        let format = self.format;
        let generation = match format {
            _ if merged => 0,
            // A change of a map leaves what others wrote, and does not return it.
            RecordFormat::Map => self.base.next_generation(generation),
            _ => generation,
        };
        let meta = BaselineMeta {
            format,
            owner: self.owner,
            ..*self.base
        }
        .written(self.expires, generation);
        Written {
            meta: Some(meta.to_string()),
            conflict: merged.then(|| self.target.digest()),
            ..Written::default()
        }
    }
}

impl Sessions<'_> {
    /// Updates a session, with one command except in rare cases.
    pub(super) async fn update(&self, target: &RecordRef, update: &Update<'_>) -> Result<Updated> {
        let alias = update.base.and_then(|base| digest_of_text(base.target));
        if alias.is_none() {
            match self.attempt(target, update, update.base.as_ref()).await? {
                Attempt::Written(written) => return Ok(Updated::Written(written)),
                Attempt::Gone => return Ok(Updated::Gone(target.digest())),
                Attempt::Refused(alias) => {
                    return Box::pin(self.update_along(target, update, alias, None)).await;
                }
            }
        }
        Box::pin(self.update_along(target, update, alias, update.base)).await
    }

    /// Updates a session through an alias. `alias`: where it leads to, if that is known. `base`: the baseline, if it is that of
    /// this record.
    async fn update_along(
        &self,
        target: &RecordRef,
        update: &Update<'_>,
        mut alias: Option<Digest>,
        mut base: Option<BaselineMeta<'_>>,
    ) -> Result<Updated> {
        let mut trail = Trail::new(target);
        while self.follow(&mut trail, alias).await? {
            let at = trail.record();
            let digest = at.digest();
            // The generation of another record says nothing about this one, which was written in the current format.
            let unknown = update.base.map(|base| BaselineMeta {
                generation: 0,
                format: self.format_after(base.format),
                ..base
            });
            let base = base.take().or(unknown).map(|base| BaselineMeta {
                target: &digest,
                ..base
            });
            match self.attempt(at, update, base.as_ref()).await? {
                Attempt::Written(written) => return Ok(Updated::Written(written)),
                Attempt::Gone => break,
                Attempt::Refused(next) => alias = next,
            }
        }
        Ok(Updated::Gone(trail.record().digest()))
    }

    async fn attempt(
        &self,
        target: &RecordRef,
        update: &Update<'_>,
        base: Option<&BaselineMeta<'_>>,
    ) -> Result<Attempt> {
        let Update {
            diff,
            session,
            expires,
            user,
            is_touch,
            ..
        } = update;
        let base = match base {
            Some(base) if !diff.keeps_data() || base.needs_rewrite(*is_touch) => base,
            base => return self.extend(target, diff.cookie, *expires, base).await,
        };
        let write = Write {
            target,
            diff,
            session,
            expires: *expires,
            base,
            format: self.format_after(base.format),
            user: *user,
            owner: match user {
                Some(_) => self.owner_mark(*user),
                None => base.owner,
            },
        };
        match is_touch {
            true => self.rewrite(&write).await,
            false => self.write(&write).await,
        }
    }

    /// Returns the format of a record after its data was written.
    fn format_after(&self, before: RecordFormat) -> RecordFormat {
        match before.is_outdated() {
            true => self.own_format(),
            false => before,
        }
    }

    /// Writes the changed data of a session that was stored before.
    async fn write(&self, write: &Write<'_>) -> Result<Attempt> {
        if let Some(mut change) = self.update_command(write)? {
            let reply = self.apply(write.target, write.expires, &mut change).await?;
            match reply {
                Reply::Record(record) => {
                    return Ok(Attempt::Written(write.done(record.generation, false)));
                }
                // The data is no longer a map (JSON, or a tombstone), or has changed.
                Reply::WrongType | Reply::Moved => {}
                Reply::Filtered => return Ok(Attempt::Refused(None)),
                Reply::Done | Reply::Missing => return Ok(Attempt::Gone),
            }
        }
        self.rewrite(write).await
    }

    /// Returns the command that updates a session if its record has not changed in an incompatible way. `None`: too
    /// little is known about the record.
    fn update_command(&self, write: &Write<'_>) -> Result<Option<Command>> {
        let (base, options) = (write.base, self.options());
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
        let mut bins = vec![self.layout.session_bin(&write.target.key, write.session)?];
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
    fn rewrite<'a>(&'a self, write: &'a Write<'_>) -> BoxFuture<'a, Result<Attempt>> {
        Box::pin(async {
            let target = write.target;
            for attempt in 0..ATTEMPTS {
                let Some(record) = self.read(target, Bins::All).await? else {
                    return Ok(Attempt::Gone);
                };
                let theirs = match self.layout.open(&record, &target.key, now()) {
                    Some(stored) => self
                        .report_unreadable(self.layout.data(&stored))?
                        .zip(self.layout.format(&stored)),
                    None => None,
                };
                let Some((theirs, format)) = theirs else {
                    let alias = self.alias_in(Some(&record), &target.key)?;
                    return Ok(alias.map_or(Attempt::Gone, |alias| Attempt::Refused(Some(alias))));
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
                        return Ok(Attempt::Written(write.done(written.generation, merged)));
                    }
                    Reply::Moved => {}
                    Reply::Filtered => return Ok(Attempt::Refused(None)),
                    _ => return Ok(Attempt::Gone),
                }
                pause(target, attempt).await;
            }
            Err(conflict())
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

/// Waits before the next attempt: longer each time, with jitter. Not longer than until the deadline, after which the next
/// command fails at once.
pub(super) async fn pause(target: &RecordRef, attempt: u32) {
    let pause = Duration::from_millis(u64::from(attempt.min(10) + noise(7)));
    sleep_until((Instant::now() + pause).min(target.options.deadline)).await;
}

/// Returns the error after the last attempt.
pub(super) fn conflict() -> Error {
    let mut error = Error::new(
        Code::Conflict,
        format!("others wrote to the session faster than it could be merged, {ATTEMPTS} times"),
    );
    error.retryable = true;
    error
}
