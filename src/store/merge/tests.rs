//! Changes of sessions, and merges.

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
    let member = member.prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
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
