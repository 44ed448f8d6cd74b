//! The operations of express-session (DESIGN section 5): no update is lost, nothing is revived.
//!
//! | a set of | is |
//! |---|---|
//! | a new session | a write of the whole record |
//! | a loaded one, kept as a map | ONE update-only `operate`: deleted keys out, changed keys in |
//! | a loaded one, kept as JSON or encrypted | a write of the whole under a generation check; on a mismatch a re-read, a merge and another try |
//! | a loaded one, nothing changed | a touch, or, right after a write, nothing |
//!
//! A record that is gone meanwhile (logout, expiry) stays gone: that succeeds, and is told.
//!
//! A record in a form that is outdated (not encrypted yet, or with an older key) is written whole by the next write, also by
//! one that has nothing to change, under the same check.

use aerospike::{Bin, Bins, Expiration, Value};

use super::baseline::{Baseline, Form, Head, Origin};
use super::expiry::now;
use super::layout::{bad_session, LEGACY};
use super::merge::{same_cookie, Diff, Session};
use super::recipe::Which;
use super::update::Write;
use super::{At, Output, Sessions, Written};
use crate::cluster::{Command, Reply};
use crate::error::Result;

/// A set or touch right after a write by the same request moves the end by next to nothing; it is
/// left out if it does so by less than this, and by less than a twentieth of the session's life.
const NEXT_TO_NOTHING_MS: i64 = 1_000;
/// The text of most sessions fits in so many bytes.
const USUAL_LENGTH: usize = 1_024;

