//! What was known of a session when it was loaded or last written: the base of a merge.
//!
//! A baseline is two texts: a head, such as `Lm,1767225600000,1767139200000,3`, and the session's JSON. JavaScript keeps
//! both beside the session object and gives them back with the next set, unread. Behind a `;` the head may list keys of the
//! data that are no text, see [`keys`](crate::codec::keys). In front of a `:` it may have the digest of the record: of a
//! session that came in a list, whose id JavaScript may not know.
//!
//! Writes that failed and may have been carried out all the same are noted behind the JSON, one after the other: a
//! separator, `s` and the session that was set, or `c` and the cookie of a touch. What they changed is uncertain until a
//! later write has succeeded, so that writes it again. lib/baselines.js does the same.

use std::fmt;

/// Where a baseline comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Loaded,
    /// Written by the same session object, a moment ago.
    Written,
}

/// In what form a record keeps the session's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Map,
    Json,
    /// The record of aerospike-session-store 0.4: JSON of data and cookie in bin `session`.
    Legacy,
    /// Encrypted, as it would be written now.
    Sealed,
    /// Not encrypted though it would be written so now, or with an older key.
    Stale,
}

impl Form {
    /// Whether the next write has to bring the whole record into another form, changed or not.
    pub fn is_outdated(self) -> bool {
        matches!(self, Form::Legacy | Form::Stale)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    pub origin: Origin,
    pub form: Form,
    /// Milliseconds since 1970; `None`: never.
    pub expires: Option<i64>,
    pub created: Option<i64>,
    /// 0: unknown.
    pub generation: u32,
    /// The list of the keys that are no text.
    pub keys: &'a str,
    /// The record's digest, in hexadecimal digits, if the session came in a list; else empty.
    pub digest: &'a str,
}

/// The character in front of each write in doubt: RECORD SEPARATOR, which no JSON contains.
const SEPARATOR: char = '\u{1e}';

/// A write that failed, and may have been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt<'a> {
    /// The session that was set.
    Set(&'a str),
    /// The cookie of a touch, if it had one.
    Touch(Option<&'a str>),
}

/// The text of a baseline.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    /// The session's JSON.
    pub json: &'a str,
    pub doubts: Vec<Doubt<'a>>,
}

impl<'a> Text<'a> {
    pub fn parse(text: &'a str) -> Text<'a> {
        let mut parts = text.split(SEPARATOR);
        Text {
            json: parts.next().unwrap_or_default(),
            doubts: parts
                .filter_map(|part| match part.split_at_checked(1)? {
                    ("s", json) => Some(Doubt::Set(json)),
                    ("c", "") => Some(Doubt::Touch(None)),
                    ("c", cookie) => Some(Doubt::Touch(Some(cookie))),
                    _ => None,
                })
                .collect(),
        }
    }
}

impl Doubt<'_> {
    /// Notes it behind the text of a baseline.
    pub fn note(&self, text: &mut String) {
        let (kind, json) = match self {
            Doubt::Set(json) => ('s', *json),
            Doubt::Touch(cookie) => ('c', cookie.unwrap_or_default()),
        };
        text.push(SEPARATOR);
        text.push(kind);
        text.push_str(json);
    }
}

/// A head, and the JSON text of the session, cookie included.
#[derive(Clone)]
pub struct Baseline {
    pub head: String,
    pub json: String,
}

impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the JSON: that is session data.
        f.debug_tuple("Baseline").field(&self.head).finish()
    }
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.digest.is_empty() {
            write!(f, "{}:", self.digest)?;
        }
        f.write_str(match self.origin {
            Origin::Loaded => "L",
            Origin::Written => "W",
        })?;
        f.write_str(match self.form {
            Form::Map => "m",
            Form::Json => "j",
            Form::Legacy => "s",
            Form::Sealed => "e",
            Form::Stale => "o",
        })?;
        for time in [self.expires, self.created] {
            f.write_str(",")?;
            if let Some(time) = time {
                write!(f, "{time}")?;
            }
        }
        write!(f, ",{}", self.generation)?;
        match self.keys {
            "" => Ok(()),
            keys => write!(f, ";{keys}"),
        }
    }
}

impl<'a> Head<'a> {
    /// `None` for what is no head of ours.
    pub fn parse(head: &'a str) -> Option<Head<'a>> {
        let (digest, head) = head.split_once(':').unwrap_or(("", head));
        let (head, keys) = head.split_once(';').unwrap_or((head, ""));
        let mut fields = head.split(',');
        let (origin, form) = match fields.next()?.as_bytes() {
            [b'L', form] => (Origin::Loaded, form),
            [b'W', form] => (Origin::Written, form),
            _ => return None,
        };
        let form = match form {
            b'm' => Form::Map,
            b'j' => Form::Json,
            b's' => Form::Legacy,
            b'e' => Form::Sealed,
            b'o' => Form::Stale,
            _ => return None,
        };
        let mut time = || match fields.next()? {
            "" => Some(None),
            time => time.parse().ok().map(Some),
        };
        let (expires, created) = (time()?, time()?);
        let generation = fields.next()?.parse().ok()?;
        Some(Head {
            origin,
            form,
            expires,
            created,
            generation,
            keys,
            digest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let heads = [
            (Origin::Loaded, Form::Map, Some(5), None, 0),
            (Origin::Written, Form::Json, None, Some(-7), 65_535),
            (Origin::Loaded, Form::Legacy, None, None, 1),
            (Origin::Written, Form::Sealed, None, None, 2),
            (Origin::Loaded, Form::Stale, None, None, 3),
        ];
        for (origin, form, expires, created, generation) in heads {
            for (keys, digest) in [("", ""), ("i7,n", ""), ("", "0f"), ("n", "0f")] {
                let head = Head {
                    origin,
                    form,
                    expires,
                    created,
                    generation,
                    keys,
                    digest,
                };
                assert_eq!(Head::parse(&head.to_string()), Some(head));
            }
        }
    }

    #[test]
    fn writes_in_doubt_are_read_as_they_were_noted() {
        let mut text = String::from("{\"n\":1}");
        assert_eq!(Text::parse(&text).doubts, []);
        let doubts = [
            Doubt::Set("{\"n\":2}"),
            Doubt::Touch(None),
            Doubt::Touch(Some("{\"path\":\"/\"}")),
        ];
        for doubt in &doubts {
            doubt.note(&mut text);
        }
        let parsed = Text::parse(&text);
        assert_eq!(parsed.json, "{\"n\":1}");
        assert_eq!(parsed.doubts, doubts);
        assert_eq!(Text::parse("").json, "");
    }

    #[test]
    fn what_is_no_head_is_none() {
        for text in ["", "L", "Lm,,", "Xm,1,2,3", "Lm,a,2,3", "Lm,1,2,-3"] {
            assert!(Head::parse(text).is_none(), "{text}");
        }
    }
}
