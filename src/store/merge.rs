//! What a request changed in a session, and the merge with changes of others.
//!
//! The merge is three-way, per top-level key, and never deep. A key that the request changed gets the request's
//! value. A key that it deleted is deleted. Every other key keeps the value that the record has by now. The cookie is
//! not merged: it is always the writer's.

use std::borrow::Cow;
use std::collections::HashSet;

use super::bins::COOKIE;
use super::cookie::same_cookie;
use super::session_text::{MemberIndex, Session, unique};
use crate::codec::CodecError;
use crate::codec::equality::same;
use crate::codec::members::{self, Member};

/// The changes from one text of a session to the next.
#[derive(Debug)]
pub struct Diff<'a> {
    pub changed: Vec<Member<'a>>,
    /// The removed keys.
    pub removed: Vec<Cow<'a, [u8]>>,
    /// The text of the cookie, if more than its `expires` changed.
    pub cookie: Option<&'a str>,
}

impl<'a> Diff<'a> {
    /// Compares two whole sessions.
    pub fn between(before: &Session<'a>, now: &Session<'a>) -> Diff<'a> {
        let (earlier, later) = (MemberIndex::new(&before.data), MemberIndex::new(&now.data));
        let mut diff = Diff {
            changed: Vec::new(),
            removed: Vec::new(),
            cookie: None,
        };
        for old in &before.data {
            if later.find(&now.data, &old.key).is_none() {
                diff.removed.push(old.key.clone());
            }
        }
        for new in &now.data {
            let old = earlier.find(&before.data, &new.key);
            let old = old.map(|place| before.data[place].value);
            if !old.is_some_and(|old| same(old, new.value)) {
                diff.changed.push(new.clone());
            }
        }
        diff.compare_cookies(before.cookie, now.cookie);
        diff
    }

    /// Compares the text `before` with the session `now`, without parsing the parts that are equal in both texts.
    /// `cookie`: the stored cookie, if it is not the one in the text. Returns `None` if the text is not an object, or
    /// is an unusual one.
    pub fn since(
        before: &'a str,
        cookie: Option<Option<&'a str>>,
        now: &Session<'a>,
    ) -> Option<Diff<'a>> {
        let Comparison {
            earlier,
            removed,
            cookie_in_text,
        } = Comparison::new(before, &now.data)?;
        let members = now.data.iter().zip(earlier);
        let changed = members.filter(|(new, earlier)| match earlier {
            Earlier::Same => false,
            Earlier::Text(old) => !same(old, new.value),
            Earlier::Absent => true,
        });
        let mut diff = Diff {
            changed: changed.map(|(new, _)| new.clone()).collect(),
            removed,
            cookie: None,
        };
        diff.compare_cookies(cookie.unwrap_or(cookie_in_text), now.cookie);
        Some(diff)
    }

    fn compare_cookies(&mut self, before: Option<&str>, now: Option<&'a str>) {
        if let Some(cookie) = now
            && !before.is_some_and(|old| same_cookie(old, cookie))
        {
            self.cookie = Some(cookie);
        }
    }

    /// Adds the keys that a write in doubt may have changed, with their values in `now`: they are written again.
    pub fn include_in_doubt(
        &mut self,
        before: &Session<'a>,
        in_doubt: &Session<'a>,
        now: &Session<'a>,
    ) {
        let tried = Diff::between(before, in_doubt);
        let keys = tried.changed.into_iter().map(|member| member.key);
        for key in keys.chain(tried.removed) {
            let is_in = self.changed.iter().any(|member| member.key == key);
            if is_in || self.removed.contains(&key) {
                continue;
            }
            match now.data.iter().find(|member| member.key == key) {
                Some(member) => self.changed.push(member.clone()),
                None => self.removed.push(key),
            }
        }
        if tried.cookie.is_some() {
            self.cookie = now.cookie;
        }
    }

    /// Returns whether no data changed.
    pub fn keeps_data(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// Returns the data `theirs` (an object without cookie) with these changes applied.
    pub fn apply(&self, theirs: &str) -> Result<String, CodecError> {
        let mut merged = unique(members::split(theirs)?);
        let removed: HashSet<&[u8]> = self.removed.iter().map(AsRef::as_ref).collect();
        merged.retain(|member| !removed.contains(&*member.key));
        let index = MemberIndex::new(&merged);
        let mut added = Vec::new();
        for change in &self.changed {
            match index.find(&merged, &change.key) {
                Some(place) => merged[place] = change.clone(),
                None => added.push(change.clone()),
            }
        }
        merged.append(&mut added);
        Ok(members::join(&merged))
    }
}

/// What an earlier text had for a member.
#[derive(Clone, Copy)]
enum Earlier<'a> {
    Absent,
    /// The same text.
    Same,
    /// Another text of the value.
    Text(&'a str),
}

/// The comparison of an earlier text of a session with its members now.
struct Comparison<'a> {
    /// What the earlier text had for each member.
    earlier: Vec<Earlier<'a>>,
    /// Keys of the earlier text that no member has.
    removed: Vec<Cow<'a, [u8]>>,
    /// The cookie in the earlier text.
    cookie_in_text: Option<&'a str>,
}

impl<'a> Comparison<'a> {
    /// Sessions keep the order of their members, so comparing text at the expected position finds most of them. Only
    /// members that differ are parsed.
    fn new(before: &'a str, now: &[Member<'a>]) -> Option<Comparison<'a>> {
        let mut compared = Comparison {
            earlier: vec![Earlier::Absent; now.len()],
            removed: Vec::new(),
            cookie_in_text: None,
        };
        let mut index = None;
        let mut expected = 0;
        let mut at = members::leading_whitespace(before);
        at += before[at..].starts_with('{').then_some(1)?;
        at += members::leading_whitespace(&before[at..]);
        let mut is_over = before[at..].starts_with('}');
        at += usize::from(is_over);
        while !is_over {
            let equal = now.get(expected).and_then(|one| {
                let rest = before[at..].strip_prefix(one.whole)?;
                rest.starts_with([',', '}']).then_some(one.whole.len())
            });
            if let Some(length) = equal {
                compared.earlier[expected] = Earlier::Same;
                expected += 1;
                at += length;
            } else {
                let (old, end) = members::parse_at(before, at)?;
                at = end + members::leading_whitespace(&before[end..]);
                if *old.key == *COOKIE.as_bytes() {
                    compared.cookie_in_text = Some(old.value);
                } else {
                    let is_at =
                        |place: &usize| now.get(*place).is_some_and(|one| one.key == old.key);
                    let place = Some(expected).filter(is_at).or_else(|| {
                        let index = index.get_or_insert_with(|| MemberIndex::new(now));
                        index.find(now, &old.key)
                    });
                    match place {
                        Some(place) => {
                            compared.earlier[place] = Earlier::Text(old.value);
                            expected = place + 1;
                        }
                        None => compared.removed.push(old.key),
                    }
                }
            }
            is_over = before[at..].starts_with('}');
            at += (is_over || before[at..].starts_with(',')).then_some(1)?;
            at += members::leading_whitespace(&before[at..]);
        }
        if compared.removed.len() > 1 {
            let mut seen = HashSet::new();
            compared.removed.retain(|key| seen.insert(key.clone()));
        }
        (at == before.len()).then_some(compared)
    }
}

#[cfg(test)]
mod tests;
