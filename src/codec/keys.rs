//! Keys of a map that are not strings. JSON has only string keys, so it shows an integer 7 as `"7"`. This module
//! remembers which keys of a record have another type. A change then addresses the existing key instead of adding a
//! second one.
//!
//! A list of such keys is a text: `i7,i-3,n,bff00` for 7, -3, nil and the bytes `ff 00`.

use aerospike::Value;

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
