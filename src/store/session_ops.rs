//! The operations of express-session. No update is lost, and a removed session stays removed. See docs/semantics.md.
//!
//! | a set of | is |
//! |---|---|
//! | a new session, or one without a baseline | a write of all its bins; a session that is alive keeps its creation time |
//! | a loaded session, stored as a map | ONE update-only `operate`: removes deleted keys, puts changed keys |
//! | a loaded session, stored as JSON or encrypted | a write of the whole data under a generation check; on a mismatch it reads, merges and tries again |
//! | a loaded session, nothing changed | a touch, or, right after a write, nothing |
//!
//! A record that is gone meanwhile (logout, expiry) stays gone. The set succeeds, and its result reports that.
//!
//! The next write rewrites a record in an outdated format (not encrypted yet, or with an older key) completely, under
//! the same check, even if nothing changed.

use std::sync::atomic::Ordering;

use aerospike::expressions::{Expression, and};
use aerospike::{Bin, Bins, Key, Record, Value};

use super::aliases::Removal;
use super::baseline::{Baseline, BaselineMeta, InDoubtWrite, Origin, RecordFormat};
use super::baseline_text::parse_baseline;
use super::bins::LEGACY;
use super::cookie::same_cookie;
use super::expiry::{self, now};
use super::layout::bad_session;
use super::merge::Diff;
use super::notice::Notice;
use super::record_ref::{Precondition, RecordRef};
use super::request::{Output, Written};
use super::session_text::Session;
use super::sessions::Sessions;
use super::update_ops::{Attempt, Update, Updated};
use super::user_ops::owned_by;
use crate::cluster::Reply;
use crate::codec::keys::hex;
use crate::error::Result;

/// A set or touch by the same request right after a write moves the end of the session only slightly. It is skipped
/// if it moves the end by less than this, and by less than a twentieth of the lifetime.
const NEGLIGIBLE_MS: i64 = 1_000;
/// The size in bytes that the text of most sessions does not exceed.
const USUAL_LENGTH: usize = 1_024;

