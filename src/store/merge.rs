//! What a request changed in a session, and how that goes together with what others changed.
//!
//! Merging is per top-level key, three-way and never deep: a key the request changed is its own,
//! a key it deleted is deleted, every other key is what the record holds by now. The cookie is
//! always the writer's, whole.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use super::layout::COOKIE;
use crate::codec::members::{self, Member};
use crate::codec::CodecError;

/// What changed from one text of a session to the next.
#[derive(Debug)]
pub struct Diff<'a> {
    pub changed: Vec<Member<'a>>,
    /// Keys that are no more.
    pub removed: Vec<Cow<'a, [u8]>>,
    /// The text of the cookie, if it changed in more than its `expires`.
    pub cookie: Option<&'a str>,
}

impl<'a> Diff<'a> {
    /// From `before` to `now`, both whole sessions.
    pub fn between(before: &Session<'a>, now: &Session<'a>) -> Diff<'a> {
        let (earlier, later) = (Places::of(&before.data), Places::of(&now.data));
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
        if let Some(cookie) = now.cookie {
            if !before.cookie.is_some_and(|old| same_cookie(old, cookie)) {
                diff.cookie = Some(cookie);
            }
        }
        diff
    }

    /// Adds what a write may have changed that was made in between and is in doubt: it is written as it is `now`.
    pub fn widen(&mut self, before: &Session<'a>, doubt: &Session<'a>, now: &Session<'a>) {
        let tried = Diff::between(before, doubt);
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

    /// Whether the data stayed as it was.
    pub fn keeps_data(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// The data `theirs` (an object without cookie) with these changes.
    pub fn apply(&self, theirs: &str) -> Result<String, CodecError> {
        let mut merged = unique(members::split(theirs)?);
        let removed: HashSet<&[u8]> = self.removed.iter().map(AsRef::as_ref).collect();
        merged.retain(|member| !removed.contains(&*member.key));
        let places = Places::of(&merged);
        let mut added = Vec::new();
        for change in &self.changed {
            match places.find(&merged, &change.key) {
                Some(place) => merged[place] = change.clone(),
                None => added.push(change.clone()),
            }
        }
        merged.append(&mut added);
        Ok(members::join(&merged))
    }
}

/// The text of a session, taken apart.
pub struct Session<'a> {
    /// Everything but the cookie, each key once.
    pub data: Vec<Member<'a>>,
    /// The text of the cookie.
    pub cookie: Option<&'a str>,
}

