//! What a request changed in a session, and the merge with changes of others.
//!
//! The merge is three-way, per top-level key, and never deep. A key that the request changed gets the request's
//! value. A key that it deleted is deleted. Every other key keeps the value that the record has by now. The cookie is
//! not merged: it is always the writer's.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value as Json;

use super::bins::COOKIE;
use crate::codec::CodecError;
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

/// The parsed text of a session.
pub struct Session<'a> {
    /// Every member except the cookie, each key once.
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

    /// Returns the text of the data, an object.
    pub fn data(&self) -> String {
        members::join(&self.data)
    }
}

/// Keeps, of members with equal keys, the last one at the position of the first.
fn unique(mut members: Vec<Member<'_>>) -> Vec<Member<'_>> {
    let repeated = repeated(&members);
    for (later, first) in &repeated {
        members[*first] = members[*later].clone();
    }
    if !repeated.is_empty() {
        let mut place = 0..;
        members.retain(|_| {
            let is_later = |place| repeated.contains_key(&place);
            !place.next().is_some_and(is_later)
        });
    }
    members
}

/// Returns the positions of members whose key already occurred, each with the first position of its key, in order.
fn repeated(members: &[Member<'_>]) -> BTreeMap<usize, usize> {
    let mut repeated = BTreeMap::new();
    if members.len() <= MemberIndex::MAX_LINEAR {
        for (place, member) in members.iter().enumerate() {
            let mut before = members[..place].iter();
            if let Some(first) = before.position(|one| one.key == member.key) {
                repeated.insert(place, first);
            }
        }
        return repeated;
    }
    let mut places = HashMap::with_capacity(members.len());
    for (place, member) in members.iter().enumerate() {
        match places.entry(&*member.key) {
            Entry::Occupied(first) => drop(repeated.insert(place, *first.get())),
            Entry::Vacant(free) => drop(free.insert(place)),
        }
    }
    repeated
}

/// Finds members by their keys. A session usually has few members, and then a linear search is the fastest. But an
/// application may store a hundred thousand.
enum MemberIndex<'a> {
    Linear,
    Hash(HashMap<Cow<'a, [u8]>, usize>),
}

impl<'a> MemberIndex<'a> {
    const MAX_LINEAR: usize = 32;

    /// Indexes the members. Of members with equal keys, it finds the first.
    fn new(members: &[Member<'a>]) -> MemberIndex<'a> {
        if members.len() <= MemberIndex::MAX_LINEAR {
            return MemberIndex::Linear;
        }
        let mut places = HashMap::with_capacity(members.len());
        for (place, member) in members.iter().enumerate() {
            places.entry(member.key.clone()).or_insert(place);
        }
        MemberIndex::Hash(places)
    }

    fn find(&self, members: &[Member<'a>], key: &[u8]) -> Option<usize> {
        match self {
            MemberIndex::Linear => members.iter().position(|member| *member.key == *key),
            MemberIndex::Hash(places) => places.get(key).copied(),
        }
    }
}

/// Returns whether two cookies are equal apart from their `expires`, which has a bin of its own.
pub fn same_cookie(a: &str, b: &str) -> bool {
    let (Ok(mut a), Ok(mut b)) = (members::split(a), members::split(b)) else {
        return false;
    };
    for cookie in [&mut a, &mut b] {
        cookie.retain(|member| *member.key != *b"expires");
    }
    let equal = a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.whole == b.whole);
    equal || same(&members::join(&a), &members::join(&b))
}

/// Returns whether two JSON texts have the same value. The order of keys does not matter, and a number may be written
/// in several ways.
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

/// Returns a key as a string. `None` for a key with a lone surrogate, which no map can hold.
pub fn key_text(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn diff<'a>(before: &'a str, now: &'a str) -> Diff<'a> {
        let parsed = |text| Session::parse(text).expect("a session");
        Diff::between(&parsed(before), &parsed(now))
    }

    fn merged(before: &str, now: &str, theirs: &str) -> String {
        diff(before, now).apply(theirs).expect("a session")
    }

    #[test]
    fn finds_changed_added_and_deleted_keys() {
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
    fn equal_values_written_differently_are_unchanged() {
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
    fn the_last_of_equal_keys_counts() {
        for others in [0, 100] {
            let others: String = (0..others).map(|n| format!(r#""k{n}":{n},"#)).collect();
            let text = format!(r#"{{"a":1,{others}"b":2,"a":3,"b":4,"b":5}}"#);
            let session = Session::parse(&text).expect("a session");
            assert_eq!(session.data(), format!(r#"{{"a":3,{others}"b":5}}"#));
        }
    }

    #[test]
    fn merges_a_hundred_thousand_keys_fast() {
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

    /// Generates texts of sessions: the same keys in any order and repeated, written in several ways.
    fn text() -> impl Strategy<Value = String> {
        let key = prop_oneof![
            4 => (0..50).prop_map(|key: i32| format!("\"k{key}\"")),
            1 => Just("\"cookie\"".to_owned()),
            1 => Just("\"\\u006b1\"".to_owned()),
        ];
        let value = prop_oneof![
            6 => (0..3).prop_map(|number: i32| number.to_string()),
            1 => Just("1.0".to_owned()),
            1 => Just("10".to_owned()),
            1 => Just(r#""}\",""#.to_owned()),
            1 => Just(r#"{"k1":[1,{}],"expires":2}"#.to_owned()),
            1 => Just(r#"{"k1":[1,{}]}"#.to_owned()),
        ];
        let blank = || prop_oneof![9 => Just(""), 1 => Just(" "), 1 => Just("\n\t")];
        let member = (blank(), key, blank(), blank(), value, blank());
        let member =
            member.prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
        let sorted = any::<bool>();
        (proptest::collection::vec(member, 0..60), sorted).prop_map(|(mut members, sorted)| {
            if sorted {
                members.sort();
            }
            format!("{{{}}}", members.join(","))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

        #[test]
        fn since_and_between_find_the_same_changes(before in text(), now in text()) {
            let parsed = |text| Session::parse(text).expect("a session");
            let now = parsed(&now);
            let between = Diff::between(&parsed(&before), &now);
            let mut since = Diff::since(&before, None, &now).expect("a session");
            // With repeated keys, the order differs.
            since.removed.sort();
            let mut removed = between.removed;
            removed.sort();
            prop_assert_eq!(since.removed, removed);
            prop_assert_eq!(since.changed, between.changed);
            prop_assert_eq!(since.cookie, between.cookie);
        }

        #[test]
        fn since_rejects_what_is_not_an_object(before in text(), cut in any::<prop::sample::Index>()) {
            let now = Session::parse("{}").expect("a session");
            let broken = &before[..cut.index(before.len())];
            prop_assert!(Diff::since(broken, None, &now).is_none());
            for more in ["}", ",", "0"] {
                let broken = format!("{before}{more}");
                prop_assert!(Diff::since(&broken, None, &now).is_none());
            }
        }
    }
}
