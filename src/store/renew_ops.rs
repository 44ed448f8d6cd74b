//! The renewal of a session id: the session gets a new id, and the old one leads to it for a while.
//!
//! 1. The session is written under the new id, with the creation time of the session. Bin `renews` names the old record.
//! 2. The old record becomes an alias (`aliases.rs`), if it has not changed since it was read. Otherwise the changes are
//!    merged, and both steps are repeated.
//!
//! Of several renewals at once, the one whose alias is written first wins. The others remove what they have written, and their
//! requests go on under the old id. A process that dies after the first step leaves the session under the old id. The record
//! that it has written is a copy whose id is known to none. It ends with the lifetime that the session had.
//!
//! Both writes have the same effect if they are applied twice. If it is in doubt whether the alias was written, the new
//! record stays: the old id works either way.

use std::collections::BTreeMap;

use aerospike::expressions::or;
use aerospike::{Bin, Bins, Expiration, Value};

use super::baseline::{Baseline, BaselineMeta, Origin, RecordFormat};
use super::baseline_text::parse_baseline;
use super::expiry::now;
use super::layout::{bad_session, unreadable};
use super::merge::Diff;
use super::record_ref::{Precondition, RecordRef};
use super::session_text::{Session, key_text};
use super::sessions::Sessions;
use super::update_ops::{ATTEMPTS, conflict, pause};
use crate::cluster::{Command, Reply};
use crate::codec::{keys, tree};
use crate::error::{Code, Error, Result};

/// What a renewal is asked to do.
pub(super) struct Renewal<'a> {
    /// The new session id.
    pub id: &'a str,
    /// The session as the request has it.
    pub json: &'a str,
    pub expires: i64,
    pub baseline: Option<&'a Baseline>,
    /// As for a set.
    pub user: Option<Option<&'a str>>,
    /// How long the old id leads to the session, in milliseconds.
    pub grace: i64,
}

/// The result of a renewal.
pub(super) enum Renewed {
    /// The session has the new id. Holds the meta of its baseline.
    Done(String),
    /// Another renewal was first. The session is reached through the old id, or through that renewal's new id.
    Lost,
    /// There is no such session any more, or none yet.
    Missing,
}

/// A session that is renewed.
struct Source<'a> {
    renewal: &'a Renewal<'a>,
    base: BaselineMeta<'a>,
    session: Session<'a>,
    diff: Diff<'a>,
}

/// What is written under the new id.
struct Copy {
    data: Bin,
    cookie: Bin,
    /// Bins that are copied as they are.
    others: Vec<Bin>,
    /// The generation of the old record that this is a copy of.
    generation: u32,
    /// Others have changed the session since the request loaded it.
    is_merged: bool,
}

/// The state of the old record.
enum Old {
    Copied(Copy),
    Renewed(Renewed),
}

