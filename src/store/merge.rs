//! What a request changed in a session, and how that goes together with what others changed.
//!
//! Merging is per top-level key, three-way and never deep: a key the request changed is its own,
//! a key it deleted is deleted, every other key is what the record holds by now. The cookie is
//! always the writer's, whole.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value as Json;

use super::bins::COOKIE;
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
        let (earlier, later) = (
            UnreachableAddresses::of(&before.data),
            UnreachableAddresses::of(&now.data),
        );
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

    /// From the session of the text `before` to `now`, without taking apart what stands in both texts alike. `cookie`:
    /// that was stored, if it is not the one in the text. `None`: the text is not that of an object, or an unusual one.
    pub fn since(
        before: &'a str,
        cookie: Option<Option<&'a str>>,
        now: &Session<'a>,
    ) -> Option<Diff<'a>> {
        let Compared {
            was,
            removed,
            inside,
        } = Compared::with(before, &now.data)?;
        let members = now.data.iter().zip(was);
        let changed = members.filter(|(new, was)| match was {
            Was::Same => false,
            Was::Text(old) => !same(old, new.value),
            Was::Absent => true,
        });
        let mut diff = Diff {
            changed: changed.map(|(new, _)| new.clone()).collect(),
            removed,
            cookie: None,
        };
        diff.compare_cookies(cookie.unwrap_or(inside), now.cookie);
        Some(diff)
    }

    fn compare_cookies(&mut self, before: Option<&str>, now: Option<&'a str>) {
        if let Some(cookie) = now {
            if !before.is_some_and(|old| same_cookie(old, cookie)) {
                self.cookie = Some(cookie);
            }
        }
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
        let places = UnreachableAddresses::of(&merged);
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

/// What a member was in an earlier text.
#[derive(Clone, Copy)]
enum Was<'a> {
    Absent,
    /// It stood there as it is.
    Same,
    /// It had this value.
    Text(&'a str),
}

/// An earlier text of a session, compared with its members.
struct Compared<'a> {
    /// What each member was.
    was: Vec<Was<'a>>,
    /// Keys of the text that no member has.
    removed: Vec<Cow<'a, [u8]>>,
    /// The cookie in the text.
    inside: Option<&'a str>,
}

impl<'a> Compared<'a> {
    /// Sessions keep the order of their members: where one is expected, comparing the two texts finds it or does not. Only
    /// what is found to differ is parsed.
    fn with(before: &'a str, now: &[Member<'a>]) -> Option<Compared<'a>> {
        let mut compared = Compared {
            was: vec![Was::Absent; now.len()],
            removed: Vec::new(),
            inside: None,
        };
        let mut places = None;
        let mut expected = 0;
        let mut at = members::blank(before);
        at += before[at..].starts_with('{').then_some(1)?;
        at += members::blank(&before[at..]);
        let mut is_over = before[at..].starts_with('}');
        at += usize::from(is_over);
        while !is_over {
            let alike = now.get(expected).and_then(|one| {
                let rest = before[at..].strip_prefix(one.whole)?;
                rest.starts_with([',', '}']).then_some(one.whole.len())
            });
            if let Some(length) = alike {
                compared.was[expected] = Was::Same;
                expected += 1;
                at += length;
            } else {
                let (old, end) = members::one(before, at)?;
                at = end + members::blank(&before[end..]);
                if *old.key == *COOKIE.as_bytes() {
                    compared.inside = Some(old.value);
                } else {
                    let is_at =
                        |place: &usize| now.get(*place).is_some_and(|one| one.key == old.key);
                    let place = Some(expected).filter(is_at).or_else(|| {
                        let places = places.get_or_insert_with(|| UnreachableAddresses::of(now));
                        places.find(now, &old.key)
                    });
                    match place {
                        Some(place) => {
                            compared.was[place] = Was::Text(old.value);
                            expected = place + 1;
                        }
                        None => compared.removed.push(old.key),
                    }
                }
            }
            is_over = before[at..].starts_with('}');
            at += (is_over || before[at..].starts_with(',')).then_some(1)?;
            at += members::blank(&before[at..]);
        }
        if compared.removed.len() > 1 {
            let mut seen = HashSet::new();
            compared.removed.retain(|key| seen.insert(key.clone()));
        }
        (at == before.len()).then_some(compared)
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

/// The places of members whose keys others before them have, each with the first place of its key; in order.
fn repeated(members: &[Member<'_>]) -> BTreeMap<usize, usize> {
    let mut repeated = BTreeMap::new();
    if members.len() <= UnreachableAddresses::FEW {
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

/// Finds members by their keys. A session has few, and then looking at each is the fastest; but nobody keeps an
/// application from having a hundred thousand.
enum UnreachableAddresses<'a> {
    Few,
    Many(HashMap<Cow<'a, [u8]>, usize>),
}

impl<'a> UnreachableAddresses<'a> {
    const FEW: usize = 32;

    /// Of members with equal keys, it finds the first.
    fn of(members: &[Member<'a>]) -> UnreachableAddresses<'a> {
        if members.len() <= UnreachableAddresses::FEW {
            return UnreachableAddresses::Few;
        }
        let mut places = HashMap::with_capacity(members.len());
        for (place, member) in members.iter().enumerate() {
            places.entry(member.key.clone()).or_insert(place);
        }
        UnreachableAddresses::Many(places)
    }

    fn find(&self, members: &[Member<'a>], key: &[u8]) -> Option<usize> {
        match self {
            UnreachableAddresses::Few => members.iter().position(|member| *member.key == *key),
            UnreachableAddresses::Many(places) => places.get(key).copied(),
        }
    }
}

/// Whether two cookies differ in nothing but when they expire, which has a bin of its own.
pub fn same_cookie(a: &str, b: &str) -> bool {
    let (Ok(mut a), Ok(mut b)) = (members::split(a), members::split(b)) else {
        return false;
    };
    for cookie in [&mut a, &mut b] {
        cookie.retain(|member| *member.key != *b"expires");
    }
    let alike = a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.whole == b.whole);
    alike || same(&members::join(&a), &members::join(&b))
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

    /// Texts of sessions: the same keys in any order and more than once, written in more than one way.
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
        fn what_changed_since_a_text_is_what_changed_between_sessions(before in text(), now in text()) {
            let parsed = |text| Session::parse(text).expect("a session");
            let now = parsed(&now);
            let between = Diff::between(&parsed(&before), &now);
            let mut since = Diff::since(&before, None, &now).expect("a session");
            // In another order, where keys are repeated.
            since.removed.sort();
            let mut removed = between.removed;
            removed.sort();
            prop_assert_eq!(since.removed, removed);
            prop_assert_eq!(since.changed, between.changed);
            prop_assert_eq!(since.cookie, between.cookie);
        }

        #[test]
        fn what_is_no_object_is_not_compared(before in text(), cut in any::<prop::sample::Index>()) {
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
