//! The record layout: the bins and what they hold. Only this module knows it.
//!
//! | bin | type | holds |
//! |---|---|---|
//! | `data` (option `bin`) | map | the user's keys, natively; a string is JSON; a blob is encrypted JSON; 0 is a tombstone |
//! | `cookie` | map | `cookie.toJSON()` without `expires`; empty: the session had no cookie; a blob is encrypted JSON |
//! | `expires` | integer | the exact end, ms since 1970 |
//! | `created` | integer | ms since 1970 |
//! | `user` | string | the owner, if the session has one; with option `hashIds` its hash |
//! | `prefix` | string | the option, unless it is empty |
//! | `login` | integer | the place in the order of a limit, if a login moved the session up in it: ms since 1970 |
//! | `session` | string | JSON of cookie and data: a record of aerospike-session-store 0.4 |
//! | `renewed` | integer | when the id was last renewed, ms since 1970 |
//! | `renews` | blob | the digest of the record that this one replaced in the last renewal |
//! | `alias` | blob | in an alias: the digest of the record that it leads to; encrypted if there are keys |
//!
//! After a renewal the old record is an alias until `expires`: bin `data` is 1, and of the other bins it has only
//! `alias`, `expires` and `prefix`. To every reader an integer in bin `data` means that the record holds no session. So
//! lists, counts, the index of users and older versions of this package skip aliases. An alias that has ended is a
//! tombstone. See `aliases.rs` and `renew_ops.rs`.
//!
//! The key is prefix + session id, or, with option `hashIds`, a hash of the two. The id itself is stored only with
//! option `storeIds`: otherwise the server keeps only the key's digest.
//!
//! Two views can have the same key: prefix `shop:` with id `beta:x`, and prefix `shop:beta:` with id `x`. Bin
//! `prefix` identifies the view of a record. Every command compares it: [`Layout::open`] in what was read,
//! [`Layout::in_this_view`] in what is written or removed.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use aerospike::expressions::{
    Expression, and, bin_exists, blob_bin, blob_val, cond, eq, gt, int_bin, int_val, not, or,
    string_bin, string_val,
};
use aerospike::{Bin, Key, ParticleType, Record, Value};

use super::baseline::{BaselineMeta, Origin, RecordFormat};
use super::bins::{ALIAS, COOKIE, CREATED, EXPIRES, LEGACY, LOGIN, PREFIX, RENEWED, RENEWS, USER};
use super::encryption::{DecryptError, Place, encrypted};
use super::merge::Session;
use super::options::Options;
use super::record_ref::digest_of_text;
use super::{cookie, expiry};
use crate::codec::encode::Encoded;
use crate::codec::keys::hex;
use crate::codec::{CodecError, decode, encode, keys, members, packer, tree};
use crate::error::{Code, Error, Result};

/// The integer in the data bin of an alias. A tombstone has 0.
const ALIAS_MARK: i64 = 1;

/// The digest of a record's key.
pub type Digest = [u8; 20];

/// The record layout of one view.
pub struct Layout {
    pub options: Options,
}

/// What a record says about the session of a key.
pub enum Resolved<'a> {
    /// The session is alive.
    Alive(Stored<'a>),
    /// The session has another record now, with this digest.
    Renewed([u8; 20]),
    /// The session has ended by its time.
    Expired,
    /// There is no session: it was removed, or the record belongs to another view.
    Missing,
}

/// A record that was read. Its session is alive.
pub struct Stored<'a> {
    record: &'a Record,
    digest: Digest,
    /// The effective expiry. `None`: never.
    pub expires: Option<i64>,
    pub created: Option<i64>,
}

impl Layout {
    pub fn key(&self, id: &str) -> Key {
        let prefix = self.options.prefix.as_str();
        let text = match &self.options.hasher {
            Some(hasher) => hasher.id(prefix, id),
            None => [prefix, id].concat(),
        };
        let (namespace, set) = (&self.options.namespace, self.options.set.as_str());
        // The namespace is not part of the digest.
        let key = Key::new("", set, Value::String(text)).expect("every string can be a key");
        // A key that is not stored need not be carried along.
        let stored = key.user_key().filter(|_| self.options.store_ids);
        Key::with_digest(namespace.as_str(), set, stored.cloned(), key.digest())
    }

