//! What was loaded or last written of a session: the base of a merge.
//!
//! A baseline is three texts: its meta, such as `Lm,1767225600000,1767139200000,3`, the session's JSON, and notes of
//! what has happened since. JavaScript keeps them beside the session object and passes them to the next set. A touch
//! passes only the meta and the notes, because it does not need the data. After a `;`, the meta may list keys of the
//! data that are not strings, see [`keys`](crate::codec::keys). Before a `:`, it may have the digest of the record.
//! Only sessions from a list have one, because JavaScript may not know their ids. After the generation, the meta may have
//! fields that few sessions need. The first letter names the field:
//!
//! | letter | field |
//! |---|---|
//! | `r` | [`BaselineMeta::renewed`] |
//! | `t` | [`BaselineMeta::target`] |
//! | `u` | [`BaselineMeta::has_owner`] |
//! | `x` | [`BaselineMeta::has_more`] |
//! | `o` | [`BaselineMeta::owner`], with option `maxSessionsPerUser` |
//!
//! lib/baselines.js reads `created`, `r` and `t`.
//!
//! Each note is a separator, a letter and a text:
//!
//! | letter | means | text |
//! |---|---|---|
//! | `k` | the stored cookie, whatever the JSON contains; a touch wrote it | the cookie; empty: the session has none |
//! | `s` | a set that failed and is in doubt | the session that was set |
//! | `c` | a touch that failed and is in doubt | its cookie; empty: it had none |
//!
//! What a write in doubt changed is uncertain until a later write has succeeded, which therefore writes it again.
//! lib/baselines.js writes the same notes.

use std::fmt;

/// The source of a baseline.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    #[default]
    Loaded,
    /// Loaded from a record without a TTL, which no read extends.
    LoadedWithoutTtl,
    /// Written by the same session object.
    Written,
}

/// How a record stores the data of its session.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    #[default]
    Map,
    Json,
    /// The record of aerospike-session-store 0.4: JSON of data and cookie in bin `session`.
    Legacy,
    /// Encrypted with the current key and in the current version.
    Encrypted,
    /// Not encrypted although keys are configured, or encrypted with an older key or version.
    Outdated,
}

impl RecordFormat {
    /// Returns whether the next write has to convert the whole record to another format, even if no data changed.
    pub fn is_outdated(self) -> bool {
        matches!(self, RecordFormat::Legacy | RecordFormat::Outdated)
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct BaselineMeta<'a> {
    pub origin: Origin,
    pub format: RecordFormat,
    /// Milliseconds since 1970; `None`: never.
    pub expires: Option<i64>,
    pub created: Option<i64>,
    /// 0: unknown.
    pub generation: u32,
    /// A hash of the stored owner, if sessions of a user are limited and the session has an owner.
    pub owner: Option<u64>,
    /// The list of the keys that are not strings.
    pub keys: &'a str,
    /// The record's digest in hexadecimal digits if the session came from a list, else empty.
    pub digest: &'a str,
    /// When the id was last renewed, in milliseconds since 1970.
    pub renewed: Option<i64>,
    /// The digest in hexadecimal digits of the record that holds the session, if the session id leads there through an
    /// alias, else empty.
    pub target: &'a str,
    /// The record has an owner.
    pub has_owner: bool,
    /// The record holds something that the JSON does not show: bins of other programs, or values of types that JSON does
    /// not have. A renewal, which copies the session, then reads the record first.
    pub has_more: bool,
}

/// The character before each note: RECORD SEPARATOR. No JSON contains it.
const SEPARATOR: char = '\u{1e}';

/// A failed write that may have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InDoubtWrite<'a> {
    /// The session that was set.
    Set(&'a str),
    /// The cookie of a touch, if it had one.
    Touch(Option<&'a str>),
}

/// The notes of a baseline.
#[derive(Debug, Default, Clone)]
pub struct Notes<'a> {
    /// The stored cookie, if it differs from the one in the JSON. `Some(None)`: the session has no cookie.
    pub cookie: Option<Option<&'a str>>,
    pub in_doubt: Vec<InDoubtWrite<'a>>,
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
                Some(("s", json)) => notes.in_doubt.push(InDoubtWrite::Set(json)),
                Some(("c", cookie)) => notes
                    .in_doubt
                    .push(InDoubtWrite::Touch(unless_empty(cookie))),
                _ => {}
            }
        }
        notes
    }

    /// Returns the notes after a touch with this cookie has succeeded. A touch writes no data, so the changes of a
    /// set in doubt stay in doubt. If the touch had no cookie, the cookie stays in doubt too.
    pub fn after_touch(&self, cookie: Option<&str>) -> String {
        let mut text = String::new();
        let stored = cookie.map(Some).or(self.cookie);
        if let Some(cookie) = stored {
            append_note(&mut text, 'k', cookie.unwrap_or_default());
        }
        for write in &self.in_doubt {
            if matches!(write, InDoubtWrite::Set(_)) || cookie.is_none() {
                write.append_to(&mut text);
            }
        }
        text
    }
}

fn append_note(notes: &mut String, letter: char, text: &str) {
    notes.reserve(2 + text.len());
    notes.push(SEPARATOR);
    notes.push(letter);
    notes.push_str(text);
}

impl InDoubtWrite<'_> {
    /// Appends this write to the notes of a baseline.
    pub fn append_to(&self, notes: &mut String) {
        let (letter, json) = match self {
            InDoubtWrite::Set(json) => ('s', *json),
            InDoubtWrite::Touch(cookie) => ('c', cookie.unwrap_or_default()),
        };
        append_note(notes, letter, json);
    }
}

