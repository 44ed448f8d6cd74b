//! The options of a view of the store. Already validated.

use super::encryption::Keyring;
use super::id_hash::Hasher;

/// Where sessions are kept, what they are called, and what is done about the hard cases. Already
/// validated.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub namespace: String,
    pub set: String,
    /// The bin of the session's data.
    pub bin: String,
    /// What is put before every session id, and keeps this view of the set to itself.
    pub prefix: String,
    /// Encrypt data and cookie with the first of these, if there are any.
    pub keys: Keyring,
    /// Hash ids and users with this.
    pub hasher: Option<Hasher>,
    /// Keep the data as JSON text, not as a native map.
    pub json: bool,
    /// The writer's whole data wins; otherwise changes of different keys are merged.
    pub overwrite: bool,
    /// Store the session id with the record.
    pub store_ids: bool,
    /// Leave an empty record in the place of a removed one.
    pub tombstones: bool,
    /// Remove durably (Enterprise Edition).
    pub durable_delete: bool,
    /// Milliseconds after its creation at which a session ends, whatever is touched.
    pub absolute_ttl: Option<i64>,
    /// Milliseconds a session's end must move by for a touch to be written.
    pub touch_after: i64,
    /// Percentage of its life below which a read makes the server extend a record.
    pub touch_on_read: Option<u8>,
    /// How long sessions live by default, in milliseconds: what a tombstone has to outlive.
    pub ttl: i64,
}
