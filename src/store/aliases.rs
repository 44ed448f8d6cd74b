//! Aliases: the records that renewed session ids leave behind for a while (`renew_ops.rs`). Every operation that meets an
//! alias continues on the record that it leads to.
//!
//! No operation looks for aliases before it needs to, so that they cost nothing for other sessions. A read finds the alias in
//! place of the session. A write or a removal is refused by its own filter, because an alias is not a session that is alive.
//! Only a write that is refused for an existing record then reads that record.
//!
//! A session that was loaded through an alias has the digest of its record in its baseline. Its next write goes there directly.

use aerospike::expressions::Expression;
use aerospike::{Bins, Key, Record};

use super::bins::{ALIAS, EXPIRES, PREFIX};
use super::expiry::now;
use super::layout::Digest;
use super::record_ref::RecordRef;
use super::sessions::Sessions;
use crate::error::{Code, Error, Result};

/// The number of aliases that lead from one to the next. A session has more than one only if it is renewed several times
/// within the grace period. More of them are an error, never a session that seems to be gone: a logout would succeed, and
/// the session would go on. So aliases that lead in a circle end, too.
const MAX_HOPS: usize = 100;

/// The outcome of a removal.
pub(super) enum Removal {
    /// The record is gone. Whether there was one, or a session.
    Done(bool),
    /// The record does not pass the filter: it belongs to another view, or it is an alias.
    Refused,
}

/// The way of one operation from a record along aliases.
pub(super) struct Trail<'a> {
    origin: &'a RecordRef,
    at: Option<RecordRef>,
    hops: usize,
}

impl<'a> Trail<'a> {
    pub fn new(origin: &'a RecordRef) -> Trail<'a> {
        Trail {
            origin,
            at: None,
            hops: 0,
        }
    }

    /// Returns the record that was reached.
    pub fn record(&self) -> &RecordRef {
        self.at.as_ref().unwrap_or(self.origin)
    }

    /// Continues to another record. Fails after too many.
    fn go(&mut self, key: Key) -> Result<()> {
        if self.hops == MAX_HOPS {
            return Err(too_many_aliases());
        }
        self.absorb();
        self.hops += 1;
        self.at = Some(self.origin.to(key));
        Ok(())
    }

    fn absorb(&self) {
        if let Some(at) = &self.at {
            self.origin.absorb(at);
        }
    }
}

fn too_many_aliases() -> Error {
    Error::bad_data(format!(
        "the session id was renewed more than {MAX_HOPS} times within the grace period"
    ))
}

impl Drop for Trail<'_> {
    fn drop(&mut self) {
        self.absorb();
    }
}

impl Sessions<'_> {
    /// Reads where a record leads to, if it is an alias of this view that has not ended.
    pub(super) async fn alias_at(&self, target: &RecordRef) -> Result<Option<Digest>> {
        let bin = self.options().bin.as_str();
        let bins = [ALIAS, EXPIRES, PREFIX, bin].map(String::from).to_vec();
        let record = match self.read(target, Bins::Some(bins)).await {
            // No store has written it.
            Err(error) if error.code == Code::BadData => None,
            outcome => outcome?,
        };
        self.alias_in(record.as_ref(), &target.key)
    }

    /// Returns where a record that was read leads to, if it is an alias of this view that has not ended.
    pub(super) fn alias_in(&self, record: Option<&Record>, key: &Key) -> Result<Option<Digest>> {
        let alias = record.map(|record| self.layout.alias(record, key, now()));
        self.report_unreadable(alias.transpose().map(Option::flatten))
    }

    /// Continues a write that was refused. `alias`: where the last record leads to, if that is known. Returns `false` if it
    /// leads to no further record.
    pub(super) async fn follow(
        &self,
        trail: &mut Trail<'_>,
        alias: Option<Digest>,
    ) -> Result<bool> {
        let alias = match alias {
            Some(alias) => Some(alias),
            None => self.alias_at(trail.record()).await?,
        };
        match alias {
            Some(alias) => trail.go(self.layout.key_of(alias)).map(|()| true),
            None => Ok(false),
        }
    }

    /// Reads the record that an alias leads to. `bins` have to be those that make an alias visible.
    pub(super) async fn read_along(
        &self,
        target: &RecordRef,
        alias: Digest,
        bins: Bins,
    ) -> Result<Option<(Key, Record)>> {
        let mut trail = Trail::new(target);
        let mut alias = Some(alias);
        while let Some(digest) = alias {
            trail.go(self.layout.key_of(digest))?;
            let at = trail.record();
            let Some(record) = self.read(at, bins.clone()).await? else {
                break;
            };
            alias = self.alias_in(Some(&record), &at.key)?;
            if alias.is_none() {
                return Ok(Some((at.key.clone(), record)));
            }
        }
        Ok(None)
    }

    /// Removes a session through its alias, and then the aliases that lead to it. If this is interrupted, an alias is left
    /// that leads nowhere, but never the session. `only_if`: the session has to pass this filter, or nothing is removed.
    /// Returns whether there was a session.
    pub(super) async fn remove_along(
        &self,
        target: &RecordRef,
        only_if: Option<&Expression>,
    ) -> Result<bool> {
        let mut records: Vec<RecordRef> = Vec::new();
        loop {
            let at = records.last().unwrap_or(target);
            let Some(alias) = self.alias_at(at).await? else {
                break;
            };
            if records.len() == MAX_HOPS {
                return Err(too_many_aliases());
            }
            let at = target.to(self.layout.key_of(alias));
            let removal = match only_if {
                Some(only_if) => self.remove_if(&at, only_if).await,
                None => self.remove_session(&at).await,
            };
            target.absorb(&at);
            if let Removal::Done(existed) = removal? {
                // The session is removed. An alias that stays leads nowhere, and ends by itself.
                for alias in records.iter().rev().chain([target]) {
                    drop(self.remove_record(alias).await);
                }
                return Ok(existed);
            }
            records.push(at);
        }
        Ok(false)
    }

    /// Returns the digests of the records that a session id leads to, beginning with its own.
    pub(super) async fn digests_of(&self, target: &RecordRef) -> Result<Vec<Digest>> {
        let mut digests = vec![target.key.digest()];
        let mut trail = Trail::new(target);
        while self.follow(&mut trail, None).await? {
            digests.push(trail.record().key.digest());
        }
        Ok(digests)
    }
}
