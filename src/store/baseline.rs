//! What was known of a session when it was loaded or last written: the base of a merge.
//!
//! A baseline is three texts: a head, such as `Lm,1767225600000,1767139200000,3`, the session's JSON, and notes of what has
//! happened since. JavaScript keeps them beside the session object and gives them back with the next set. A touch gets only
//! the head and the notes: it does not need the data. Behind a `;` the head may list keys of the data that are no text, see
//! [`keys`](crate::codec::keys). In front of a `:` it may have the digest of the record: of a session that came in a list,
//! whose id JavaScript may not know.
//!
//! Each note is a separator, a letter and a text:
//!
//! | letter | means | text |
//! |---|---|---|
//! | `k` | the cookie that is stored, whatever the JSON says; a touch wrote it | the cookie; empty: the session has none |
//! | `s` | a set that failed, and may have been carried out | the session that was set |
//! | `c` | a touch that failed, and may have been carried out | its cookie; empty: it had none |
//!
//! What a failed write changed is uncertain until a later write has succeeded, so that writes it again. lib/baselines.js
//! writes the same notes.

use std::fmt;

/// Where a baseline comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Loaded,
    /// Loaded from a record without a TTL, which no read extends.
    LoadedWithoutTtl,
    /// Written by the same session object, a moment ago.
    Written,
}

/// In what form a record keeps the session's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    Map,
    Json,
    /// The record of aerospike-session-store 0.4: JSON of data and cookie in bin `session`.
    Legacy,
    /// Encrypted, as it would be written now.
    Encrypted,
    /// Not encrypted though it would be written so now, or with an older key.
    Outdated,
}

impl RecordFormat {
    /// Whether the next write has to bring the whole record into another form, changed or not.
    pub fn is_outdated(self) -> bool {
        matches!(self, RecordFormat::Legacy | RecordFormat::Outdated)
    }

