//! The record layout: the bins and what they hold. Only this module and those in `layout/` know it.
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

mod aliases;
mod expressions;
mod meta;
mod read;
mod write;

use aerospike::{Key, Record, Value};

use super::bins::{ALIAS, COOKIE, CREATED, EXPIRES, LEGACY, PREFIX, RENEWED, RENEWS};
use super::encryption::{DecryptError, Place};
use super::expiry;
use super::options::Options;
use crate::codec::CodecError;
use crate::error::Error;

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

    /// Returns whether a record, read with bin [`PREFIX`], belongs to this view.
    fn is_in_this_view(&self, record: &Record) -> bool {
        match (self.options.prefix.as_str(), record.bins.get(PREFIX)) {
            // An operation that reads a missing bin returns nil.
            ("", None | Some(Value::Nil)) => true,
            (own, Some(Value::String(prefix))) => prefix == own,
            _ => false,
        }
    }

    /// Returns the place that a value is encrypted for.
    fn place<'a>(&'a self, digest: &'a [u8; 20], bin: &'a str) -> Place<'a> {
        Place {
            namespace: &self.options.namespace,
            digest,
            bin,
        }
    }

    /// Returns whether a bin is one of those that a renewal writes anew.
    fn is_known(&self, name: &str) -> bool {
        let known = [
            COOKIE, EXPIRES, CREATED, PREFIX, LEGACY, ALIAS, RENEWED, RENEWS,
        ];
        known.contains(&name) || name == self.options.bin
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
