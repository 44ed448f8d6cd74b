//! Converts a value from the server to JSON text. Any program in any language may have written it.

use aerospike::Value;

use super::encode::nests_deeper;
use super::{CodecError, MAX_FOREIGN_DEPTH, MAX_SAFE, keys};

/// Appends the JSON text of `value` to `out`.
pub fn value(out: &mut String, value: &Value) -> Result<(), CodecError> {
    any(out, value, 0)
}

/// Appends the members of a map, without braces, leaving out the key `except`.
///
/// Returns whether anything was appended.
pub fn map_members(
    out: &mut String,
    map: &Value,
    except: Option<&str>,
) -> Result<bool, CodecError> {
    match map {
        Value::SortedMap(map) => members(out, map, except, 1),
        Value::OrderedMap(map) => members(out, map, except, 1),
        Value::HashMap(map) => members(out, map, except, 1),
        _ => Err(CodecError::NotAnObject),
    }
}

/// Returns stored JSON text without the surrounding white space. Fails if it nests deeper than a stored value may.
pub fn text(json: &str) -> Result<&str, CodecError> {
    match nests_deeper(json, MAX_FOREIGN_DEPTH) {
        true => Err(CodecError::StoredTooDeep),
        false => Ok(json.trim()),
    }
}

/// Appends a JSON string.
pub fn string(out: &mut String, text: &str) {
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    // Counts without stopping early, so that the compiler can vectorize the loop.
    if text
        .as_bytes()
        .iter()
        .filter(|byte| !is_plain(byte))
        .count()
        == 0
    {
        return quoted(out, text);
    }
    match serde_json::to_string(text) {
        Ok(escaped) => out.push_str(&escaped),
        Err(_) => out.push_str("\"\""),
    }
}

/// Appends a JSON string that needs no escapes.
fn quoted(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    out.push_str(text);
    out.push('"');
}

fn any(out: &mut String, value: &Value, depth: usize) -> Result<(), CodecError> {
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => integer(out, *value),
        Value::Float(value) => double(out, f64::from(value)),
        Value::String(text) | Value::GeoJson(text) => string(out, text),
        Value::Blob(bytes) | Value::Hll(bytes) => buffer(out, bytes),
        Value::List(items) => {
            let depth = enter(depth)?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                any(out, item, depth)?;
            }
            out.push(']');
        }
        Value::SortedMap(map) => object(out, map, depth)?,
        Value::OrderedMap(map) => object(out, map, depth)?,
        Value::HashMap(map) => object(out, map, depth)?,
        Value::KeyValueList(pairs) => {
            object(out, pairs.iter().map(|(key, value)| (key, value)), depth)?
        }
        _ => return Err(CodecError::UnknownValue),
    }
    Ok(())
}

/// Enters a list or map. `depth`: the number of lists and maps around it.
fn enter(depth: usize) -> Result<usize, CodecError> {
    match depth < MAX_FOREIGN_DEPTH {
        true => Ok(depth + 1),
        false => Err(CodecError::StoredTooDeep),
    }
}

fn object<'a>(
    out: &mut String,
    entries: impl IntoIterator<Item = (&'a Value, &'a Value)>,
    depth: usize,
) -> Result<(), CodecError> {
    let depth = enter(depth)?;
    out.push('{');
    members(out, entries, None, depth)?;
    out.push('}');
    Ok(())
}

fn members<'a>(
    out: &mut String,
    entries: impl IntoIterator<Item = (&'a Value, &'a Value)>,
    except: Option<&str>,
    depth: usize,
) -> Result<bool, CodecError> {
    let mut has_members = false;
    for (name, item) in entries {
        if matches!((name, except), (Value::String(name), Some(except)) if name == except) {
            continue;
        }
        if has_members {
            out.push(',');
        }
        has_members = true;
        key(out, name)?;
        out.push(':');
        any(out, item, depth)?;
    }
    Ok(has_members)
}

/// Appends a key. JSON has only string keys: integers become decimal, bytes hexadecimal.
fn key(out: &mut String, key: &Value) -> Result<(), CodecError> {
    match key {
        Value::String(text) => string(out, text),
        Value::Int(value) => quoted(out, itoa::Buffer::new().format(*value)),
        Value::Nil => out.push_str("\"null\""),
        Value::Blob(bytes) => {
            quoted(out, &keys::hex(bytes));
        }
        _ => return Err(CodecError::UnknownValue),
    }
    Ok(())
}

fn integer(out: &mut String, value: i64) {
    let exact =
        value.unsigned_abs() <= MAX_SAFE as u64 || i128::from(value) == (value as f64) as i128;
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value);
    if exact {
        out.push_str(digits);
    } else {
        quoted(out, digits);
    }
}

/// Appends the shortest text that parses to the same double. Like `JSON.stringify`, appends `null` for numbers that
/// JSON does not have.
fn double(out: &mut String, value: f64) {
    match value.is_finite() {
        true => out.push_str(zmij::Buffer::new().format_finite(value)),
        false => out.push_str("null"),
    }
}

/// Appends the JSON of a Node.js `Buffer`.
fn buffer(out: &mut String, bytes: &[u8]) {
    out.push_str(r#"{"type":"Buffer","data":["#);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(itoa::Buffer::new().format(*byte));
    }
    out.push_str("]}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &Value) -> String {
        let mut out = String::new();
        super::value(&mut out, value).expect("JSON");
        out
    }

    #[test]
    fn integers_that_no_double_can_hold_become_decimal_strings() {
        assert_eq!(json(&Value::Int(1 << 53)), "9007199254740992");
        assert_eq!(json(&Value::Int((1 << 53) + 1)), "\"9007199254740993\"");
        assert_eq!(json(&Value::Int((1 << 53) + 2)), "9007199254740994");
        assert_eq!(json(&Value::Int(i64::MAX)), "\"9223372036854775807\"");
        assert_eq!(json(&Value::Int(i64::MIN)), "-9223372036854775808");
    }

    #[test]
    fn numbers_that_json_does_not_have_become_null() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(json(&Value::from(number)), "null");
        }
        assert_eq!(json(&Value::from(0.1)), "0.1");
        assert_eq!(json(&Value::from(5e-324)), "5e-324");
    }

    #[test]
    fn bytes_become_the_json_of_a_buffer() {
        assert_eq!(
            json(&Value::Blob(vec![0, 255])),
            r#"{"type":"Buffer","data":[0,255]}"#
        );
    }

    #[test]
    fn keys_of_other_languages_become_strings() {
        let map = Value::from(aerospike::IndexMap::from([
            (Value::Int(7), Value::Nil),
            (Value::Blob(vec![0xab]), Value::Bool(true)),
        ]));
        assert_eq!(json(&map), r#"{"7":null,"ab":true}"#);
    }

    #[test]
    fn rejects_values_that_are_nested_too_deep() {
        let mut value = Value::Nil;
        for _ in 0..MAX_FOREIGN_DEPTH {
            value = Value::List(vec![value]);
        }
        // As deep as a text may nest.
        assert!(text(&json(&value)).is_ok());
        let value = Value::List(vec![value]);
        assert_eq!(
            super::value(&mut String::new(), &value),
            Err(CodecError::StoredTooDeep)
        );
    }
}
