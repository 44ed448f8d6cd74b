//! Keys of a map that are not strings. JSON has only string keys, so it shows an integer 7 as `"7"`. This module
//! remembers which keys of a record have another type. A change then addresses the existing key instead of adding a
//! second one.
//!
//! A list of such keys is a text: `i7,i-3,n,bff00` for 7, -3, nil and the bytes `ff 00`.

use aerospike::Value;

use super::{MAX_FOREIGN_DEPTH, MAX_SAFE};

/// Returns the list of the keys of a map that are not strings. Empty if the value is not a map.
pub fn non_string_keys(map: &Value) -> String {
    match map {
        Value::SortedMap(map) => list(map.keys()),
        Value::OrderedMap(map) => list(map.keys()),
        Value::HashMap(map) => list(map.keys()),
        _ => String::new(),
    }
}

fn list<'a>(keys: impl Iterator<Item = &'a Value>) -> String {
    let mut out = String::new();
    for key in keys {
        let written = match key {
            Value::Int(value) => format!("i{value}"),
            Value::Nil => "n".to_owned(),
            Value::Blob(bytes) => format!("b{}", hex(bytes)),
            _ => continue,
        };
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&written);
    }
    out
}

/// Returns whether JSON shows a value exactly: the value that its JSON text encodes to is the same again.
pub fn is_shown_exactly(value: &Value) -> bool {
    is_exact(value, 0)
}

fn is_exact(value: &Value, depth: usize) -> bool {
    if depth > MAX_FOREIGN_DEPTH {
        return false;
    }
    fn entries<'v>(
        mut entries: impl Iterator<Item = (&'v Value, &'v Value)>,
        depth: usize,
    ) -> bool {
        entries.all(|(key, value)| matches!(key, Value::String(_)) && is_exact(value, depth + 1))
    }
    match value {
        Value::Nil | Value::Bool(_) | Value::String(_) => true,
        Value::Int(value) => (*value as f64).abs() <= MAX_SAFE,
        // An integral number is encoded as an integer.
        Value::Float(value) => {
            let value = f64::from(value);
            value.is_finite() && (value.fract() != 0.0 || value.abs() > MAX_SAFE)
        }
        Value::List(items) => items.iter().all(|item| is_exact(item, depth + 1)),
        Value::SortedMap(map) => entries(map.iter(), depth),
        Value::OrderedMap(map) => entries(map.iter(), depth),
        // Encrypted data is JSON.
        Value::Blob(_) => depth == 0,
        _ => false,
    }
}

/// Returns the key in a list that JSON shows as `text`.
pub fn shown_as(list: &str, text: &str) -> Option<Value> {
    if list.is_empty() {
        return None;
    }
    list.split(',')
        .find_map(|key| match (key.split_at_checked(1)?, text) {
            (("n", ""), "null") => Some(Value::Nil),
            (("i", digits), _) if digits == text => digits.parse().ok().map(Value::Int),
            (("b", digits), _) if digits == text => bytes(digits).map(Value::Blob),
            _ => None,
        })
}

/// Returns bytes as JSON shows them in a key.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use aerospike::IndexMap;

    use super::*;

    #[test]
    fn finds_every_key_by_its_text_in_json() {
        let keys = [
            Value::Int(7),
            Value::Int(-3),
            Value::Int(i64::MIN),
            Value::Nil,
            Value::Blob(vec![0xff, 0]),
            Value::Blob(vec![]),
            Value::from("text"),
            Value::from("7"),
        ];
        let map: IndexMap<_, _> = keys.iter().cloned().map(|key| (key, Value::Nil)).collect();
        let list = non_string_keys(&Value::OrderedMap(map));
        assert_eq!(list, "i7,i-3,i-9223372036854775808,n,bff00,b");
        for (text, key) in ["7", "-3", "-9223372036854775808", "null", "ff00", ""]
            .iter()
            .zip(keys)
        {
            assert_eq!(shown_as(&list, text), Some(key));
        }
        for text in ["text", "8", "07", "i7", "n", "ff", "FF00"] {
            assert_eq!(shown_as(&list, text), None);
        }
    }

    #[test]
    fn malformed_lists_do_not_panic() {
        for list in ["", ",", "i", "i,", "b0", "bzz", "é", "n7"] {
            for text in ["", "0", "zz", "null", "é"] {
                let _ = shown_as(list, text);
            }
        }
    }
}
