//! A user's key as JSON writes it, and its digest.

use std::fmt;

use ripemd::{Digest as _, Ripemd160};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use crate::storage::record::Digest;
use crate::wire::consts::particle;

/// A user's key: in JSON a string or an integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Key {
    Text(String),
    Number(i64),
}

impl Key {
    /// Returns the digest of the record with this key: RIPEMD-160 of the set, the type of the key and the key.
    pub fn digest(&self, set: &[u8]) -> Digest {
        let hash = Ripemd160::new().chain_update(set);
        let hash = match self {
            Key::Text(text) => hash.chain_update([particle::STRING]).chain_update(text),
            Key::Number(number) => hash
                .chain_update([particle::INTEGER])
                .chain_update(number.to_be_bytes()),
        };
        hash.finalize().into()
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key: a string or an integer")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
        Ok(Key::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Key, E> {
        Ok(Key::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Key, E> {
        let signed = i64::try_from(number);
        signed
            .map(Key::Number)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}
