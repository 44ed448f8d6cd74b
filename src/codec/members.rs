//! The top-level members of a JSON object, as slices of its text.
//!
//! express-session passes one object with the cookie and the user's keys. The record stores the two in different
//! bins. This module splits the text, so nothing is parsed into a tree and serialized again.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::CodecError;

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The bytes of the key: UTF-8, or WTF-8 if it has a lone surrogate.
    pub key: Cow<'a, [u8]>,
    /// The text of the value.
    pub value: &'a str,
    /// The text of key, colon and value.
    pub whole: &'a str,
}

/// The text of an object, split into one member and the rest.
#[derive(Debug, PartialEq, Eq)]
pub struct Without<'a> {
    /// The object without the member.
    pub rest: Cow<'a, str>,
    /// The text of the member's value, if the object had it. The last, if it had several.
    pub taken: Option<&'a str>,
}

/// Returns all members of the object `text`, in its order. Of members with equal keys the last counts, as in
/// `JSON.parse`.
pub fn split(text: &str) -> Result<Vec<Member<'_>>, CodecError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let members = json
        .deserialize_map(Members(text))
        .map_err(|error| match error.is_data() {
            true => CodecError::NotAnObject,
            false => error.into(),
        })?;
    json.end()?;
    Ok(members)
}

/// Returns the member of an object that begins at `start`, and its end. `None`: there is no member.
pub fn parse_at(text: &str, start: usize) -> Option<(Member<'_>, usize)> {
    let (Key(key), end) = parse_first(text.get(start..)?)?;
    let colon = start + end + leading_whitespace(&text[start + end..]);
    let from = text[colon..].starts_with(':').then_some(colon + 1)?;
    let (value, end) = parse_first::<&RawValue>(&text[from..])?;
    let (value, end) = (value.get(), from + end);
    let whole = text.get(start..end)?;
    Some((Member { key, value, whole }, end))
}

/// Parses the value at the beginning of a text. Returns the value and its end.
fn parse_first<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Option<(T, usize)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let value = values.next()?.ok()?;
    Some((value, values.byte_offset()))
}

/// Returns the length of the white space at the beginning of a text.
pub fn leading_whitespace(text: &str) -> usize {
    let bytes = text.bytes();
    bytes
        .take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
        .count()
}

/// Returns the text of an object with these members.
pub fn join(members: &[Member<'_>]) -> String {
    let length: usize = members.iter().map(|member| member.whole.len() + 1).sum();
    let mut text = String::with_capacity(length + 2);
    text.push('{');
    for member in members {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(member.whole);
    }
    text.push('}');
    text
}

/// Removes the member `name` from the object `text`.
pub fn without<'a>(text: &'a str, name: &str) -> Result<Without<'a>, CodecError> {
    let mut members = split(text)?;
    let mut taken = None;
    members.retain(|member| {
        let found = *member.key == *name.as_bytes();
        if found {
            taken = Some(member.value);
        }
        !found
    });
    let rest = match taken {
        None => text.into(),
        Some(_) => join(&members).into(),
    };
    Ok(Without { rest, taken })
}

struct Members<'a>(&'a str);

/// The usual number of members of a session.
const USUAL: usize = 12;

impl<'a> Visitor<'a> for Members<'a> {
    type Value = Vec<Member<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let text = self.0;
        let mut members = Vec::with_capacity(USUAL);
        let mut end = 0;
        while let Some(Key(key)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            let value = value.get();
            // A raw value is a slice of the text. Everything between the end of the previous member and this value is
            // the separator, the key and the colon.
            let start = value.as_ptr() as usize - text.as_ptr() as usize;
            let from = end;
            end = start + value.len();
            let whole = text
                .get(from..end)
                .unwrap_or_default()
                .trim_start_matches(['{', ',', ' ', '\n', '\r', '\t']);
            members.push(Member { key, value, whole });
        }
        Ok(members)
    }
}

/// A key as bytes, so that it may have a lone surrogate.
struct Key<'a>(Cow<'a, [u8]>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Key<'de>, E> {
                Ok(Key(bytes.into()))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Key<'de>, E> {
                Ok(Key(bytes.to_vec().into()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(text: &str) -> (String, Option<&str>) {
        let without = without(text, "cookie").expect("an object");
        (without.rest.into_owned(), without.taken)
    }

    #[test]
    fn removes_a_member_at_the_start_in_the_middle_and_at_the_end() {
        let cookie = r#"{"path":"/"}"#;
        for text in [
            r#"{"cookie":{"path":"/"},"a":1,"b":[2]}"#,
            r#"{"a":1,"cookie":{"path":"/"},"b":[2]}"#,
            r#"{"a":1,"b":[2],"cookie":{"path":"/"}}"#,
        ] {
            assert_eq!(rest(text), (r#"{"a":1,"b":[2]}"#.into(), Some(cookie)));
        }
    }

    #[test]
    fn keeps_an_object_without_the_member() {
        assert_eq!(
            rest(r#"{"a":{"cookie":1}}"#),
            (r#"{"a":{"cookie":1}}"#.into(), None)
        );
        assert_eq!(rest("{}"), ("{}".into(), None));
        assert_eq!(rest(r#"{"cookie":null}"#), ("{}".into(), Some("null")));
    }

    #[test]
    fn keeps_unusual_keys_and_lone_surrogates() {
        let text = r#"{"{,":1,"cookie":2,"\ud800":"\udfff","é\"":3}"#;
        assert_eq!(
            rest(text),
            (r#"{"{,":1,"\ud800":"\udfff","é\"":3}"#.into(), Some("2"))
        );
    }

    #[test]
    fn rejects_what_is_not_an_object() {
        assert_eq!(without("[1]", "cookie"), Err(CodecError::NotAnObject));
        assert!(matches!(
            without("{", "cookie"),
            Err(CodecError::Syntax { .. })
        ));
    }
}