/// What was loaded or last written of a session.
#[derive(Clone)]
pub struct Baseline {
    pub meta: String,
    /// The JSON text of the session with its cookie. Empty for a touch, which does not need it.
    pub json: String,
    /// See [`Notes`].
    pub notes: String,
}

impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the JSON and not the notes: they contain session data.
        f.debug_tuple("Baseline").field(&self.meta).finish()
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
        f.write_str(match self.format {
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
        if let Some(renewed) = self.renewed {
            write!(f, ",r{renewed}")?;
        }
        if !self.target.is_empty() {
            write!(f, ",t{}", self.target)?;
        }
        if self.has_owner {
            f.write_str(",u")?;
        }
        if self.has_more {
            f.write_str(",x")?;
        }
        if let Some(owner) = self.owner {
            write!(f, ",o{owner:x}")?;
        }
        match self.keys {
            "" => Ok(()),
            keys => write!(f, ";{keys}"),
        }
    }
}

impl<'a> BaselineMeta<'a> {
    /// Returns whether an update has to write the data even if it did not change.
    pub fn needs_rewrite(&self, is_touch: bool) -> bool {
        match is_touch {
            // The next set upgrades a record of the old package.
            true => self.format == RecordFormat::Outdated,
            false => self.format.is_outdated(),
        }
    }

    /// Returns the generation after a change that left the data of others. It belongs to the known data only if nobody wrote in
    /// between. 0: it does not.
    pub fn next_generation(&self, generation: u32) -> u32 {
        let is_next = self.generation > 0 && Some(generation) == self.generation.checked_add(1);
        if is_next { generation } else { 0 }
    }

    /// Returns the meta of the session after it was written.
    pub fn written(self, expires: i64, generation: u32) -> BaselineMeta<'a> {
        BaselineMeta {
            origin: Origin::Written,
            expires: Some(expires),
            generation,
            ..self
        }
    }

    /// Parses a meta. Returns `None` if it is malformed.
    pub fn parse(meta: &'a str) -> Option<BaselineMeta<'a>> {
        let (digest, meta) = meta.split_once(':').unwrap_or(("", meta));
        let (meta, keys) = meta.split_once(';').unwrap_or((meta, ""));
        let mut fields = meta.split(',');
        let (origin, format) = match fields.next()?.as_bytes() {
            [b'L', format] => (Origin::Loaded, format),
            [b'N', format] => (Origin::LoadedWithoutTtl, format),
            [b'W', format] => (Origin::Written, format),
            _ => return None,
        };
        let format = match format {
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
        let mut parsed = BaselineMeta {
            origin,
            format,
            expires,
            created,
            generation,
            keys,
            digest,
            ..BaselineMeta::default()
        };
        for field in fields {
            match field.split_at_checked(1)? {
                ("r", time) => parsed.renewed = Some(time.parse().ok()?),
                ("t", target) => parsed.target = target,
                ("u", "") => parsed.has_owner = true,
                ("x", "") => parsed.has_more = true,
                ("o", owner) => parsed.owner = Some(u64::from_str_radix(owner, 16).ok()?),
                _ => return None,
            }
        }
        Some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_round_trips() {
        let metas = [
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
        for (origin, format, expires, created, generation) in metas {
            for (keys, digest, owner) in [
                ("", "", None),
                ("i7,n", "", Some(0)),
                ("", "0f", Some(u64::MAX)),
                ("n", "0f", None),
            ] {
                for (renewed, target, flag) in [
                    (None, "", false),
                    (Some(9), "a0", true),
                    (Some(-9), "", false),
                ] {
                    let meta = BaselineMeta {
                        origin,
                        format,
                        expires,
                        created,
                        generation,
                        owner,
                        keys,
                        digest,
                        renewed,
                        target,
                        has_owner: flag,
                        has_more: flag,
                    };
                    assert_eq!(BaselineMeta::parse(&meta.to_string()), Some(meta));
                }
            }
        }
    }

    #[test]
    fn notes_round_trip() {
        assert_eq!(Notes::parse("").in_doubt, []);
        assert_eq!(Notes::parse("").cookie, None);
        let mut text = Notes::default().after_touch(Some("{\"path\":\"/\"}"));
        let in_doubt = [
            InDoubtWrite::Set("{\"n\":2}"),
            InDoubtWrite::Touch(None),
            InDoubtWrite::Touch(Some("{}")),
        ];
        for write in &in_doubt {
            write.append_to(&mut text);
        }
        let notes = Notes::parse(&text);
        assert_eq!(notes.cookie, Some(Some("{\"path\":\"/\"}")));
        assert_eq!(notes.in_doubt, in_doubt);
        assert_eq!(Notes::parse("\u{1e}k").cookie, Some(None));
    }

    #[test]
    fn after_a_touch_the_cookie_is_certain_and_sets_stay_in_doubt() {
        let before = "\u{1e}k{\"a\":1}\u{1e}s{\"n\":2}\u{1e}c{\"a\":2}";
        let after = |cookie| Notes::parse(before).after_touch(cookie);
        assert_eq!(after(Some("{\"a\":3}")), "\u{1e}k{\"a\":3}\u{1e}s{\"n\":2}");
        assert_eq!(after(None), before);
    }

    #[test]
    fn rejects_invalid_meta() {
        for text in [
            "",
            "L",
            "Lm,,",
            "Xm,1,2,3",
            "Lm,a,2,3",
            "Lm,1,2,-3",
            "Lm,1,2,3,",
            "Lm,1,2,3,rx",
            "Lm,1,2,3,og",
        ] {
            assert!(BaselineMeta::parse(text).is_none(), "{text}");
        }
    }
}
