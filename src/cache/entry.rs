//! The record of an entry.
//!
//! | bin | type | holds |
//! |---|---|---|
//! | `cached` | string | the value. With encryption keys: a blob, see `store/encryption.rs` |
//! | `expires` | integer | the end, in milliseconds since 1970. Absent: the entry does not end |
//! | `key` | string | the key, if keys are stored. With encryption keys: a blob |
//! | `prefix` | string | the prefix of the view, if it has one |
//! | `count` | integer | the value of a counter, which has no bin `cached` |
//! | `last` | integer | the token of the last increment of a counter |
//!
//! The key of the record is a string: the prefix and the key, or their hash (`store/id_hash.rs`). The record's TTL is the
//! lifetime, rounded up to a second. It only removes the record: bin `expires` decides when the entry ends.

use aerospike::expressions::{
    Expression, and, bin_exists, eq, from_packed_bytes, gt, int_bin, int_val, not, or, string_bin,
    string_val,
};
use aerospike::{Bin, Key, ParticleType, Record, Value};

use crate::error::{Code, Error, Result};
use crate::store::encryption::{Keyring, Place, encrypted};
use crate::store::expiry::{is_integer, is_of_type};

pub const VALUE: &str = "cached";
pub const EXPIRES: &str = "expires";
pub const KEY: &str = "key";
pub const PREFIX: &str = "prefix";
pub const COUNT: &str = "count";
pub const LAST: &str = "last";

/// A value to store.
#[derive(Debug, Clone)]
pub struct Entry {
    pub value: String,
    /// When the entry ends, in milliseconds since 1970. `None`: never.
    pub expires: Option<i64>,
    /// The key, if it is to be stored.
    pub key: Option<String>,
}

/// Where a view stores its entries, and how.
#[derive(Clone, Copy)]
pub struct Layout<'a> {
    pub namespace: &'a str,
    pub set: &'a str,
    pub prefix: &'a str,
    /// Passes the records of this view: those with its prefix, or, if it has no prefix, those without one. Packed in advance.
    pub in_this_view: &'a [u8],
    /// The keys that encrypt values and keys. Empty: not encrypted.
    pub keys: &'a Keyring,
    /// Use durable deletes (Enterprise Edition).
    pub durable_delete: bool,
}

impl Layout<'_> {
    pub fn in_this_view(&self) -> Expression {
        from_packed_bytes(self.in_this_view.to_vec())
    }

    /// Returns [`Layout::in_this_view`] as a part of a larger expression.
    fn with_this_prefix(&self) -> Expression {
        match self.prefix {
            "" => not(bin_exists(PREFIX)),
            prefix => eq(string_bin(PREFIX), string_val(prefix)),
        }
    }

    /// Passes the records that are entries of this view, and no records of other applications in the same set.
    pub fn is_entry(&self) -> Expression {
        and(vec![
            self.with_this_prefix(),
            or(vec![
                is_of_type(VALUE, ParticleType::String),
                is_of_type(VALUE, ParticleType::Blob),
                is_counter(),
            ]),
        ])
    }

    /// Passes the entries of this view that have a value and a stored key, and have not ended at `now`.
    pub fn is_listed(&self, now: i64) -> Expression {
        and(vec![
            self.is_entry(),
            bin_exists(VALUE),
            bin_exists(KEY),
            or(vec![not(is_integer(EXPIRES)), has_not_ended(now)]),
        ])
    }

    /// Returns the bins that a write of an entry stores.
    pub fn bins(&self, key: &Key, entry: &Entry) -> Result<Vec<Bin>> {
        let mut bins = vec![
            Bin::new(VALUE, self.stored(key, VALUE, &entry.value)?),
            // A record that had an end loses it if the new entry has none.
            Bin::new(EXPIRES, entry.expires.map_or(Value::Nil, Value::Int)),
        ];
        if let Some(name) = &entry.key {
            bins.push(Bin::new(KEY, self.stored(key, KEY, name)?));
        }
        bins.extend(self.prefix_bin());
        Ok(bins)
    }

    pub fn prefix_bin(&self) -> Option<Bin> {
        let prefix = Some(self.prefix).filter(|prefix| !prefix.is_empty());
        prefix.map(|prefix| Bin::new(PREFIX, Value::String(prefix.to_owned())))
    }

    /// Returns the value in a record, unless the entry has ended. A counter is returned as text.
    pub fn value(&self, record: &Record, key: &Key, now: i64) -> Result<Option<String>> {
        if !self.is_alive(record, now) {
            return Ok(None);
        }
        match record.bins.get(VALUE) {
            None | Some(Value::Nil) => Ok(match record.bins.get(COUNT) {
                Some(Value::Int(count)) => Some(count.to_string()),
                _ => None,
            }),
            Some(value) => self.text(value, key, VALUE).map(Some),
        }
    }

    /// Returns the stored key of an entry.
    pub fn stored_key(&self, record: &Record, key: &Key) -> Option<String> {
        let stored = record.bins.get(KEY)?;
        self.text(stored, key, KEY).ok()
    }

    /// Returns whether a record, read with bins [`PREFIX`] and [`EXPIRES`], is an entry of this view that has not ended.
    pub fn is_alive(&self, record: &Record, now: i64) -> bool {
        let is_in_this_view = match (self.prefix, record.bins.get(PREFIX)) {
            // An operation that reads a missing bin returns nil.
            ("", None | Some(Value::Nil)) => true,
            (own, Some(Value::String(prefix))) => prefix == own,
            _ => false,
        };
        let has_ended =
            matches!(record.bins.get(EXPIRES), Some(Value::Int(expires)) if *expires <= now);
        is_in_this_view && !has_ended
    }

    fn stored(&self, key: &Key, bin: &str, text: &str) -> Result<Value> {
        if self.keys.is_empty() {
            return Ok(Value::String(text.to_owned()));
        }
        let encrypted = self.keys.encrypt(&self.place(&key.digest(), bin), text);
        let failed = || Error::new(Code::Server, "the system gives no random numbers");
        encrypted.map(Value::Blob).ok_or_else(failed)
    }

    /// Returns a stored text. What was stored before there were encryption keys is read as it is.
    fn text(&self, stored: &Value, key: &Key, bin: &str) -> Result<String> {
        match (stored, encrypted(stored)) {
            (Value::String(text), _) => Ok(text.clone()),
            (_, Some(bytes)) => self
                .keys
                .decrypt(&self.place(&key.digest(), bin), bytes)
                .map_err(|error| Error::bad_data(format!("the value is {error}"))),
            _ => Err(Error::bad_data("the value was not written by a cache")),
        }
    }

    fn place<'b>(&'b self, digest: &'b [u8; 20], bin: &'b str) -> Place<'b> {
        Place {
            namespace: self.namespace,
            digest,
            bin,
        }
    }
}

/// Passes counters.
pub fn is_counter() -> Expression {
    and(vec![not(bin_exists(VALUE)), is_integer(COUNT)])
}

/// Passes records whose bin [`EXPIRES`] is an integer after `now`.
pub fn has_not_ended(now: i64) -> Expression {
    and(vec![
        is_integer(EXPIRES),
        gt(int_bin(EXPIRES), int_val(now)),
    ])
}
