//! A session as text, from the bins of its record.

use std::borrow::Cow;

use aerospike::Value;

use super::super::baseline::RecordFormat;
use super::super::bins::{COOKIE, LEGACY};
use super::super::cookie;
use super::super::encryption::encrypted;
use super::{Layout, Stored, undecryptable, unreadable};
use crate::codec::{CodecError, decode, encode, members, tree};
use crate::error::Result;

impl Layout {
    /// Returns the map in the data bin. `None`: the data is stored in another format.
    pub fn map<'a>(&self, stored: &Stored<'a>) -> Option<&'a Value> {
        let data = stored.record.bins.get(&self.options.bin)?;
        let is_map = matches!(data, Value::SortedMap(_) | Value::OrderedMap(_));
        is_map.then_some(data)
    }

    /// Returns the maximum age in the session's cookie, in milliseconds. `None`: it has none.
    pub fn max_age(&self, stored: &Stored<'_>) -> Option<i64> {
        let mut json = String::from("{");
        self.cookie(&mut json, stored, 0).ok()?;
        json.push('}');
        let session: serde_json::Value = serde_json::from_str(&json).ok()?;
        let age = session.get(COOKIE)?.get("originalMaxAge")?.as_f64()?;
        // The cast saturates.
        Some(age as i64).filter(|age| *age > 0)
    }

    /// Returns how the record stores its data. `None`: it has none.
    pub fn format(&self, stored: &Stored<'_>) -> Option<RecordFormat> {
        let bins = &stored.record.bins;
        match bins.get(&self.options.bin) {
            None => {
                matches!(bins.get(LEGACY), Some(Value::String(_))).then_some(RecordFormat::Legacy)
            }
            Some(data) if self.encrypts() => {
                let mut values = [Some(data), bins.get(COOKIE)].into_iter().flatten();
                let is_new =
                    |value| encrypted(value).is_some_and(|it| self.options.keys.is_current(it));
                Some(match values.all(is_new) {
                    true => RecordFormat::Encrypted,
                    false => RecordFormat::Outdated,
                })
            }
            Some(Value::String(_)) => Some(RecordFormat::Json),
            Some(_) => Some(RecordFormat::Map),
        }
    }

    /// Returns the value of a bin, decrypted if it is encrypted.
    fn value<'a>(&self, stored: &Stored<'a>, bin: &str) -> Result<Option<Cow<'a, Value>>> {
        let Some(value) = stored.record.bins.get(bin) else {
            return Ok(None);
        };
        let Some(blob) = encrypted(value) else {
            return Ok(Some(Cow::Borrowed(value)));
        };
        let text = self
            .options
            .keys
            .decrypt(&self.place(&stored.digest, bin), blob);
        let text = text.map_err(undecryptable)?;
        Ok(Some(Cow::Owned(Value::String(text))))
    }

    /// Returns the data as JSON text. `None`: the record has none.
    pub fn data(&self, stored: &Stored<'_>) -> Result<Option<String>> {
        let mut json = String::from("{");
        let found = self.data_members(&mut json, stored, false)?;
        json.push('}');
        Ok(found.map(|_| json))
    }

    /// Appends the session with its cookie, as JSON text. Returns whether the record held a session.
    ///
    /// `id`: added as the session's `id`, replacing one that the data may have.
    pub fn session(
        &self,
        out: &mut String,
        stored: &Stored<'_>,
        now: i64,
        id: Option<&str>,
    ) -> Result<bool> {
        let start = out.len();
        out.push('{');
        if let Some(id) = id {
            out.push_str("\"id\":");
            decode::string(out, id);
            out.push(',');
        }
        if self.cookie(out, stored, now)? {
            out.push(',');
        }
        let any = match id {
            None => self.data_members(out, stored, true)?,
            Some(_) => {
                let mut data = String::from("{");
                let any = self.data_members(&mut data, stored, true)?;
                data.push('}');
                let without = members::without(&data, "id").map_err(unreadable)?;
                out.push_str(cookie::members_text(&without.rest));
                any.map(|_| without.rest.len() > 2)
            }
        };
        match any {
            None => out.truncate(start),
            Some(true) => out.push('}'),
            Some(false) => {
                if out.ends_with(',') {
                    out.pop();
                }
                out.push('}');
            }
        }
        Ok(any.is_some())
    }

    pub(super) fn cookie(&self, out: &mut String, stored: &Stored<'_>, now: i64) -> Result<bool> {
        let bins = &stored.record.bins;
        match self.value(stored, COOKIE)?.as_deref() {
            Some(cookie @ (Value::String(_) | Value::SortedMap(_) | Value::OrderedMap(_))) => {
                return cookie::from_stored(out, cookie, stored.expires).map_err(unreadable);
            }
            Some(_) => return Err(unreadable(CodecError::NotAnObject)),
            None => {}
        }
        if let (None, Some(Value::String(json))) = (bins.get(&self.options.bin), bins.get(LEGACY)) {
            let json = decode::text(json).map_err(unreadable)?;
            let legacy = members::without(json, COOKIE).map_err(unreadable)?;
            if let Some(text) = legacy.taken.filter(|text| text.starts_with('{')) {
                let kept = cookie::to_stored(text).map_err(unreadable)?;
                let cookie = match tree::value(&kept, 1).map_err(unreadable)? {
                    Some(cookie) => cookie,
                    None => Value::String(kept.into_owned()),
                };
                return cookie::from_stored(out, &cookie, stored.expires).map_err(unreadable);
            }
        }
        cookie::from_expiry(out, stored.expires, now);
        Ok(true)
    }

    /// Appends the members of the data, without braces. `None`: there is no data. `Some(false)`: the data is empty.
    fn data_members(
        &self,
        out: &mut String,
        stored: &Stored<'_>,
        without_cookie: bool,
    ) -> Result<Option<bool>> {
        let except = without_cookie.then_some(COOKIE);
        let data = self.value(stored, &self.options.bin)?;
        let (json, except) = match (data.as_deref(), stored.record.bins.get(LEGACY)) {
            (Some(Value::String(json)), _) => (json, except),
            (None, Some(Value::String(json))) => (json, Some(COOKIE)),
            (None, _) => return Ok(None),
            (Some(map), _) => {
                return decode::map_members(out, map, except)
                    .map(Some)
                    .map_err(unreadable);
            }
        };
        let json = decode::text(json).map_err(unreadable)?;
        let text: Cow<'_, str> = match except {
            Some(except) => members::without(json, except).map_err(unreadable)?.rest,
            None => {
                encode::check_object(json).map_err(unreadable)?;
                json.into()
            }
        };
        let text = cookie::members_text(&text);
        out.push_str(text);
        Ok(Some(!text.trim().is_empty()))
    }
}