impl Sessions<'_> {
    /// The session, and the head of its baseline before it.
    pub(super) async fn load(&self, at: &At) -> Result<Output> {
        let Some(record) = self.read(at, Bins::All).await? else {
            return Ok(Output::Missing);
        };
        self.turn_for(Some(&record)).await;
        let now = now();
        let Some(stored) = self.layout.open(&record, &at.key, now) else {
            return Ok(Output::Missing);
        };
        let Some(head) = self.layout.head(&stored) else {
            return Ok(Output::Missing);
        };
        let mut json = String::with_capacity(USUAL_LENGTH);
        self.read_as(self.layout.session(&mut json, &stored, now, None))?;
        let head = head.to_string();
        Ok(Output::Loaded(Baseline { head, json }))
    }

    pub(super) async fn destroy(&self, at: &At) -> Result<Output> {
        if self.options().tombstones {
            Box::pin(self.bury(at, None)).await?;
            return Ok(Output::Done);
        }
        self.erase(at, None).await?;
        Ok(Output::Done)
    }

    pub(super) async fn refresh(
        &self,
        at: &At,
        cookie: Option<&str>,
        expires: i64,
        baseline: Option<&Baseline>,
    ) -> Result<Written> {
        let Some((base, json)) = known(baseline) else {
            return self.extend(at, cookie, expires, None).await;
        };
        let before = Session::parse(json).map_err(bad_session)?;
        let changed = match (before.cookie, cookie) {
            (Some(before), Some(cookie)) => !same_cookie(before, cookie),
            (before, cookie) => before.is_some() != cookie.is_some(),
        };
        let expires = self.not_beyond(expires, base.created);
        let is_stale = base.form == Form::Stale;
        if !changed && !is_stale && self.is_not_worth_a_touch(&base, expires) {
            return Ok(Written::default());
        }
        // The text of the next baseline, with the cookie as it is now.
        let mut json = before.data();
        let comma = if json == "{}" { "" } else { "," };
        let text = cookie.unwrap_or("null");
        json.replace_range(..1, &format!("{{\"cookie\":{text}{comma}"));
        let written = match is_stale {
            true => Box::pin(self.renew(at, &before, cookie, expires, base)).await?,
            false => {
                let cookie = cookie.filter(|_| changed);
                self.extend(at, cookie, expires, Some(base)).await?
            }
        };
        Ok(Written {
            json: written.head.is_some().then_some(json),
            head: written.head,
            // A touch of a session that is gone is no news, nor is it one that others wrote.
            ..Written::default()
        })
    }

    /// More life for a session whose record is to be in another form: with its data as it is there.
    async fn renew(
        &self,
        at: &At,
        before: &Session<'_>,
        cookie: Option<&str>,
        expires: i64,
        base: Head,
    ) -> Result<Written> {
        let session = Session {
            data: before.data.clone(),
            cookie: cookie.or(before.cookie),
        };
        let write = Write {
            at,
            diff: Diff::between(before, &session),
            session,
            expires,
            base,
            form: self.own_form(),
            user: None,
        };
        self.update(&write).await
    }

    pub(super) async fn set(
        &self,
        at: &At,
        json: &str,
        expires: i64,
        baseline: Option<&Baseline>,
        user: Option<Option<&str>>,
    ) -> Result<Written> {
        let session = Session::parse(json).map_err(bad_session)?;
        let Some((base, before)) = known(baseline) else {
            return self.create(at, &session, expires, user).await;
        };
        let before = Session::parse(before).map_err(bad_session)?;
        let diff = Diff::between(&before, &session);
        let expires = self.not_beyond(expires, base.created);
        if diff.keeps_data() && !base.form.is_outdated() {
            let untouched = diff.cookie.is_none() && is_next_to_nothing(&base, expires);
            if untouched {
                return Ok(Written::default());
            }
            return self.extend(at, diff.cookie, expires, Some(base)).await;
        }
        let write = Write {
            at,
            diff,
            session,
            expires,
            base,
            form: match base.form.is_outdated() {
                true => self.own_form(),
                false => base.form,
            },
            user,
        };
        self.update(&write).await
    }

    /// A session that was never stored: the whole record.
    async fn create(
        &self,
        at: &At,
        session: &Session<'_>,
        expires: i64,
        user: Option<Option<&str>>,
    ) -> Result<Written> {
        let now = now();
        let expires = self.not_beyond(expires, None);
        let mut bins = vec![
            self.layout.of_session(&at.key, session)?,
            self.layout.of_cookie(&at.key, session.cookie)?,
            self.layout.of_expires(expires),
        ];
        bins.extend(self.layout.of_prefix());
        if self.options().absolute_ttl.is_some() {
            // Frameworks that copy the session load and set without a baseline: the time of the
            // first write has to survive that, and so the record is not replaced.
            bins.push(Bin::new(LEGACY, Value::Nil));
            bins.extend(user.map(|user| self.layout.of_user(user)));
            self.upsert(at, bins, expires).await?;
        } else {
            bins.push(self.layout.of_created(now));
            bins.extend(user.flatten().map(|user| self.layout.of_user(Some(user))));
            let mut command = Command::Write {
                bins,
                replace: true,
                ttl: Expiration::Never,
                send_key: self.options().store_ids,
                only_if: self.filters.of_this_view(),
            };
            self.write_whole(at, expires, &mut command).await?;
        }
        let head = Head {
            origin: Origin::Written,
            form: self.own_form(),
            expires: Some(expires),
            created: Some(now),
            generation: 0,
        };
        Ok(Written {
            head: Some(head.to_string()),
            ..Written::default()
        })
    }

    /// More life, and the cookie if it changed.
    async fn extend(
        &self,
        at: &At,
        cookie: Option<&str>,
        expires: i64,
        base: Option<Head>,
    ) -> Result<Written> {
        let mut bins = vec![self.layout.of_expires(expires)];
        if cookie.is_some() {
            bins.push(self.layout.of_cookie(&at.key, cookie)?);
        }
        let which = Which {
            created: base.and_then(|base| base.created),
            generation: None,
        };
        let mut change = self.change((vec![], 0), bins, which);
        match self.apply(at, expires, &mut change).await? {
            Reply::Record(record) => Ok(Written {
                head: base.map(|base| extended(base, expires, record.generation).to_string()),
                ..Written::default()
            }),
            // A touch of a session that is gone is no news: what it had to say is lost anyway.
            _ => Ok(Written::default()),
        }
    }

    fn own_form(&self) -> Form {
        match self.options().json {
            _ if self.layout.seals() => Form::Sealed,
            true => Form::Json,
            false => Form::Map,
        }
    }

    /// Whether a touch would change so little that it is left to a later one, or to the server.
    fn is_not_worth_a_touch(&self, base: &Head, expires: i64) -> bool {
        let options = self.options();
        let moves_by = base.expires.map(|before| expires - before);
        let throttled = moves_by.is_some_and(|by| (0..options.touch_after).contains(&by));
        // Where TTLs are refused the server has nothing to extend.
        let by_the_server = options.touch_on_read.is_some() && !self.core.ttl.is_refused(now());
        throttled || by_the_server || is_next_to_nothing(base, expires)
    }
}

/// The head and the text of a baseline, if it is one.
fn known(baseline: Option<&Baseline>) -> Option<(Head, &str)> {
    let baseline = baseline?;
    Some((Head::parse(&baseline.head)?, &baseline.json))
}

/// Whether the same request wrote the session a moment ago with all but the same end.
fn is_next_to_nothing(base: &Head, expires: i64) -> bool {
    let slack = NEXT_TO_NOTHING_MS.min((expires - now()) / 20);
    let moves_by = base.expires.map(|before| (expires - before).abs());
    base.origin == Origin::Written && moves_by.is_some_and(|by| by <= slack)
}

/// The head after a change of everything but the data. The generation tells of the data that is
/// known only if nobody wrote in between.
fn extended(base: Head, expires: i64, generation: u32) -> Head {
    let next = base.generation > 0 && Some(generation) == base.generation.checked_add(1);
    written(base, expires, if next { generation } else { 0 })
}

pub(super) fn written(base: Head, expires: i64, generation: u32) -> Head {
    Head {
        origin: Origin::Written,
        expires: Some(expires),
        generation,
        ..base
    }
}
