//! The meta of a baseline: what later writes have to know about a record that was read.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use aerospike::Value;

use super::super::baseline::{BaselineMeta, Origin};
use super::super::bins::{RENEWED, USER};
use super::{Layout, Stored};
use crate::codec::keys::{self, hex};

impl Layout {
    /// Returns a short hash of a value of the owner bin, if sessions of a user are limited. It is valid in this process.
    pub fn owner_mark(&self, owner: &str) -> Option<u64> {
        static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        self.options.limit.map(|_| HASHES.hash_one(owner))
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
}
