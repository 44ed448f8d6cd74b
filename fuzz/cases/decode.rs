//! Arbitrary values that a server may return: decoding gives JSON or an error.

use std::collections::BTreeMap;

use aerospike::{IndexMap, Value};
use aerospike_session::codec::{MAX_FOREIGN_DEPTH, decode};
use arbitrary::{Arbitrary, Unstructured};

pub fn run(bytes: &[u8]) {
    let mut from = Unstructured::new(bytes);
    let Ok(value) = any(&mut from, 0) else { return };
    // Nested as deep as allowed, or deeper.
    let deeper = usize::from(u16::arbitrary(&mut from).unwrap_or(0)) % (2 * MAX_FOREIGN_DEPTH);
    let value = (0..deeper).fold(value, |inner, n| match n % 3 {
        0 => Value::List(vec![Value::Nil, inner]),
        1 => Value::OrderedMap(IndexMap::from([(Value::Int(1), inner)])),
        _ => Value::KeyValueList(vec![(Value::from("a"), inner)]),
    });
    let mut json = String::new();
    if decode::value(&mut json, &value).is_ok() {
        assert!(
            serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(),
            "{json}"
        );
        // Bytes at the deepest level add an object and a list to the depth.
        assert!(decode::text(&json).is_ok() || json.contains("Buffer"));
    }
    for except in [None, Some("cookie")] {
        let mut members = String::from("{");
        if decode::map_members(&mut members, &value, except).is_ok() {
            members.push('}');
            assert!(
                serde_json::from_str::<serde::de::IgnoredAny>(&members).is_ok(),
                "{members}"
            );
        }
    }
}

fn any(from: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Value> {
    let highest = if depth > 20 { 10 } else { 15 };
    Ok(match from.int_in_range(0..=highest)? {
        0 => Value::Nil,
        1 => Value::Bool(bool::arbitrary(from)?),
        2 => Value::Int(i64::arbitrary(from)?),
        3 => Value::from(f64::arbitrary(from)?),
        4 => Value::String(String::arbitrary(from)?),
        5 => Value::GeoJson(String::arbitrary(from)?),
        6 => Value::Blob(Vec::arbitrary(from)?),
        7 => Value::Hll(Vec::arbitrary(from)?),
        8 => Value::Unknown(u8::arbitrary(from)?, Vec::arbitrary(from)?),
        9 => Value::Infinity,
        10 => Value::Wildcard,
        11 => Value::List(some(from, |from| any(from, depth + 1))?),
        12 => Value::MultiResult(some(from, |from| any(from, depth + 1))?),
        13 => Value::SortedMap(
            entries(from, depth)?
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        ),
        14 => Value::OrderedMap(
            entries(from, depth)?
                .into_iter()
                .collect::<IndexMap<_, _>>(),
        ),
        _ => Value::KeyValueList(some(from, |from| {
            Ok((any(from, depth + 1)?, any(from, depth + 1)?))
        })?),
    })
}

fn entries(from: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Vec<(Value, Value)>> {
    some(from, |from| {
        // The crate accepts no other keys.
        let key = match from.int_in_range(0..=3)? {
            0 => Value::Nil,
            1 => Value::Int(i64::arbitrary(from)?),
            2 => Value::Blob(Vec::arbitrary(from)?),
            _ => Value::String(String::arbitrary(from)?),
        };
        Ok((key, any(from, depth + 1)?))
    })
}

fn some<T>(
    from: &mut Unstructured<'_>,
    mut one: impl FnMut(&mut Unstructured<'_>) -> arbitrary::Result<T>,
) -> arbitrary::Result<Vec<T>> {
    (0..from.int_in_range(0..=5)?).map(|_| one(from)).collect()
}