impl Sessions<'_> {
    pub(super) async fn renew(&self, target: &RecordRef, renewal: &Renewal<'_>) -> Result<Renewed> {
        let mut session = Session::parse(renewal.json).map_err(bad_session)?;
        let Some((base, text)) = parse_baseline(target, renewal.baseline) else {
            return Ok(Renewed::Missing);
        };
        if !base.target.is_empty() {
            return Ok(Renewed::Lost);
        }
        let new = target.to(self.layout.key(renewal.id));
        if new.key.digest() == target.key.digest() {
            return Err(id_in_use());
        }
        let shows_id = !base.digest.is_empty() && self.options().store_ids;
        let diff = text.diff(&mut session, shows_id)?;
        let is_exact = base.generation > 0
            && text.notes.in_doubt.is_empty()
            && !shows_id
            && !base.has_more
            && base.keys.is_empty()
            && !(base.has_owner && renewal.user.is_none());
        let source = Source {
            renewal,
            base,
            session,
            diff,
        };
        let outcome = self.run_renewal(target, &new, &source, is_exact).await;
        target.absorb(&new);
        if matches!(outcome, Ok(Renewed::Done(_))) {
            let (old, new) = (target.key.digest(), new.key.digest());
            self.shared.watches.renewed(self.options(), &old, new);
        }
        outcome
    }

    async fn run_renewal(
        &self,
        target: &RecordRef,
        new: &RecordRef,
        source: &Source<'_>,
        is_exact: bool,
    ) -> Result<Renewed> {
        let mut exact = is_exact.then_some(source.base.generation);
        let mut is_written = false;
        for attempt in 0..ATTEMPTS {
            let old = match exact.take() {
                Some(generation) => Old::Copied(Copy {
                    data: self.layout.session_bin(&new.key, &source.session)?,
                    cookie: self.layout.cookie_bin(&new.key, source.session.cookie)?,
                    others: Vec::new(),
                    generation,
                    is_merged: false,
                }),
                None => self.copy_old(target, new, source).await?,
            };
            let copy = match old {
                Old::Copied(copy) => copy,
                Old::Renewed(done @ Renewed::Done(_)) => return Ok(done),
                Old::Renewed(without) => {
                    if is_written {
                        self.discard(new).await;
                    }
                    return Ok(without);
                }
            };
            let created = self.write_new(target, new, source, &copy).await;
            let generation = match created {
                Ok(generation) => generation,
                Err(error) => {
                    // The alias was not written.
                    if is_written && !new.failed(error.clone()).in_doubt {
                        self.discard(new).await;
                    }
                    return Err(error);
                }
            };
            is_written = true;
            match self.write_alias(target, new, source, copy.generation).await {
                Ok(true) => return Ok(Renewed::Done(self.renewed_meta(source, &copy, generation))),
                Ok(false) => pause(target, attempt).await,
                Err(error) => {
                    if !target.failed(error.clone()).in_doubt {
                        self.discard(new).await;
                    }
                    return Err(error);
                }
            }
        }
        self.discard(new).await;
        Err(conflict())
    }

    /// Reads the old record, and merges what the request has changed with it: also with `conflict: 'overwrite'`, because a
    /// renewal may come at the beginning of a request, which has not asked for a write yet.
    async fn copy_old(
        &self,
        target: &RecordRef,
        new: &RecordRef,
        source: &Source<'_>,
    ) -> Result<Old> {
        let Some(record) = self.read(target, Bins::All).await? else {
            return Ok(Old::Renewed(Renewed::Missing));
        };
        // An attempt to write the alias may have been applied so long ago that the alias has ended. The session is renewed.
        let written = self.layout.alias(&record, &target.key, i64::MIN);
        if self.report_unreadable(written)? == Some(new.key.digest()) {
            return Ok(Old::Renewed(Renewed::Done(self.meta_of(source, 0))));
        }
        if self.alias_in(Some(&record), &target.key)?.is_some() {
            return Ok(Old::Renewed(Renewed::Lost));
        }
        let base = &source.base;
        let stored = self.layout.open(&record, &target.key, now());
        let is_other = |created: Option<i64>| {
            created.is_some() && base.created.is_some() && created != base.created
        };
        let Some(stored) = stored.filter(|stored| !is_other(stored.created)) else {
            return Ok(Old::Renewed(Renewed::Missing));
        };
        let map = match self.own_format() {
            RecordFormat::Map => self.layout.map(&stored),
            _ => None,
        };
        let map = match map {
            Some(map) => merged_map(map, &source.diff)?,
            None => None,
        };
        let data = match map {
            Some(map) => Bin::new(self.options().bin.as_str(), map),
            None => {
                let Some(theirs) = self.report_unreadable(self.layout.data(&stored))? else {
                    return Ok(Old::Renewed(Renewed::Missing));
                };
                let merged = source.diff.apply(&theirs).map_err(unreadable)?;
                self.layout.data_bin(&new.key, &merged)?
            }
        };
        let cookie = match source.diff.cookie {
            Some(cookie) => self.layout.cookie_bin(&new.key, Some(cookie)),
            // Another request may have changed it.
            None => self.layout.copied_cookie(&stored, &new.key, now()),
        };
        Ok(Old::Copied(Copy {
            data,
            cookie: self.report_unreadable(cookie)?,
            others: self
                .layout
                .copied_bins(&stored, source.renewal.user.is_none()),
            generation: record.generation,
            is_merged: record.generation != base.generation,
        }))
    }

    /// Writes the session under its new id, if the id is free. Returns the generation of the new record.
    async fn write_new(
        &self,
        target: &RecordRef,
        new: &RecordRef,
        source: &Source<'_>,
        copy: &Copy,
    ) -> Result<u32> {
        let now = now();
        let renews = target.key.digest();
        let expires = self.new_expires(source);
        let mut bins = vec![
            copy.data.clone(),
            copy.cookie.clone(),
            self.layout.expires_bin(expires),
            self.layout.created_bin(source.base.created.unwrap_or(now)),
        ];
        bins.extend(self.layout.renewal_bins(renews, now));
        bins.extend(self.layout.prefix_bin());
        bins.extend(source.renewal.user.map(|user| self.layout.user_bin(user)));
        bins.extend(copy.others.iter().cloned());
        let own = self.layout.is_renewal_of(renews);
        let mut command = Command::Upsert {
            operations: vec![],
            bins,
            ttl: Expiration::Never,
            send_key: self.options().store_ids,
            only_if: or(vec![own, self.layout.is_free(now)]),
        };
        match self.with_ttl(new, expires, &mut command).await? {
            Reply::Record(record) => Ok(record.generation),
            _ => Err(id_in_use()),
        }
    }

    /// Makes the old record an alias of the new one, if it still has this generation. Returns whether it did.
    async fn write_alias(
        &self,
        target: &RecordRef,
        new: &RecordRef,
        source: &Source<'_>,
        generation: u32,
    ) -> Result<bool> {
        let now = now();
        let ends = now.saturating_add(source.renewal.grace);
        let bins = self
            .layout
            .alias_bins(&target.key, new.key.digest(), ends)?;
        let precondition = Precondition {
            created: source.base.created,
            generation: Some(generation),
        };
        let mut change = self.change((vec![], 0), bins, precondition);
        let until = match self.options().tombstones {
            // After the grace period it is a tombstone, which has to outlive the removed record.
            true => {
                let latest = source.base.expires.unwrap_or(i64::MAX);
                latest
                    .max(now.saturating_add(self.options().ttl))
                    .saturating_add(60_000)
                    .max(ends)
            }
            // The record has to be there as long as this operation may look whether an attempt was applied. The server counts
            // whole seconds, so a record may live almost a second less than its TTL.
            false => {
                let timeout = self.shared.cluster.timeout().as_millis();
                let looks_until = now.saturating_add(i64::try_from(timeout).unwrap_or(i64::MAX));
                ends.max(looks_until).saturating_add(1_000)
            }
        };
        let reply = self.with_ttl(target, until, &mut change).await?;
        Ok(matches!(reply, Reply::Record(_) | Reply::Done))
    }

    /// Removes the new record of a renewal that has failed. If that fails too, the record ends by itself.
    async fn discard(&self, new: &RecordRef) {
        drop(self.remove_record(new).await);
    }

    fn new_expires(&self, source: &Source<'_>) -> i64 {
        self.bounded_expires(source.renewal.expires, source.base.created)
    }

    fn renewed_meta(&self, source: &Source<'_>, copy: &Copy, generation: u32) -> String {
        let known = if copy.is_merged { 0 } else { generation };
        self.meta_of(source, known)
    }

    /// Returns the meta of the baseline under the new id. `generation`: 0 if the record may hold more than the request has.
    fn meta_of(&self, source: &Source<'_>, generation: u32) -> String {
        let Source { base, renewal, .. } = source;
        let meta = BaselineMeta {
            origin: Origin::Written,
            format: self.own_format(),
            expires: Some(self.new_expires(source)),
            generation,
            digest: "",
            renewed: Some(now()),
            has_owner: match renewal.user {
                Some(user) => user.is_some(),
                None => base.has_owner,
            },
            owner: match renewal.user {
                Some(_) => self.owner_mark(renewal.user),
                None => base.owner,
            },
            ..*base
        };
        meta.to_string()
    }
}