impl<'a> Session<'a> {
    pub fn parse(text: &'a str) -> Result<Session<'a>, CodecError> {
        let mut data = unique(members::split(text)?);
        let place = data
            .iter()
            .position(|member| *member.key == *COOKIE.as_bytes());
        Ok(Session {
            cookie: place.map(|place| data.remove(place).value),
            data,
        })
    }

    /// The text of the data, an object.
    pub fn data(&self) -> String {
        members::join(&self.data)
    }
}

/// Of members with equal keys, the last, in the place of the first.
fn unique(mut members: Vec<Member<'_>>) -> Vec<Member<'_>> {
    let places = Places::of(&members);
    let mut repeated = HashSet::new();
    for later in 0..members.len() {
        match places.find(&members, &members[later].key) {
            Some(first) if first < later => {
                members[first] = members[later].clone();
                repeated.insert(later);
            }
            _ => {}
        }
    }
    if !repeated.is_empty() {
        let mut place = 0..;
        members.retain(|_| !place.next().is_some_and(|place| repeated.contains(&place)));
    }
    members
}

/// Finds members by their keys. A session has few, and then looking at each is the fastest; but nobody keeps an
/// application from having a hundred thousand.
enum Places<'a> {
    Few,
    Many(HashMap<Cow<'a, [u8]>, usize>),
}

impl<'a> Places<'a> {
    const FEW: usize = 32;

    /// Of members with equal keys, it finds the first.
    fn of(members: &[Member<'a>]) -> Places<'a> {
        if members.len() <= Places::FEW {
            return Places::Few;
        }
        let mut places = HashMap::with_capacity(members.len());
        for (place, member) in members.iter().enumerate() {
            places.entry(member.key.clone()).or_insert(place);
        }
        Places::Many(places)
    }

    fn find(&self, members: &[Member<'a>], key: &[u8]) -> Option<usize> {
        match self {
            Places::Few => members.iter().position(|member| *member.key == *key),
            Places::Many(places) => places.get(key).copied(),
        }
    }
}

/// Whether two cookies differ in nothing but when they expire, which has a bin of its own.
pub fn same_cookie(a: &str, b: &str) -> bool {
    match (
        members::without(a, "expires"),
        members::without(b, "expires"),
    ) {
        (Ok(a), Ok(b)) => same(&a.rest, &b.rest),
        _ => false,
    }
}

/// Whether two JSON texts say the same: a map has no order of keys, and a number may be written
/// in more than one way.
fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (
        serde_json::from_str::<Json>(a),
        serde_json::from_str::<Json>(b),
    ) {
        (Ok(a), Ok(b)) => equal(&a, &b),
        _ => false,
    }
}

fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let same_value = |(key, a): (&String, &Json)| b.get(key).is_some_and(|b| equal(a, b));
            a.len() == b.len() && a.iter().all(same_value)
        }
        (a, b) => a == b,
    }
}

/// A key as text; `None` for one with a lone surrogate, which no map can hold.
pub fn key_text(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff<'a>(before: &'a str, now: &'a str) -> Diff<'a> {
        let parsed = |text| Session::parse(text).expect("a session");
        Diff::between(&parsed(before), &parsed(now))
    }

    fn merged(before: &str, now: &str, theirs: &str) -> String {
        diff(before, now).apply(theirs).expect("a session")
    }

    #[test]
    fn changed_added_and_deleted_keys_are_told_and_others_are_not() {
        let diff = diff(
            r#"{"a":1,"b":2,"c":3,"cookie":{}}"#,
            r#"{"cookie":{},"a":1,"b":9,"d":4}"#,
        );
        let changed: Vec<&str> = diff.changed.iter().map(|member| member.whole).collect();
        assert_eq!(changed, [r#""b":9"#, r#""d":4"#]);
        assert_eq!(diff.removed, [Cow::from(b"c".as_slice())]);
        assert!(diff.cookie.is_none());
    }

    #[test]
    fn what_is_only_written_differently_is_unchanged() {
        let before = r#"{"o":{"x":1,"y":[1.0,1e21]},"s":"\u00e9"}"#;
        assert!(diff(before, r#"{"s":"é","o":{"y":[1,1e+21],"x":1}}"#).keeps_data());
        assert!(!diff(before, r#"{"s":"é","o":{"y":[1e+21,1],"x":1}}"#).keeps_data());
        assert!(!diff(r#"{"a":0}"#, r#"{"a":false}"#).keeps_data());
    }

    #[test]
    fn a_cookie_that_only_expires_later_is_unchanged() {
        let before = r#"{"cookie":{"originalMaxAge":5,"expires":"x","path":"/"}}"#;
        let later = r#"{"cookie":{"path":"/","originalMaxAge":5,"expires":"y"}}"#;
        assert!(diff(before, later).cookie.is_none());
        let longer = r#"{"cookie":{"originalMaxAge":9,"expires":"y","path":"/"}}"#;
        assert!(diff(before, longer).cookie.is_some());
    }

    #[test]
    fn both_writers_keep_what_they_changed_and_arrays_are_replaced_whole() {
        let before = r#"{"a":1,"b":2,"l":[1],"gone":0}"#;
        let ours = r#"{"a":5,"b":2,"l":[1,2]}"#;
        let theirs = r#"{"a":1,"b":7,"l":[9],"gone":0,"new":{}}"#;
        assert_eq!(
            merged(before, ours, theirs),
            r#"{"a":5,"b":7,"l":[1,2],"new":{}}"#
        );
    }

    #[test]
    fn of_equal_keys_the_last_counts_however_many_there_are() {
        for others in [0, 100] {
            let others: String = (0..others).map(|n| format!(r#""k{n}":{n},"#)).collect();
            let text = format!(r#"{{"a":1,{others}"b":2,"a":3,"b":4,"b":5}}"#);
            let session = Session::parse(&text).expect("a session");
            assert_eq!(session.data(), format!(r#"{{"a":3,{others}"b":5}}"#));
        }
    }

    #[test]
    fn a_hundred_thousand_keys_take_no_time() {
        let text = |n: usize| {
            let keys: Vec<_> = (0..100_000).map(|key| format!(r#""k{key}":{n}"#)).collect();
            format!("{{{}}}", keys.join(","))
        };
        let (before, now) = (text(1), text(2));
        assert_eq!(diff(&before, &now).changed.len(), 100_000);
        assert_eq!(merged(&before, &now, &before), now);
    }

    #[test]
    fn keys_with_lone_surrogates_merge_like_others() {
        let merged = merged(
            r#"{"\ud800":1}"#,
            r#"{"\ud800":2,"x":"\udfff"}"#,
            r#"{"\ud800":1,"y":3}"#,
        );
        assert_eq!(merged, r#"{"\ud800":2,"y":3,"x":"\udfff"}"#);
    }
}