    /// Returns the generation that a baseline remembers: a change of a map asks for none.
    pub fn known_generation(self, generation: u32) -> u32 {
        match self {
            RecordFormat::Map => 0,
            _ => generation,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaselineMeta<'a> {
    pub origin: Origin,
    pub form: RecordFormat,
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

/// The character in front of each note: RECORD SEPARATOR, which no JSON contains.
const SEPARATOR: char = '\u{1e}';

/// A write that failed, and may have been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt<'a> {
    /// The session that was set.
    Set(&'a str),
    /// The cookie of a touch, if it had one.
    Touch(Option<&'a str>),
}

/// The notes of a baseline.
#[derive(Debug, Default, Clone)]
pub struct Notes<'a> {
    /// The cookie that is stored, if it is not the one in the JSON; `Some(None)`: the session has none.
    pub cookie: Option<Option<&'a str>>,
    pub doubts: Vec<Doubt<'a>>,
}

fn unless_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl<'a> Notes<'a> {
    pub fn parse(text: &'a str) -> Notes<'a> {
        let mut notes = Notes::default();
        for note in text.split(SEPARATOR) {
            match note.split_at_checked(1) {
                Some(("k", cookie)) => notes.cookie = Some(unless_empty(cookie)),
                Some(("s", json)) => notes.doubts.push(Doubt::Set(json)),
                Some(("c", cookie)) => notes.doubts.push(Doubt::Touch(unless_empty(cookie))),
                _ => {}
            }
        }
        notes
    }

    /// The notes after a touch with this cookie was carried out. A touch writes no data: what a set may have changed stays
    /// uncertain. Without a cookie, so does the cookie.
    pub fn touched(&self, cookie: Option<&str>) -> String {
        let mut text = String::new();
        let stored = cookie.map(Some).or(self.cookie);
        if let Some(cookie) = stored {
            note(&mut text, 'k', cookie.unwrap_or_default());
        }
        for doubt in &self.doubts {
            if matches!(doubt, Doubt::Set(_)) || cookie.is_none() {
                doubt.note(&mut text);
            }
        }
        text
    }
}

fn note(notes: &mut String, letter: char, text: &str) {
    notes.reserve(2 + text.len());
    notes.push(SEPARATOR);
    notes.push(letter);
    notes.push_str(text);
}

impl Doubt<'_> {
    /// Adds it to the notes of a baseline.
    pub fn note(&self, notes: &mut String) {
        let (letter, json) = match self {
            Doubt::Set(json) => ('s', *json),
            Doubt::Touch(cookie) => ('c', cookie.unwrap_or_default()),
        };
        note(notes, letter, json);
    }
}

/// What was known of a session.
#[derive(Clone)]
pub struct Baseline {
    pub head: String,
    /// The JSON text of the session, cookie included. Empty: a touch does not need it.
    pub json: String,
    /// See [`Notes`].
    pub notes: String,
}

impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the JSON nor the notes: that is session data.
        f.debug_tuple("Baseline").field(&self.head).finish()
    }
}

impl fmt::Display for BaselineMeta<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.digest.is_empty() {
            write!(f, "{}:", self.digest)?;
        }
        f.write_str(match self.origin {
            Origin::Loaded => "L",
            Origin::LoadedWithoutTtl => "N",
            Origin::Written => "W",
        })?;
        f.write_str(match self.form {
            RecordFormat::Map => "m",
            RecordFormat::Json => "j",
            RecordFormat::Legacy => "s",
            RecordFormat::Encrypted => "e",
            RecordFormat::Outdated => "o",
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

impl<'a> BaselineMeta<'a> {
    /// Returns the meta of the session after it was written.
    pub fn written(self, expires: i64, generation: u32) -> BaselineMeta<'a> {
        BaselineMeta {
            origin: Origin::Written,
            expires: Some(expires),
            generation,
            ..self
        }
    }

    /// `None` for what is no head of ours.
    pub fn parse(head: &'a str) -> Option<BaselineMeta<'a>> {
        let (digest, head) = head.split_once(':').unwrap_or(("", head));
        let (head, keys) = head.split_once(';').unwrap_or((head, ""));
        let mut fields = head.split(',');
        let (origin, form) = match fields.next()?.as_bytes() {
            [b'L', form] => (Origin::Loaded, form),
            [b'N', form] => (Origin::LoadedWithoutTtl, form),
            [b'W', form] => (Origin::Written, form),
            _ => return None,
        };
        let form = match form {
            b'm' => RecordFormat::Map,
            b'j' => RecordFormat::Json,
            b's' => RecordFormat::Legacy,
            b'e' => RecordFormat::Encrypted,
            b'o' => RecordFormat::Outdated,
            _ => return None,
        };
        let mut time = || match fields.next()? {
            "" => Some(None),
            time => time.parse().ok().map(Some),
        };
        let (expires, created) = (time()?, time()?);
        let generation = fields.next()?.parse().ok()?;
        Some(BaselineMeta {
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
            (Origin::Loaded, RecordFormat::Map, Some(5), None, 0),
            (Origin::Written, RecordFormat::Json, None, Some(-7), 65_535),
            (
                Origin::LoadedWithoutTtl,
                RecordFormat::Legacy,
                None,
                None,
                1,
            ),
            (Origin::Written, RecordFormat::Encrypted, None, None, 2),
            (Origin::Loaded, RecordFormat::Outdated, None, None, 3),
        ];
        for (origin, form, expires, created, generation) in heads {
            for (keys, digest) in [("", ""), ("i7,n", ""), ("", "0f"), ("n", "0f")] {
                let head = BaselineMeta {
                    origin,
                    form,
                    expires,
                    created,
                    generation,
                    keys,
                    digest,
                };
                assert_eq!(BaselineMeta::parse(&head.to_string()), Some(head));
            }
        }
    }

    #[test]
    fn notes_are_read_as_they_were_written() {
        assert_eq!(Notes::parse("").doubts, []);
        assert_eq!(Notes::parse("").cookie, None);
        let mut text = Notes::default().touched(Some("{\"path\":\"/\"}"));
        let doubts = [
            Doubt::Set("{\"n\":2}"),
            Doubt::Touch(None),
            Doubt::Touch(Some("{}")),
        ];
        for doubt in &doubts {
            doubt.note(&mut text);
        }
        let notes = Notes::parse(&text);
        assert_eq!(notes.cookie, Some(Some("{\"path\":\"/\"}")));
        assert_eq!(notes.doubts, doubts);
        assert_eq!(Notes::parse("\u{1e}k").cookie, Some(None));
    }

    #[test]
    fn a_touch_settles_which_cookie_is_stored_and_leaves_sets_in_doubt() {
        let before = "\u{1e}k{\"a\":1}\u{1e}s{\"n\":2}\u{1e}c{\"a\":2}";
        let after = |cookie| Notes::parse(before).touched(cookie);
        assert_eq!(after(Some("{\"a\":3}")), "\u{1e}k{\"a\":3}\u{1e}s{\"n\":2}");
        assert_eq!(after(None), before);
    }

    #[test]
    fn what_is_no_head_is_none() {
        for text in ["", "L", "Lm,,", "Xm,1,2,3", "Lm,a,2,3", "Lm,1,2,-3"] {
            assert!(BaselineMeta::parse(text).is_none(), "{text}");
        }
    }
}