/// Returns the map of a record with these changes. Values that did not change stay as they are, whatever their types.
/// `None`: no map can hold the changes.
fn merged_map(map: &Value, diff: &Diff<'_>) -> Result<Option<Value>> {
    let other_keys = keys::non_string_keys(map);
    let mut merged: BTreeMap<Value, Value> = match map {
        Value::SortedMap(map) => map.clone(),
        Value::OrderedMap(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        _ => return Ok(None),
    };
    for key in &diff.removed {
        let Some(key) = key_text(key) else {
            return Ok(None);
        };
        if let Some(key) = keys::shown_as(&other_keys, key) {
            merged.remove(&key);
        }
        merged.remove(&Value::String(key.to_owned()));
    }
    for member in &diff.changed {
        let value = tree::value(member.value, 2).map_err(bad_session)?;
        let (Some(key), Some(value)) = (key_text(&member.key), value) else {
            return Ok(None);
        };
        let text = Value::String(key.to_owned());
        match keys::shown_as(&other_keys, key) {
            Some(key) => {
                merged.remove(&text);
                merged.insert(key, value);
            }
            None => drop(merged.insert(text, value)),
        }
    }
    Ok(Some(Value::SortedMap(merged)))
}

fn id_in_use() -> Error {
    Error::new(
        Code::BadKey,
        "the new session id is in use: a session cannot be renewed with an id that 'genid' returns again",
    )
}
