//! The operations of express-session (DESIGN section 5): no update is lost, nothing is revived.
//!
//! | a set of | is |
//! |---|---|
//! | a new session, or one that nothing is known of | a write of all its bins; a session that goes on keeps its time of creation |
//! | a loaded one, kept as a map | ONE update-only `operate`: deleted keys out, changed keys in |
//! | a loaded one, kept as JSON or encrypted | a write of the whole under a generation check; on a mismatch a re-read, a merge and another try |
//! | a loaded one, nothing changed | a touch, or, right after a write, nothing |
//!
//! A record that is gone meanwhile (logout, expiry) stays gone: that succeeds, and is told.
//!
//! A record in a form that is outdated (not encrypted yet, or with an older key) is written whole by the next write, also by
//! one that has nothing to change, under the same check.

use std::sync::atomic::Ordering;

use aerospike::{Bin, Bins, Value};

use super::baseline::{Baseline, BaselineMeta, Doubt, Notes, Origin, RecordFormat};
use super::bins::LEGACY;
use super::expiry::{self, now};
use super::layout::bad_session;
use super::merge::{same_cookie, Diff, Session};
use super::notice::Notice;
use super::plain_ops::Precondition;
use super::record_ref::RecordRef;
use super::request::{Output, Written};
use super::sessions::Sessions;
use super::update_ops::Write;
use crate::cluster::Reply;
use crate::error::Result;

/// A set or touch right after a write by the same request moves the end by next to nothing; it is
/// left out if it does so by less than this, and by less than a twentieth of the session's life.
const NEXT_TO_NOTHING_MS: i64 = 1_000;
/// The text of most sessions fits in so many bytes.
const USUAL_LENGTH: usize = 1_024;

