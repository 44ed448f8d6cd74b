//! Converts JSON text to a packed, key-ordered Aerospike map, in one pass and without a tree of values.
//!
//! The server checks key-ordered maps and rejects keys that are out of order or repeated. The order is bytewise on
//! the UTF-8 of the keys. Of equal keys the last one wins, as in `JSON.parse`.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::number::Number;
use super::{CodecError, MAX_DEPTH, packer};

/// A converted JSON object.
#[derive(Debug, PartialEq, Eq)]
pub enum Encoded {
    /// The packed map: the content of a bin of particle type map.
    Map(Vec<u8>),
    /// The text contains a lone surrogate, which no UTF-8 string and so no Aerospike string can hold. It has to be
    /// stored as JSON text, where the surrogate is an escape sequence.
    OnlyJson,
}

/// Converts the text of a JSON object.
pub fn object(text: &str) -> Result<Encoded, CodecError> {
    let mut out = Vec::with_capacity(text.len() + packer::MAX_MAP_HEADER);
    let mut json = serde_json::Deserializer::from_str(text);
    let packed = ValuePacker {
        out: &mut out,
        depth: 1,
        only_object: true,
    }
    .deserialize(&mut json)
    .and_then(|()| json.end());
    match packed {
        Ok(()) => Ok(Encoded::Map(out)),
        Err(error) if error.is_data() => Err(data_error(&error)),
        // serde_json rejects a lone surrogate when it has to make a `str` of it. It accepts one when it only searches
        // for the end of the value. So text that fails the first and passes the second is JSON with a lone surrogate.
        Err(error) => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) if nesting(text) > MAX_DEPTH => Err(CodecError::TooDeep),
            Ok(_) if text.trim_start().starts_with('{') => Ok(Encoded::OnlyJson),
            Ok(_) => Err(CodecError::NotAnObject),
            Err(_) => Err(error.into()),
        },
    }
}

/// Checks that the text is a JSON object.
pub fn check_object(text: &str) -> Result<(), CodecError> {
    serde_json::from_str::<serde::de::IgnoredAny>(text)?;
    match text.trim_start().starts_with('{') {
        true => Ok(()),
        false => Err(CodecError::NotAnObject),
    }
}

/// Checks that the text is a JSON object, nested no deeper than a map may be.
pub fn check(text: &str) -> Result<(), CodecError> {
    check_object(text)?;
    match nests_deeper(text, MAX_DEPTH) {
        true => Err(CodecError::TooDeep),
        false => Ok(()),
    }
}

/// Checks that a valid text of an object is nested no deeper than a map may be, and returns it.
pub fn check_depth(text: String) -> Result<String, CodecError> {
    match nests_deeper(&text, MAX_DEPTH) {
        true => Err(CodecError::TooDeep),
        false => Ok(text),
    }
}

/// Returns whether a JSON text nests deeper than `limit`. Counting the opening brackets is enough for most texts.
pub(super) fn nests_deeper(text: &str, limit: usize) -> bool {
    let opening = |byte: &&u8| matches!(byte, b'{' | b'[');
    text.as_bytes().iter().filter(opening).count() > limit && nesting(text) > limit
}

/// Converts a data error. Only the visitors below raise data errors.
pub(super) fn data_error(error: &serde_json::Error) -> CodecError {
    if error.to_string().starts_with(TOO_DEEP) {
        CodecError::TooDeep
    } else {
        CodecError::NotAnObject
    }
}

const TOO_DEEP: &str = "too deep";

/// Returns how deep the arrays and objects of a valid JSON text nest.
pub(super) fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Enters an array or object at `depth`. Returns the depth of its contents.
pub(super) fn enter<E: serde::de::Error>(depth: usize) -> Result<usize, E> {
    match depth > MAX_DEPTH {
        true => Err(E::custom(TOO_DEEP)),
        false => Ok(depth + 1),
    }
}

/// Packs the next value.
struct ValuePacker<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    only_object: bool,
}