    /// Returns the key of the record with this digest. The key itself is not known.
    pub fn key_of(&self, digest: Digest) -> Key {
        Key::with_digest(
            self.options.namespace.as_str(),
            self.options.set.as_str(),
            None,
            digest,
        )
    }

    /// Returns the session id of a record, if its key was stored.
    pub fn id<'a>(&self, key: &'a Key) -> Option<&'a str> {
        match key.user_key() {
            Some(Value::String(key)) => key.strip_prefix(self.options.prefix.as_str()),
            _ => None,
        }
    }

    /// Passes the records of this view: those with its prefix, or, if it has no prefix, those without one.
    pub fn in_this_view(&self) -> Expression {
        match self.options.prefix.as_str() {
            "" => not(bin_exists(PREFIX)),
            prefix => eq(string_bin(PREFIX), string_val(prefix)),
        }
    }

    /// Passes the aliases that have not ended.
    pub fn is_alias(&self, now: i64) -> Expression {
        and(vec![
            expiry::is_of_type(ALIAS, ParticleType::Blob),
            expiry::is_integer(self.options.bin.as_str()),
            expiry::is_integer(EXPIRES),
            gt(int_bin(EXPIRES), int_val(now)),
        ])
    }

    /// Passes the records of this view that can be removed alone. An alias cannot: the record that it leads to has to be
    /// removed first.
    pub fn is_removable(&self, now: i64) -> Expression {
        and(vec![self.in_this_view(), not(self.is_alias(now))])
    }

    /// Passes the records that replaced the record with this digest in a renewal.
    pub fn is_renewal_of(&self, digest: Digest) -> Expression {
        and(vec![
            expiry::is_of_type(RENEWS, ParticleType::Blob),
            eq(blob_bin(RENEWS), blob_val(digest.to_vec())),
        ])
    }

    /// Passes the records that a new session of this view may replace. These are records of this view whose sessions
    /// have ended or were removed, except aliases. Records whose bin `prefix` is not a string belong to no view, because no store
    /// writes them; they pass too.
    pub fn is_free(&self, now: i64) -> Expression {
        // To the server, the string in a bin of another type is unknown, and so is every expression that depends on
        // it.
        let is_text = || expiry::is_of_type(PREFIX, ParticleType::String);
        let of_no_view = and(vec![bin_exists(PREFIX), not(is_text())]);
        let mut ended = vec![
            self.in_this_view(),
            not(self.alive(now)),
            not(self.is_alias(now)),
        ];
        if !self.options.prefix.is_empty() {
            ended.insert(0, is_text());
        }
        or(vec![of_no_view, and(ended)])
    }

    /// Returns whether a record, read with bin [`PREFIX`], belongs to this view.
    fn is_in_this_view(&self, record: &Record) -> bool {
        match (self.options.prefix.as_str(), record.bins.get(PREFIX)) {
            // An operation that reads a missing bin returns nil.
            ("", None | Some(Value::Nil)) => true,
            (own, Some(Value::String(prefix))) => prefix == own,
            _ => false,
        }
    }

    /// Passes the records of sessions that are alive: neither ended nor removed.
    pub fn alive(&self, now: i64) -> Expression {
        and(vec![
            not(expiry::is_integer(self.options.bin.as_str())),
            expiry::alive(now, self.options.absolute_ttl),
        ])
    }

    /// Passes the records of this view whose session is alive and still the same. An application that generates the
    /// same id again (`genid`) may have removed the session and created another one.
    pub fn same_and_alive(&self, created: Option<i64>, now: i64) -> Expression {
        let mut all = vec![self.in_this_view(), self.alive(now)];
        all.extend(created.map(|created| {
            or(vec![
                not(expiry::is_integer(CREATED)),
                eq(int_bin(CREATED), int_val(created)),
            ])
        }));
        and(all)
    }

    /// Returns the creation time that a write of the whole record stores: the record's own, if it has one. The write
    /// has to apply only to a missing record or to one whose session is alive. Only a filter can check whether it is
    /// alive, because an operation already sees the TTL that this command writes.
    pub fn creation(&self, created: i64) -> Expression {
        cond(vec![
            expiry::is_integer(CREATED),
            int_bin(CREATED),
            int_val(created),
        ])
    }

    /// Returns whether data and cookie are encrypted.
    pub fn encrypts(&self) -> bool {
        !self.options.keys.is_empty()
    }

    /// Returns the bin of the data, from the text of an object.
    pub fn data_bin(&self, key: &Key, json: &str) -> Result<Bin> {
        let bin = self.options.bin.as_str();
        let value = match self.options.json {
            _ if self.encrypts() => self.encrypt(key, bin, checked(json)?)?,
            true => Value::String(checked(json)?.to_owned()),
            false => object(json)?,
        };
        Ok(Bin::new(bin, value))
    }

    /// Returns the bin of the data of a parsed session, whose members are known to be JSON.
    pub fn session_bin(&self, key: &Key, session: &Session<'_>) -> Result<Bin> {
        let bin = self.options.bin.as_str();
        let data = session.data();
        let bounded = |data| encode::check_depth(data).map_err(bad_session);
        let value = match self.options.json {
            _ if self.encrypts() => self.encrypt(key, bin, &bounded(data)?)?,
            true => Value::String(bounded(data)?),
            false => object(&data)?,
        };
        Ok(Bin::new(bin, value))
    }

    /// Returns the bin of the cookie, from the text of `cookie.toJSON()`. A text that is not an object is stored like
    /// a missing cookie, so that express-session reports it itself.
    pub fn cookie_bin(&self, key: &Key, json: Option<&str>) -> Result<Bin> {
        let json = json.filter(|json| json.starts_with('{')).unwrap_or("{}");
        let stored = cookie::to_stored(json).map_err(bad_session)?;
        let value = match self.encrypts() {
            true => self.encrypt(key, COOKIE, checked(&stored)?)?,
            false => object(&stored)?,
        };
        Ok(Bin::new(COOKIE, value))
    }

    fn encrypt(&self, key: &Key, bin: &str, json: &str) -> Result<Value> {
        let encrypted = self
            .options
            .keys
            .encrypt(&self.place(&key.digest(), bin), json);
        let failed = || Error::new(Code::Server, "the system gives no random numbers");
        encrypted.map(Value::Blob).ok_or_else(failed)
    }

    /// Returns the place that a value is encrypted for.
    fn place<'a>(&'a self, digest: &'a [u8; 20], bin: &'a str) -> Place<'a> {
        Place {
            namespace: &self.options.namespace,
            digest,
            bin,
        }
    }

    /// Returns the bins that make a record an alias of the record `leads_to`, until `expires`.
    pub fn alias_bins(&self, key: &Key, leads_to: Digest, expires: i64) -> Result<Vec<Bin>> {
        let alias = match self.encrypts() {
            // JSON, like every encrypted value.
            true => self.encrypt(key, ALIAS, &format!("\"{}\"", hex(&leads_to)))?,
            false => Value::Blob(leads_to.to_vec()),
        };
        let mut bins = vec![
            Bin::new(self.options.bin.as_str(), Value::Int(ALIAS_MARK)),
            Bin::new(ALIAS, alias),
            self.expires_bin(expires),
        ];
        let emptied = [COOKIE, CREATED, USER, LOGIN, LEGACY, RENEWED, RENEWS];
        bins.extend(emptied.map(|bin| Bin::new(bin, Value::Nil)));
        Ok(bins)
    }

    /// Returns where an alias of this view leads to. `None`: the record is no alias, or an alias that has ended.
    ///
    /// # Errors
    ///
    /// [`Code::BadData`] if it cannot be decrypted.
    pub fn alias(&self, record: &Record, key: &Key, now: i64) -> Result<Option<Digest>> {
        let bins = &record.bins;
        let is_marked = matches!(bins.get(&self.options.bin), Some(Value::Int(_)));
        let is_alive = matches!(bins.get(EXPIRES), Some(Value::Int(expires)) if *expires > now);
        match is_marked && is_alive && self.is_in_this_view(record) {
            true => self.leads_to(record, key),
            false => Ok(None),
        }
    }

    /// Returns the digest in bin [`ALIAS`]: where the session is that this record held before it was renewed.
    fn leads_to(&self, record: &Record, key: &Key) -> Result<Option<Digest>> {
        let Some(alias @ Value::Blob(bytes)) = record.bins.get(ALIAS) else {
            return Ok(None);
        };
        if let Ok(digest) = Digest::try_from(bytes.as_slice()) {
            return Ok(Some(digest));
        }
        let Some(blob) = encrypted(alias) else {
            return Ok(None);
        };
        let digest = key.digest();
        let text = self.options.keys.decrypt(&self.place(&digest, ALIAS), blob);
        Ok(digest_of_text(
            text.map_err(undecryptable)?.trim_matches('"'),
        ))
    }

    /// Returns the bins of the renewal of a record, beside those of every session.
    pub fn renewal_bins(&self, renews: Digest, now: i64) -> [Bin; 4] {
        [
            Bin::new(RENEWED, Value::Int(now)),
            Bin::new(RENEWS, Value::Blob(renews.to_vec())),
            Bin::new(LEGACY, Value::Nil),
            Bin::new(ALIAS, Value::Nil),
        ]
    }

    /// Returns the bins of a session that a renewal copies as they are: those that no operation of this view writes.
    /// `keeps_owner`: the owner is copied, too.
    pub fn copied_bins(&self, stored: &Stored<'_>, keeps_owner: bool) -> Vec<Bin> {
        let bins = stored.record.bins.iter();
        bins.filter(|(name, _)| match name.as_str() {
            USER => keeps_owner,
            name => !self.is_known(name),
        })
        .map(|(name, value)| Bin::new(name, value.clone()))
        .collect()
    }

    /// Returns whether a bin is one of those that a renewal writes anew.
    fn is_known(&self, name: &str) -> bool {
        let known = [
            COOKIE, EXPIRES, CREATED, PREFIX, LEGACY, ALIAS, RENEWED, RENEWS,
        ];
        known.contains(&name) || name == self.options.bin
    }

    /// Returns the bin of the cookie of a stored session, for the record with another key.
    pub fn copied_cookie(&self, stored: &Stored<'_>, key: &Key, now: i64) -> Result<Bin> {
        let mut member = String::from("{");
        self.cookie(&mut member, stored, now)?;
        member.push('}');
        let cookie = members::without(&member, COOKIE).map_err(unreadable)?.taken;
        self.cookie_bin(key, cookie)
    }

    /// Returns the map in the data bin. `None`: the data is stored in another format.
    pub fn map<'a>(&self, stored: &Stored<'a>) -> Option<&'a Value> {
        let data = stored.record.bins.get(&self.options.bin)?;
        let is_map = matches!(data, Value::SortedMap(_) | Value::OrderedMap(_));
        is_map.then_some(data)
    }

    pub fn expires_bin(&self, expires: i64) -> Bin {
        Bin::new(EXPIRES, Value::Int(expires))
    }

    pub fn created_bin(&self, created: i64) -> Bin {
        Bin::new(CREATED, Value::Int(created))
    }

    /// Returns the bin of the owner. Without an owner, the bin is removed.
    pub fn user_bin(&self, user: Option<&str>) -> Bin {
        let value = user.map_or(Value::Nil, |user| Value::String(self.owner(user).into()));
        Bin::new(USER, value)
    }

    /// Returns the value of the owner bin for a user.
    pub fn owner<'u>(&self, user: &'u str) -> Cow<'u, str> {
        match &self.options.hasher {
            Some(hasher) => hasher.user(user).into(),
            None => user.into(),
        }
    }

    /// Returns a short hash of a value of the owner bin, if sessions of a user are limited. It is valid in this process.
    pub fn owner_mark(&self, owner: &str) -> Option<u64> {
        static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        self.options.limit.map(|_| HASHES.hash_one(owner))
    }

    pub fn prefix_bin(&self) -> Option<Bin> {
        let prefix = self.options.prefix.as_str();
        (!prefix.is_empty()).then(|| Bin::new(PREFIX, Value::String(prefix.to_owned())))
    }

    /// Returns the contents of a record. `None` if its session has ended or been removed, or if it belongs to another
    /// view.
    pub fn open<'a>(&self, record: &'a Record, key: &Key, now: i64) -> Option<Stored<'a>> {
        if !self.is_in_this_view(record) {
            return None;
        }
        let integer = |bin| match record.bins.get(bin) {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        };
        let created = integer(CREATED);
        let expires = expiry::bounded(
            expiry::effective(integer(EXPIRES), record.expiration()),
            created,
            self.options.absolute_ttl,
        );
        let ended = expires.is_some_and(|expires| expires <= now);
        let tombstone = matches!(record.bins.get(&self.options.bin), Some(Value::Int(_)));
        (!ended && !tombstone).then_some(Stored {
            record,
            digest: key.digest(),
            expires,
            created,
        })
    }

    /// Returns what a record says about its session. It has to be read with its bins [`EXPIRES`], [`CREATED`], [`PREFIX`] and
    /// [`ALIAS`]; and with its data, if it has neither of the first two.
    pub fn resolve<'a>(&self, record: &'a Record, key: &Key, now: i64) -> Resolved<'a> {
        if !self.is_in_this_view(record) {
            return Resolved::Missing;
        }
        // Also after the end of the old id: the session itself goes on. An alias that cannot be decrypted leads nowhere.
        if let Ok(Some(renewed)) = self.leads_to(record, key) {
            return Resolved::Renewed(renewed);
        }
        match self.open(record, key, now) {
            Some(stored) => Resolved::Alive(stored),
            None if matches!(record.bins.get(&self.options.bin), Some(Value::Int(_))) => {
                Resolved::Missing
            }
            None => Resolved::Expired,
        }
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

    /// Returns the meta of the baseline of a record that was read, as text. `target`: see [`BaselineMeta::target`].
    pub fn meta(&self, stored: &Stored<'_>, target: &str) -> Option<String> {
        let bins = &stored.record.bins;
        let data = bins.get(&self.options.bin);
        let keys = self.non_string_keys(stored);
        let other_bins = bins.keys().any(|name| name != USER && !self.is_known(name));
        let meta = BaselineMeta {
            target,
            has_owner: bins.contains_key(USER),
            has_more: other_bins || !data.is_none_or(keys::is_shown_exactly),
            ..self.build_meta(stored, "", &keys)?
        };
        Some(meta.to_string())
    }

    /// Returns the meta of a record from a list. It has no generation, because the list may add an id to the data.
    pub fn list_meta(&self, stored: &Stored<'_>) -> Option<String> {
        let digest = hex(&stored.digest);
        let keys = self.non_string_keys(stored);
        let meta = BaselineMeta {
            generation: 0,
            ..self.build_meta(stored, &digest, &keys)?
        };
        Some(meta.to_string())
    }

    fn non_string_keys(&self, stored: &Stored<'_>) -> String {
        let data = stored.record.bins.get(&self.options.bin);
        data.map(keys::non_string_keys).unwrap_or_default()
    }

    fn build_meta<'m>(
        &self,
        stored: &Stored<'_>,
        digest: &'m str,
        keys: &'m str,
    ) -> Option<BaselineMeta<'m>> {
        let renewed = match stored.record.bins.get(RENEWED) {
            Some(Value::Int(renewed)) => Some(*renewed),
            _ => None,
        };
        Some(BaselineMeta {
            origin: match stored.record.expiration() {
                0 => Origin::LoadedWithoutTtl,
                _ => Origin::Loaded,
            },
            format: self.format(stored)?,
            expires: stored.expires,
            created: stored.created,
            generation: stored.record.generation,
            owner: match stored.record.bins.get(USER) {
                Some(Value::String(owner)) => self.owner_mark(owner),
                _ => None,
            },
            digest,
            keys,
            renewed,
            ..BaselineMeta::default()
        })
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

    fn cookie(&self, out: &mut String, stored: &Stored<'_>, now: i64) -> Result<bool> {
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

/// Returns the value of a whole bin: a native map, or JSON text if a native map cannot hold it.
fn object(json: &str) -> Result<Value> {
    Ok(match encode::object(json).map_err(bad_session)? {
        Encoded::Map(packed) => Value::Unknown(packer::PARTICLE_MAP, packed),
        Encoded::OnlyJson => Value::String(json.to_owned()),
    })
}

/// Returns the text, if it is an object and nested no deeper than a map may be.
fn checked(json: &str) -> Result<&str> {
    encode::check(json).map_err(bad_session)?;
    Ok(json)
}

pub fn bad_session(error: CodecError) -> Error {
    Error::bad_data(format!("the session data is {error}"))
}

fn undecryptable(why: DecryptError) -> Error {
    Error::bad_data(format!("what is stored is {why}"))
}

pub fn unreadable(error: CodecError) -> Error {
    Error::bad_data(format!("what is stored is {error}"))
}
