//! What a request changed in a session, and how that goes together with what others changed.
//!
//! Merging is per top-level key, three-way and never deep: a key the request changed is its own,
//! a key it deleted is deleted, every other key is what the record holds by now. The cookie is
//! always the writer's, whole.

use serde_json::Value as Json;

use super::layout::COOKIE;
use crate::codec::members::{self, Member};
use crate::codec::CodecError;

/// What changed from one text of a session to the next.
#[derive(Debug)]
pub struct Diff<'a> {
    pub changed: Vec<Member<'a>>,
    /// Keys that are no more.
    pub removed: Vec<Vec<u8>>,
    /// The text of the cookie, if it changed in more than its `expires`.
    pub cookie: Option<&'a str>,
}

impl<'a> Diff<'a> {
    /// From `before` to `now`, both texts of whole sessions.
    pub fn between(before: &str, now: &'a str) -> Result<Diff<'a>, CodecError> {
        let (before, now) = (
            unique(members::split(before)?),
            unique(members::split(now)?),
        );
        let find = |members: &[Member<'_>], key: &[u8]| {
            members.iter().position(|member| member.key == key)
        };
        let mut diff = Diff {
            changed: Vec::new(),
            removed: Vec::new(),
            cookie: None,
        };
        for old in &before {
            if old.key != COOKIE.as_bytes() && find(&now, &old.key).is_none() {
                diff.removed.push(old.key.clone());
            }
        }
        for new in now {
            let old = find(&before, &new.key).map(|index| before[index].value);
            if new.key == COOKIE.as_bytes() {
                if !old.is_some_and(|old| same_cookie(old, new.value)) {
                    diff.cookie = Some(new.value);
                }
            } else if !old.is_some_and(|old| same(old, new.value)) {
                diff.changed.push(new);
            }
        }
        Ok(diff)
    }

    /// Whether the data stayed as it was.
    pub fn keeps_data(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// The data `theirs` (an object without cookie) with these changes.
    pub fn apply(&self, theirs: &str) -> Result<String, CodecError> {
        let mut merged = unique(members::split(theirs)?);
        merged.retain(|member| !self.removed.contains(&member.key));
        for change in &self.changed {
            match merged.iter_mut().find(|member| member.key == change.key) {
                Some(member) => *member = change.clone(),
                None => merged.push(change.clone()),
            }
        }
        Ok(members::join(&merged))
    }
}

/// Of members with equal keys, the last.
fn unique(members: Vec<Member<'_>>) -> Vec<Member<'_>> {
    let mut kept: Vec<Member<'_>> = Vec::with_capacity(members.len());
    for member in members {
        match kept.iter_mut().find(|one| one.key == member.key) {
            Some(before) => *before = member,
            None => kept.push(member),
        }
    }
    kept
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

    fn diff<'a>(before: &str, now: &'a str) -> Diff<'a> {
        Diff::between(before, now).expect("two sessions")
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
        assert_eq!(diff.removed, [b"c".to_vec()]);
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
    fn keys_with_lone_surrogates_merge_like_others() {
        let merged = merged(
            r#"{"\ud800":1}"#,
            r#"{"\ud800":2,"x":"\udfff"}"#,
            r#"{"\ud800":1,"y":3}"#,
        );
        assert_eq!(merged, r#"{"\ud800":2,"y":3,"x":"\udfff"}"#);
    }
}
