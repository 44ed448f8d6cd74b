//! The options of a view of the store.

use std::time::Duration;

use super::encryption::Keyring;
use crate::id_hash::Hasher;

/// The options of a view: where and how sessions are stored. Already validated.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub namespace: String,
    pub set: String,
    /// The bin of the session's data.
    pub bin: String,
    /// Prepended to every session id. Separates this view of the set from others.
    pub prefix: String,
    /// The keys that encrypt data and cookie. Empty: not encrypted.
    pub keys: Keyring,
    /// Hashes ids and users.
    pub hasher: Option<Hasher>,
    /// Store the data as JSON text instead of a native map.
    pub json: bool,
    /// The last writer's whole data wins. Otherwise changes of different keys are merged.
    pub overwrite: bool,
    /// Store the session id with the record.
    pub store_ids: bool,
    /// Replace a removed record with a tombstone.
    pub tombstones: bool,
    /// Use durable deletes (Enterprise Edition).
    pub durable_delete: bool,
    /// The longest lifetime since the creation of a session, in milliseconds. Touches do not extend it.
    pub absolute_ttl: Option<i64>,
    /// A touch is written only if it moves the end of the session by at least so many milliseconds.
    pub touch_after: i64,
    /// A read makes the server extend a record if less than this percentage of its lifetime is left.
    pub touch_on_read: Option<u8>,
    /// The time between two checks of a watched session.
    pub watch_interval: Duration,
    /// The default lifetime of sessions in milliseconds. A tombstone has to outlive it.
    pub ttl: i64,
    /// The limit of sessions of one user.
    pub limit: Option<SessionLimit>,
}

/// The number of sessions that a user may have, and which are removed if there are more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimit {
    pub limit: usize,
    pub evict: Evict,
}

/// The order in which sessions beyond the limit are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evict {
    /// By the time of their creation.
    Oldest,
    /// By the time of the last write or touch.
    Idle,
}