impl Sessions<'_> {
    /// The session, and the head of its baseline before it.
    pub(super) async fn load(&self, at: &RecordRef) -> Result<Output> {
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
        Ok(Output::Loaded(Baseline {
            head,
            json,
            notes: String::new(),
        }))
    }

    pub(super) async fn destroy(&self, at: &RecordRef) -> Result<Output> {
        if self.options().tombstones {
            Box::pin(self.write_tombstone(at, None)).await?;
            return Ok(Output::Done);
        }
        self.erase(at, None).await?;
        Ok(Output::Done)
    }

    /// A touch. Besides the head of the next baseline, [`Written`] has its notes.
    pub(super) async fn refresh(
        &self,
        at: &RecordRef,
        cookie: Option<&str>,
        expires: i64,
        baseline: Option<&Baseline>,
    ) -> Result<Touched> {
        let Some((base, text)) = known(at, baseline) else {
            self.extend(at, cookie, expires, None).await?;
            return Ok(Touched::default());
        };
        let before = text.cookie()?;
        let is_new = |stored: Option<&str>, cookie: &str| {
            stored.is_none_or(|stored| !same_cookie(stored, cookie))
        };
        let mut changed = cookie.filter(|cookie| is_new(before, cookie));
        for doubt in &text.notes.doubts {
            let stored = match doubt {
                Doubt::Set(json) => Session::parse(json).map_err(bad_session)?.cookie,
                Doubt::Touch(cookie) => *cookie,
            };
            changed = changed.or(cookie.filter(|cookie| is_new(stored, cookie)));
        }
        // A write in doubt may have stored another end.
        let is_certain = text.notes.doubts.is_empty();
        let expires = self.not_beyond(expires, base.created);
        let is_stale = base.form == RecordFormat::Outdated;
        if changed.is_none() && !is_stale && is_certain && self.is_not_worth_a_touch(&base, expires)
        {
            return Ok(Touched::default());
        }
        let notes = text.notes.touched(cookie);
        let written = match is_stale {
            true => Box::pin(self.renew(at, cookie.or(before), changed, expires, base)).await?,
            false => self.extend(at, changed, expires, Some(base)).await?,
        };
        // A touch of a session that is gone is no news, nor is it one that others wrote.
        Ok(Touched {
            head: written.head,
            notes,
        })
    }

    /// More life for a session whose record is to be in another form: with its data as it is there.
    async fn renew(
        &self,
        at: &RecordRef,
        cookie: Option<&str>,
        changed: Option<&str>,
        expires: i64,
        base: BaselineMeta<'_>,
    ) -> Result<Written> {
        let write = Write {
            at,
            diff: Diff {
                changed: Vec::new(),
                removed: Vec::new(),
                cookie: changed,
            },
            session: Session {
                data: Vec::new(),
                cookie,
            },
            expires,
            base,
            form: self.own_form(),
            user: None,
        };
        self.rewrite(&write).await
    }

    pub(super) async fn set(
        &self,
        at: &RecordRef,
        json: &str,
        expires: i64,
        baseline: Option<&Baseline>,
        user: Option<Option<&str>>,
    ) -> Result<Written> {
        let mut session = Session::parse(json).map_err(bad_session)?;
        let Some((base, text)) = known(at, baseline) else {
            return self.create(at, &session, expires, user).await;
        };
        // In a list, the session may be shown with an id that is no part of it.
        let shows_id = !base.digest.is_empty() && self.options().store_ids;
        let is_plain = text.notes.doubts.is_empty() && !shows_id;
        let diff = is_plain
            .then(|| Diff::since(text.json, text.notes.cookie, &session))
            .flatten();
        let diff = match diff {
            Some(diff) => diff,
            None => text.diff(&mut session, shows_id)?,
        };
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

    /// A session that nothing is known of: the whole of it. If one is there under this id and goes on, it stays the same
    /// session, and requests that have loaded it can go on changing it: frameworks that copy the session, and programs that
    /// know of no baseline, write so.
    async fn create(
        &self,
        at: &RecordRef,
        session: &Session<'_>,
        expires: i64,
        user: Option<Option<&str>>,
    ) -> Result<Written> {
        let expires = self.not_beyond(expires, None);
        let mut bins = vec![
            self.layout.of_session(&at.key, session)?,
            self.layout.of_cookie(&at.key, session.cookie)?,
            self.layout.of_expires(expires),
            Bin::new(LEGACY, Value::Nil),
        ];
        bins.extend(self.layout.of_prefix());
        bins.extend(user.map(|user| self.layout.of_user(user)));
        let stored = self.upsert(at, bins, expires).await?;
        let form = self.own_form();
        let head = BaselineMeta {
            origin: Origin::Written,
            form,
            expires: expiry::bounded(Some(expires), stored.created, self.options().absolute_ttl),
            created: stored.created,
            generation: form.known_generation(stored.generation),
            keys: "",
            digest: "",
        };
        Ok(Written {
            head: Some(head.to_string()),
            ..Written::default()
        })
    }

    /// More life, and the cookie if it changed.
    async fn extend(
        &self,
        at: &RecordRef,
        cookie: Option<&str>,
        expires: i64,
        base: Option<BaselineMeta<'_>>,
    ) -> Result<Written> {
        let mut bins = vec![self.layout.of_expires(expires)];
        if cookie.is_some() {
            bins.push(self.layout.of_cookie(&at.key, cookie)?);
        }
        let precondition = Precondition {
            created: base.and_then(|base| base.created),
            generation: None,
        };
        let mut change = self.change((vec![], 0), bins, precondition);
        match self.apply(at, expires, &mut change).await? {
            Reply::Record(record) => Ok(Written {
                head: base.map(|base| extended(base, expires, record.generation).to_string()),
                ..Written::default()
            }),
            // A touch of a session that is gone is no news: what it had to say is lost anyway.
            _ => Ok(Written::default()),
        }
    }

    fn own_form(&self) -> RecordFormat {
        match self.options().json {
            _ if self.layout.seals() => RecordFormat::Encrypted,
            true => RecordFormat::Json,
            false => RecordFormat::Map,
        }
    }

    /// Whether a touch would change so little that it is left to a later one, or to the server.
    fn is_not_worth_a_touch(&self, base: &BaselineMeta<'_>, expires: i64) -> bool {
        let options = self.options();
        let moves_by = base.expires.map(|before| expires - before);
        let throttled = moves_by.is_some_and(|by| (0..options.touch_after).contains(&by));
        throttled || self.is_touched_by_the_server(base) || is_next_to_nothing(base, expires)
    }

    /// Whether the server extends what is read. Where TTLs are refused it has nothing to extend: this process may not know
    /// that yet, but the record shows it.
    fn is_touched_by_the_server(&self, base: &BaselineMeta<'_>) -> bool {
        let has_no_ttl = base.origin == Origin::LoadedWithoutTtl || self.shared.ttl.is_refused();
        if self.options().touch_on_read.is_none() || has_no_ttl {
            return false;
        }
        let supported = self.shared.cluster.touches_on_read();
        if !supported
            && !self
                .shared
                .lacks_touch_on_read
                .swap(true, Ordering::Relaxed)
        {
            (self.shared.notify)(Notice::TouchOnReadUnsupported);
        }
        supported
    }
}