impl Sessions<'_> {
    /// Returns the baseline of the session: its meta and its JSON.
    pub(super) async fn load(&self, target: &RecordRef) -> Result<Output> {
        let Some(record) = self.read(target, Bins::All).await? else {
            return Ok(Output::Missing);
        };
        match self.alias_in(Some(&record), &target.key)? {
            None => self.loaded(&record, &target.key, "").await,
            Some(alias) => {
                let found = Box::pin(self.read_along(target, alias, Bins::All)).await?;
                match &found {
                    Some((key, record)) => {
                        Box::pin(self.loaded(record, key, &hex(&key.digest()))).await
                    }
                    None => Ok(Output::Missing),
                }
            }
        }
    }

    /// Returns the baseline of the session in a record. `alias_target`: see [`BaselineMeta::target`].
    async fn loaded(&self, record: &Record, key: &Key, alias_target: &str) -> Result<Output> {
        self.wait_turn_for(Some(record)).await;
        let now = now();
        let Some(stored) = self.layout.open(record, key, now) else {
            return Ok(Output::Missing);
        };
        let Some(meta) = self.layout.meta(&stored, alias_target) else {
            return Ok(Output::Missing);
        };
        let mut json = String::with_capacity(USUAL_LENGTH);
        self.report_unreadable(self.layout.session(&mut json, &stored, now, None))?;
        Ok(Output::Loaded(Baseline {
            meta,
            json,
            notes: String::new(),
        }))
    }

    pub(super) async fn destroy(&self, target: &RecordRef) -> Result<Output> {
        let only_if = Some(self.filters.is_removable(self.layout, now()));
        let removal = match self.options().tombstones {
            true => Box::pin(self.write_tombstone(target, only_if.as_ref())).await?,
            false => self.erase(target, only_if.as_ref()).await?,
        };
        if matches!(removal, Removal::Refused) {
            Box::pin(self.remove_along(target, None)).await?;
        }
        Ok(Output::Done)
    }

    /// Removes the session if it belongs to this user. Returns whether there was one.
    pub(super) async fn destroy_of_user(
        &self,
        target: &RecordRef,
        of: Option<&str>,
    ) -> Result<Output> {
        let is_alive = self.filters.same_and_alive(self.layout, None, now());
        let only_if = match of {
            Some(user) => and(vec![is_alive, owned_by(&self.layout.owner(user))]),
            None => is_alive,
        };
        Ok(Output::Flag(
            match self.remove_if(target, &only_if).await? {
                Removal::Done(existed) => existed,
                // A page that was made before a renewal has the digest of the old id.
                Removal::Refused => Box::pin(self.remove_along(target, Some(&only_if))).await?,
            },
        ))
    }

    /// Removes the session if its record passes the filter.
    pub(super) async fn remove_if(
        &self,
        target: &RecordRef,
        only_if: &Expression,
    ) -> Result<Removal> {
        match self.options().tombstones {
            true => Box::pin(self.write_tombstone(target, Some(only_if))).await,
            false => self.erase(target, Some(only_if)).await,
        }
    }

    /// Touches the session. Returns the meta and the notes of the next baseline.
    pub(super) async fn refresh(
        &self,
        target: &RecordRef,
        cookie: Option<&str>,
        expires: i64,
        baseline: Option<&Baseline>,
    ) -> Result<Touched> {
        let Some((touch, notes)) = self.prepare_touch(target, cookie, expires, baseline)? else {
            return Ok(Touched::default());
        };
        // A touch reports neither that the session is gone nor that others wrote it.
        let meta = match self.update(target, &touch).await? {
            Updated::Written(written) => written.meta,
            Updated::Gone(_) => None,
        };
        Ok(Touched { meta, notes })
    }

    /// Finds out what a touch has to write. Also returns the notes of the next baseline. `None`: nothing has to be written.
    fn prepare_touch<'t>(
        &self,
        target: &RecordRef,
        cookie: Option<&'t str>,
        expires: i64,
        baseline: Option<&'t Baseline>,
    ) -> Result<Option<(Update<'t>, String)>> {
        let Some((base, text)) = parse_baseline(target, baseline) else {
            return Ok(Some((Update::touch(cookie, expires), String::new())));
        };
        let before = text.cookie()?;
        let is_new = |stored: Option<&str>, cookie: &str| {
            stored.is_none_or(|stored| !same_cookie(stored, cookie))
        };
        let mut changed = cookie.filter(|cookie| is_new(before, cookie));
        for write in &text.notes.in_doubt {
            let stored = match write {
                InDoubtWrite::Set(json) => Session::parse(json).map_err(bad_session)?.cookie,
                InDoubtWrite::Touch(cookie) => *cookie,
            };
            changed = changed.or(cookie.filter(|cookie| is_new(stored, cookie)));
        }
        // A write in doubt may have stored another expiry.
        let is_certain = text.notes.in_doubt.is_empty();
        let expires = self.bounded_expires(expires, base.created);
        let is_outdated = base.format == RecordFormat::Outdated;
        if changed.is_none() && !is_outdated && is_certain && self.can_skip_touch(&base, expires) {
            return Ok(None);
        }
        let notes = text.notes.after_touch(cookie);
        let mut touch = Update::touch(changed, expires);
        touch.session.cookie = cookie.or(before);
        touch.base = Some(base);
        Ok(Some((touch, notes)))
    }

    pub(super) async fn set(
        &self,
        target: &RecordRef,
        json: &str,
        expires: i64,
        baseline: Option<&Baseline>,
        user: Option<Option<&str>>,
    ) -> Result<Written> {
        let prepared = self.prepare_set(target, json, expires, baseline, user)?;
        let update = match &prepared {
            PreparedSet::New(session) => {
                return self.create(target, session, expires, user).await;
            }
            PreparedSet::Nothing => return Ok(Written::default()),
            PreparedSet::Update(update) => update,
        };
        let owner = self.owner_mark(user);
        Ok(match self.update(target, update).await? {
            Updated::Written(written) => Written {
                // A touch does not write the owner.
                is_login: !update.changes_nothing()
                    && owner.is_some()
                    && update.base.is_none_or(|base| owner != base.owner),
                ..written
            },
            // A touch does not report that the session is gone. It has no changes that would be lost.
            Updated::Gone(_) if update.changes_nothing() => Written::default(),
            Updated::Gone(digest) => Written {
                gone: Some(digest),
                ..Written::default()
            },
        })
    }

    /// Finds out what a set has to write.
    fn prepare_set<'s>(
        &self,
        target: &RecordRef,
        json: &'s str,
        expires: i64,
        baseline: Option<&'s Baseline>,
        user: Option<Option<&'s str>>,
    ) -> Result<PreparedSet<'s>> {
        let mut session = Session::parse(json).map_err(bad_session)?;
        let Some((base, text)) = parse_baseline(target, baseline) else {
            return Ok(PreparedSet::New(session));
        };
        // A list may show the session with an id that is not part of its data.
        let shows_id = !base.digest.is_empty() && self.options().store_ids;
        let is_plain = text.notes.in_doubt.is_empty() && !shows_id;
        let diff = is_plain
            .then(|| Diff::since(text.json, text.notes.cookie, &session))
            .flatten();
        let diff = match diff {
            Some(diff) => diff,
            None => text.diff(&mut session, shows_id)?,
        };
        let expires = self.bounded_expires(expires, base.created);
        let is_touch = diff.keeps_data() && !base.format.is_outdated();
        if is_touch && diff.cookie.is_none() && is_negligible_move(&base, expires) {
            return Ok(PreparedSet::Nothing);
        }
        Ok(PreparedSet::Update(Update {
            diff,
            session,
            expires,
            base: Some(base),
            user,
            is_touch: false,
        }))
    }

    /// Returns the hash of the owner that a write stores, see [`BaselineMeta::owner`].
    pub(super) fn owner_mark(&self, user: Option<Option<&str>>) -> Option<u64> {
        let user = user.flatten()?;
        self.layout.owner_mark(&self.layout.owner(user))
    }

    /// Writes all bins of a session without a baseline. If a session under this id is alive, it stays the same
    /// session, and requests that have loaded it can still change it. Frameworks that copy the session, and programs
    /// without baselines, write this way.
    async fn create(
        &self,
        target: &RecordRef,
        session: &Session<'_>,
        expires: i64,
        user: Option<Option<&str>>,
    ) -> Result<Written> {
        let expires = self.bounded_expires(expires, None);
        let bins = |key: &Key| {
            let mut bins = vec![
                self.layout.session_bin(key, session)?,
                self.layout.cookie_bin(key, session.cookie)?,
                self.layout.expires_bin(expires),
                Bin::new(LEGACY, Value::Nil),
            ];
            bins.extend(self.layout.prefix_bin());
            bins.extend(user.map(|user| self.layout.user_bin(user)));
            Ok(bins)
        };
        let stored = self.upsert(target, &bins, expires).await?;
        let format = self.own_format();
        let meta = BaselineMeta {
            origin: Origin::Written,
            format,
            expires: expiry::bounded(Some(expires), stored.created, self.options().absolute_ttl),
            created: stored.created,
            generation: stored.generation,
            owner: self.owner_mark(user),
            target: &stored.target,
            // The record may have been there, and may have kept bins.
            has_more: stored.generation != 1,
            ..BaselineMeta::default()
        };
        Ok(Written {
            meta: Some(meta.to_string()),
            is_login: meta.owner.is_some(),
            ..Written::default()
        })
    }

    /// Extends the lifetime, and stores the cookie if it changed.
    pub(super) async fn extend(
        &self,
        target: &RecordRef,
        cookie: Option<&str>,
        expires: i64,
        base: Option<&BaselineMeta<'_>>,
    ) -> Result<Attempt> {
        let mut bins = vec![self.layout.expires_bin(expires)];
        if cookie.is_some() {
            bins.push(self.layout.cookie_bin(&target.key, cookie)?);
        }
        let precondition = Precondition {
            created: base.and_then(|base| base.created),
            generation: None,
        };
        let mut change = self.change((vec![], 0), bins, precondition);
        Ok(match self.apply(target, expires, &mut change).await? {
            Reply::Record(record) => Attempt::Written(Written {
                meta: base.map(|base| extended(*base, expires, record.generation).to_string()),
                ..Written::default()
            }),
            Reply::Filtered => Attempt::Refused(None),
            _ => Attempt::Gone,
        })
    }

    pub(super) fn own_format(&self) -> RecordFormat {
        match self.options().json {
            _ if self.layout.encrypts() => RecordFormat::Encrypted,
            true => RecordFormat::Json,
            false => RecordFormat::Map,
        }
    }

    /// Returns whether a touch changes so little that a later one, or the server, does it instead.
    fn can_skip_touch(&self, base: &BaselineMeta<'_>, expires: i64) -> bool {
        let options = self.options();
        let moves_by = base.expires.map(|before| expires - before);
        let throttled = moves_by.is_some_and(|by| (0..options.touch_after).contains(&by));
        throttled || self.is_touched_by_the_server(base) || is_negligible_move(base, expires)
    }

    /// Returns whether the server extends the record when it is read. Without a TTL it has nothing to extend. This
    /// process may not know yet that TTLs are refused, but the record shows it.
    fn is_touched_by_the_server(&self, base: &BaselineMeta<'_>) -> bool {
        let has_no_ttl = base.origin == Origin::LoadedWithoutTtl || self.shared.ttl.is_refused();
        if self.options().touch_on_read.is_none() || has_no_ttl {
            return false;
        }
        let supported = self.shared.cluster.touches_on_read();
        if !supported
            && !self
                .shared
                .reported_no_touch_on_read
                .swap(true, Ordering::Relaxed)
        {
            (self.shared.notify)(Notice::TouchOnReadUnsupported);
        }
        supported
    }
}

/// What a set has to write. Nearly every set is an update, so it is not boxed.
#[allow(clippy::large_enum_variant)]
enum PreparedSet<'a> {
    /// A whole session.
    New(Session<'a>),
    Nothing,
    Update(Update<'a>),
}

/// The result of a touch.
#[derive(Default)]
pub(super) struct Touched {
    /// The meta of the next baseline. `None`: the baseline stays as it is.
    pub meta: Option<String>,
    /// The notes of the next baseline.
    pub notes: String,
}

/// Returns whether the same session object wrote almost the same expiry before.
fn is_negligible_move(base: &BaselineMeta<'_>, expires: i64) -> bool {
    let slack = NEGLIGIBLE_MS.min((expires - now()) / 20);
    let moves_by = base.expires.map(|before| (expires - before).abs());
    base.origin == Origin::Written && moves_by.is_some_and(|by| by <= slack)
}

/// Returns the meta after a change of everything except the data. The new generation belongs to the known data only
/// if nobody wrote in between.
fn extended(base: BaselineMeta<'_>, expires: i64, generation: u32) -> BaselineMeta<'_> {
    base.written(expires, base.next_generation(generation))
}