impl ValuePacker<'_> {
    fn scalar<E: serde::de::Error>(self, pack: impl FnOnce(&mut Vec<u8>)) -> Result<(), E> {
        if self.only_object {
            return Err(E::custom("not an object"));
        }
        pack(self.out);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ValuePacker<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValuePacker<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.scalar(packer::nil)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(|out| packer::boolean(out, value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(|out| Number::from_i64(value).pack(out))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(|out| Number::from_u64(value).pack(out))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(|out| Number::from_f64(value).pack(out))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(|out| packer::string(out, value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.only_object {
            return Err(A::Error::custom("not an object"));
        }
        let depth = enter(self.depth)?;
        let header = Header::reserve(self.out, packer::SHORT_LIST_HEADER);
        let mut count = 0;
        while seq
            .next_element_seed(ValuePacker {
                out: &mut *self.out,
                depth,
                only_object: false,
            })?
            .is_some()
        {
            count += 1;
        }
        let mut packed = [0; packer::MAX_LIST_HEADER];
        let length = packer::list_header(&mut packed, count);
        header.fill(self.out, &packed[..length]);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = enter(self.depth)?;
        let header = Header::reserve(self.out, packer::SHORT_MAP_HEADER);
        let start = self.out.len();
        let mut entries: Vec<Entry> = Vec::with_capacity(USUAL_ENTRIES);
        while let Some(key) = map.next_key_seed(KeyPacker {
            out: &mut *self.out,
        })? {
            map.next_value_seed(ValuePacker {
                out: &mut *self.out,
                depth,
                only_object: false,
            })?;
            entries.push(Entry {
                whole: key.start..self.out.len(),
                key: key.text,
            });
        }
        order(self.out, start, &mut entries);
        let mut packed = [0; packer::MAX_MAP_HEADER];
        let length = packer::key_ordered_header(&mut packed, entries.len());
        header.fill(self.out, &packed[..length]);
        Ok(())
    }
}

/// The usual number of entries of a map.
const USUAL_ENTRIES: usize = 8;

/// The position of a header. It contains the number of entries or items, which is known only after they have been
/// packed. So space for a short header is reserved. If the header turns out longer, everything after it is moved.
struct Header {
    place: Range<usize>,
}

impl Header {
    fn reserve(out: &mut Vec<u8>, short: usize) -> Header {
        let start = out.len();
        out.resize(start + short, 0);
        Header {
            place: start..out.len(),
        }
    }

    fn fill(self, out: &mut Vec<u8>, packed: &[u8]) {
        out.splice(self.place, packed.iter().copied());
    }
}

/// The position of an entry in the buffer: key and value, and the text of the key alone.
struct Entry {
    whole: Range<usize>,
    key: Range<usize>,
}

/// Sorts the packed entries from `start` on by key. Keeps the last of equal keys.
fn order(out: &mut Vec<u8>, start: usize, entries: &mut Vec<Entry>) {
    let ordered = entries
        .windows(2)
        .all(|pair| out[pair[0].key.clone()] < out[pair[1].key.clone()]);
    if ordered {
        return;
    }
    entries.sort_by(|a, b| out[a.key.clone()].cmp(&out[b.key.clone()]));
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries.drain(..) {
        match kept.last_mut() {
            Some(last) if out[last.key.clone()] == out[entry.key.clone()] => *last = entry,
            _ => kept.push(entry),
        }
    }
    let mut sorted = Vec::with_capacity(out.len() - start);
    for entry in &kept {
        sorted.extend_from_slice(&out[entry.whole.clone()]);
    }
    out.truncate(start);
    out.append(&mut sorted);
    *entries = kept;
}

struct KeyPacker<'a> {
    out: &'a mut Vec<u8>,
}

struct KeyPlace {
    start: usize,
    text: Range<usize>,
}

impl<'de> DeserializeSeed<'de> for KeyPacker<'_> {
    type Value = KeyPlace;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<KeyPlace, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyPacker<'_> {
    type Value = KeyPlace;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, value: &str) -> Result<KeyPlace, E> {
        let start = self.out.len();
        packer::string(self.out, value);
        let end = self.out.len();
        Ok(KeyPlace {
            start,
            text: end - value.len()..end,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> Vec<u8> {
        match object(text) {
            Ok(Encoded::Map(bytes)) => bytes,
            other => panic!("{text}: {other:?}"),
        }
    }

    const MARK: [u8; 4] = [0xc7, 0x00, 0x01, 0xc0];

    #[test]
    fn an_empty_object_is_an_empty_key_ordered_map() {
        assert_eq!(map("{}"), [&[0x81][..], &MARK].concat());
    }

    #[test]
    fn keys_are_in_byte_order_and_the_last_of_equal_keys_wins() {
        let expected = [&[0x83][..], &MARK, &[0xa2, 3, b'a', 2, 0xa2, 3, b'b', 1]].concat();
        assert_eq!(map(r#"{"b":1,"a":2}"#), expected);
        assert_eq!(map(r#"{"a":9,"b":1,"a":2}"#), expected);
    }

    #[test]
    fn whole_numbers_up_to_2_to_the_53_are_integers_and_others_doubles() {
        let value = |text: &str| map(&format!(r#"{{"n":{text}}}"#))[8..].to_vec();
        assert_eq!(value("9007199254740992")[0], 0xcf);
        assert_eq!(value("9007199254740993")[0], 0xcb);
        assert_eq!(value("-9007199254740992")[0], 0xd3);
        assert_eq!(value("1e3"), [0xcd, 0x03, 0xe8]);
        assert_eq!(value("1.5")[0], 0xcb);
        assert_eq!(value("1e21")[0], 0xcb);
        assert_eq!(value("-0")[0], 0xcb);
    }

    #[test]
    fn a_lone_surrogate_requires_json_and_an_escaped_backslash_does_not() {
        assert_eq!(object(r#"{"a":"\ud800"}"#), Ok(Encoded::OnlyJson));
        assert_eq!(object(r#"{"\udfff":1}"#), Ok(Encoded::OnlyJson));
        map(r#"{"a":"\\ud800"}"#);
        map(r#"{"a":"\ud83d\ude00"}"#);
    }

    #[test]
    fn nesting_is_limited_also_for_texts_that_require_json() {
        let nested = |depth: usize, leaf: &str| {
            format!("{}{leaf}{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
        };
        assert!(matches!(
            object(&nested(MAX_DEPTH, "1")),
            Ok(Encoded::Map(_))
        ));
        assert_eq!(
            object(&nested(MAX_DEPTH + 1, "1")),
            Err(CodecError::TooDeep)
        );
        assert_eq!(object(&nested(5000, "1")), Err(CodecError::TooDeep));
        assert_eq!(
            object(&nested(MAX_DEPTH, r#""\ud800""#)),
            Ok(Encoded::OnlyJson)
        );
    }

    #[test]
    fn rejects_what_is_not_an_object() {
        for text in ["[]", "1", "null", r#""a""#, r#""\ud800""#] {
            assert_eq!(object(text), Err(CodecError::NotAnObject), "{text}");
        }
        assert!(matches!(object("{"), Err(CodecError::Syntax { .. })));
        assert!(matches!(object("{} {}"), Err(CodecError::Syntax { .. })));
    }
}
