//! The cookie of a session: how it is stored, and how it is restored.
//!
//! It is stored without its `expires`, which has a bin of its own. A touch changes only that bin, and the cookie
//! still has the right `expires` when it is read.

use std::borrow::Cow;

use aerospike::Value;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::codec::equality::same;
use crate::codec::{CodecError, decode, members};

/// The format of `Date.prototype.toISOString`.
const ISO: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Returns the text of a cookie as it is stored.
///
/// If `originalMaxAge` is a number, `expires` was a date and can be restored. A cookie from which it cannot be
/// restored (made by hand, or by another framework) keeps its `expires`, which then marks the type.
pub fn to_stored(json: &str) -> Result<Cow<'_, str>, CodecError> {
    let without = members::without(json, "expires")?;
    let Some(expires) = without.taken else {
        return Ok(without.rest);
    };
    let implied = match members::without(json, "originalMaxAge")?.taken {
        Some(age) if is_number(age) => expires.starts_with('"'),
        Some(other) => expires == other,
        None => false,
    };
    Ok(if implied { without.rest } else { json.into() })
}

fn is_number(json: &str) -> bool {
    json.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

/// Appends `"cookie":{..}` for a stored cookie with the session's effective expiry (ms since 1970).
///
/// Returns false and appends nothing if the session was stored without a cookie, that is with an empty one.
pub fn from_stored(
    out: &mut String,
    cookie: &Value,
    expires: Option<i64>,
) -> Result<bool, CodecError> {
    let start = out.len();
    out.push_str("\"cookie\":{");
    let any = match cookie {
        Value::String(json) => {
            let kept = members::without(decode::text(json)?, "expires")?.rest;
            let members = members_text(&kept);
            out.push_str(members);
            !members.trim().is_empty()
        }
        map => decode::map_members(out, map, Some("expires"))?,
    };
    if !any {
        out.truncate(start);
        return Ok(false);
    }
    match (kind(cookie, "expires")?, kind(cookie, "originalMaxAge")?) {
        (Some(Kind::Text), _) => date(out, expires),
        // Some frameworks store a date as milliseconds.
        (Some(Kind::Number), _) => {
            if let Some(expires) = expires {
                out.push_str(&format!(",\"expires\":{expires}"));
            }
        }
        (Some(Kind::False), _) => out.push_str(",\"expires\":false"),
        (Some(_), _) => date(out, None),
        (None, Some(Kind::Number)) => date(out, expires),
        (None, Some(Kind::False)) => out.push_str(",\"expires\":false"),
        (None, _) => date(out, None),
    }
    out.push('}');
    Ok(true)
}

/// Appends `"cookie":{..}` for a session without one, saved as plain data by this package or another language. The
/// cookie is made from the remaining lifetime.
pub fn from_expiry(out: &mut String, expires: Option<i64>, now: i64) {
    let left = expires.map_or("null".into(), |expires| (expires - now).to_string());
    out.push_str("\"cookie\":{\"originalMaxAge\":");
    out.push_str(&left);
    date(out, expires);
    out.push_str(",\"httpOnly\":true,\"path\":\"/\"}");
}

/// Appends `,"expires":..`.
fn date(out: &mut String, ms: Option<i64>) {
    out.push_str(",\"expires\":");
    match ms.and_then(iso) {
        Some(date) => decode::string(out, &date),
        None => out.push_str("null"),
    }
}

/// Returns the ISO text of a time. `None` if JavaScript's dates cannot hold it either.
fn iso(ms: i64) -> Option<String> {
    let date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
    date.format(ISO).ok()
}

/// Returns the text between the braces of an object.
pub fn members_text(object: &str) -> &str {
    object
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or_default()
}

/// The type of a member of a stored cookie.
enum Kind {
    Text,
    Number,
    False,
    Other,
}

/// Returns the type of a member of a cookie, which is a map or JSON text. `None`: it has no such member.
fn kind(cookie: &Value, key: &str) -> Result<Option<Kind>, CodecError> {
    if let Value::String(json) = cookie {
        let member = members::without(json.trim(), key)?.taken;
        return Ok(member.map(|text| match text {
            "false" => Kind::False,
            text if text.starts_with('"') => Kind::Text,
            text if is_number(text) => Kind::Number,
            _ => Kind::Other,
        }));
    }
    let key = Value::from(key);
    let member = match cookie {
        Value::SortedMap(map) => map.get(&key),
        Value::OrderedMap(map) => map.get(&key),
        Value::HashMap(map) => map.get(&key),
        _ => None,
    };
    Ok(member.map(|member| match member {
        Value::String(_) => Kind::Text,
        Value::Int(_) | Value::Float(_) => Kind::Number,
        Value::Bool(false) => Kind::False,
        _ => Kind::Other,
    }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expires_is_kept_only_if_it_cannot_be_restored() {
        let stored = |json: &'static str| to_stored(json).expect("a cookie").into_owned();
        assert_eq!(
            stored(r#"{"originalMaxAge":5,"expires":"2026-01-01T00:00:00.000Z"}"#),
            r#"{"originalMaxAge":5}"#
        );
        assert_eq!(
            stored(r#"{"originalMaxAge":null,"expires":null,"path":"/"}"#),
            r#"{"originalMaxAge":null,"path":"/"}"#
        );
        assert_eq!(
            stored(r#"{"originalMaxAge":false,"expires":false}"#),
            r#"{"originalMaxAge":false}"#
        );
        for kept in [
            r#"{"expires":1767225600000,"maxAge":5}"#,
            r#"{"originalMaxAge":null,"expires":"2026"}"#,
            r#"{"originalMaxAge":5,"expires":null}"#,
        ] {
            assert_eq!(stored(kept), kept);
        }
    }

    #[test]
    fn a_cookie_reads_the_same_from_a_map_and_from_json() {
        for json in [
            r#"{"originalMaxAge":5,"path":"/"}"#,
            r#"{"originalMaxAge":null,"path":"/"}"#,
            r#"{"originalMaxAge":false}"#,
            r#"{"maxAge":5,"expires":1767225600000}"#,
            r#"{"a":1,"expires":"2026"}"#,
            r#"{"a":1,"expires":null}"#,
            r#"{"a":1,"expires":false}"#,
            r#"{"a":1}"#,
            "{}",
        ] {
            let map = crate::codec::tree::value(json, 1).expect("a cookie");
            let read = |cookie: &Value| {
                let mut out = String::new();
                let any = from_stored(&mut out, cookie, Some(7)).expect("a cookie");
                (any, out)
            };
            let map = read(&map.expect("a map"));
            assert_eq!(read(&Value::from(json)), map, "{json}");
        }
    }

    #[test]
    fn dates_have_the_format_of_javascript() {
        assert_eq!(iso(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(
            iso(1_767_225_600_007).as_deref(),
            Some("2026-01-01T00:00:00.007Z")
        );
        assert_eq!(iso(i64::MAX), None);
    }
}
