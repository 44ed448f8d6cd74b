//! What a request changed since its baseline: parses the texts of the baseline, and compares them with the session.

use super::baseline::{Baseline, BaselineMeta, InDoubtWrite, Notes};
use super::layout::bad_session;
use super::merge::Diff;
use super::record_ref::RecordRef;
use super::session_text::Session;
use crate::error::Result;

/// The texts of a baseline without its meta.
pub(super) struct BaselineText<'a> {
    pub json: &'a str,
    pub notes: Notes<'a>,
}

impl<'a> BaselineText<'a> {
    /// Returns the stored session.
    fn session(&self) -> Result<Session<'a>> {
        let mut session = Session::parse(self.json).map_err(bad_session)?;
        if let Some(cookie) = self.notes.cookie {
            session.cookie = cookie;
        }
        Ok(session)
    }

    /// Returns what a set of `session` has to write, with the changes that are in doubt.
    pub fn diff(&self, session: &mut Session<'a>, shows_id: bool) -> Result<Diff<'a>> {
        let mut before = self.session()?;
        let mut in_doubt = Vec::new();
        for write in &self.notes.in_doubt {
            in_doubt.push(match write {
                InDoubtWrite::Set(json) => Session::parse(json).map_err(bad_session)?,
                InDoubtWrite::Touch(cookie) => Session {
                    data: before.data.clone(),
                    cookie: *cookie,
                },
            });
        }
        if shows_id {
            let others = in_doubt.iter_mut().chain([&mut *session]);
            remove_shown_id(&mut before, others);
        }
        let mut diff = Diff::between(&before, session);
        for write in &in_doubt {
            diff.include_in_doubt(&before, write, session);
        }
        Ok(diff)
    }

    /// Returns the stored cookie.
    pub fn cookie(&self) -> Result<Option<&'a str>> {
        match self.notes.cookie {
            Some(cookie) => Ok(cookie),
            None if self.json.is_empty() => Ok(None),
            // A set that JavaScript does not know yet has stored it.
            None => Ok(self.session()?.cookie),
        }
    }
}

/// Parses a baseline. Returns `None` if it is malformed or belongs to another session.
pub(super) fn parse_baseline<'b>(
    target: &RecordRef,
    baseline: Option<&'b Baseline>,
) -> Option<(BaselineMeta<'b>, BaselineText<'b>)> {
    let baseline = baseline?;
    let mut meta = BaselineMeta::parse(&baseline.meta)?;
    let notes = Notes::parse(&baseline.notes);
    if !notes.in_doubt.is_empty() {
        // Each write sets the expiry, so it is in doubt too.
        meta.expires = None;
    }
    let json = &baseline.json;
    let is_this = meta.digest.is_empty() || meta.digest == target.digest();
    is_this.then_some((meta, BaselineText { json, notes }))
}

/// Removes the `id` that a list adds to sessions. It is not part of the data, unless the application has changed it.
fn remove_shown_id<'s, 'a: 's>(
    before: &mut Session<'a>,
    others: impl Iterator<Item = &'s mut Session<'a>>,
) {
    const ID: &[u8] = b"id";
    let place = |session: &Session<'_>| session.data.iter().position(|member| *member.key == *ID);
    let Some(shown) = place(before) else { return };
    let shown = before.data.remove(shown);
    for session in others {
        if let Some(now) = place(session)
            && session.data[now].value == shown.value
        {
            session.data.remove(now);
        }
    }
}