/// What became of a touch.
#[derive(Default)]
pub(super) struct Touched {
    /// The head of the next baseline, if there is one.
    pub head: Option<String>,
    /// The notes that go with it.
    pub notes: String,
}

/// The texts of a baseline, but for its head.
struct Text<'a> {
    json: &'a str,
    notes: Notes<'a>,
}

impl<'a> Text<'a> {
    /// The session that is stored.
    fn session(&self) -> Result<Session<'a>> {
        let mut session = Session::parse(self.json).map_err(bad_session)?;
        if let Some(cookie) = self.notes.cookie {
            session.cookie = cookie;
        }
        Ok(session)
    }

    /// What a set of `session` has to write, with what is in doubt.
    fn diff(&self, session: &mut Session<'a>, shows_id: bool) -> Result<Diff<'a>> {
        let mut before = self.session()?;
        let mut doubts = Vec::new();
        for doubt in &self.notes.doubts {
            doubts.push(match doubt {
                Doubt::Set(json) => Session::parse(json).map_err(bad_session)?,
                Doubt::Touch(cookie) => Session {
                    data: before.data.clone(),
                    cookie: *cookie,
                },
            });
        }
        if shows_id {
            let others = doubts.iter_mut().chain([&mut *session]);
            without_shown_id(&mut before, others);
        }
        let mut diff = Diff::between(&before, session);
        for doubt in &doubts {
            diff.widen(&before, doubt, session);
        }
        Ok(diff)
    }

    /// The cookie that is stored.
    fn cookie(&self) -> Result<Option<&'a str>> {
        match self.notes.cookie {
            Some(cookie) => Ok(cookie),
            None if self.json.is_empty() => Ok(None),
            // A set that JavaScript does not know of yet has stored it.
            None => Ok(self.session()?.cookie),
        }
    }
}

/// The head and the texts of a baseline, if it is one, and of this session.
fn known<'b>(
    at: &RecordRef,
    baseline: Option<&'b Baseline>,
) -> Option<(BaselineMeta<'b>, Text<'b>)> {
    let baseline = baseline?;
    let mut head = BaselineMeta::parse(&baseline.head)?;
    let notes = Notes::parse(&baseline.notes);
    if !notes.doubts.is_empty() {
        // Each write sets an end.
        head.expires = None;
    }
    let json = &baseline.json;
    let is_this = head.digest.is_empty() || head.digest == at.digest();
    is_this.then_some((head, Text { json, notes }))
}

/// Takes out the `id` that a list shows sessions with: it is no part of the data, unless the application has changed it.
fn without_shown_id<'s, 'a: 's>(
    before: &mut Session<'a>,
    others: impl Iterator<Item = &'s mut Session<'a>>,
) {
    const ID: &[u8] = b"id";
    let place = |session: &Session<'_>| session.data.iter().position(|member| *member.key == *ID);
    let Some(shown) = place(before) else { return };
    let shown = before.data.remove(shown);
    for session in others {
        if let Some(now) = place(session) {
            if session.data[now].value == shown.value {
                session.data.remove(now);
            }
        }
    }
}

/// Whether the same request wrote the session a moment ago with all but the same end.
fn is_next_to_nothing(base: &BaselineMeta<'_>, expires: i64) -> bool {
    let slack = NEXT_TO_NOTHING_MS.min((expires - now()) / 20);
    let moves_by = base.expires.map(|before| (expires - before).abs());
    base.origin == Origin::Written && moves_by.is_some_and(|by| by <= slack)
}

/// The head after a change of everything but the data. The generation tells of the data that is
/// known only if nobody wrote in between.
fn extended(base: BaselineMeta<'_>, expires: i64, generation: u32) -> BaselineMeta<'_> {
    let next = base.generation > 0 && Some(generation) == base.generation.checked_add(1);
    base.written(expires, if next { generation } else { 0 })
}
