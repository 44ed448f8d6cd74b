//! Renewed session ids: the record with the old id is an alias of the record with the new one.

use aerospike::expressions::{Expression, and, blob_bin, blob_val, eq, gt, int_bin, int_val};
use aerospike::{Bin, Key, ParticleType, Record, Value};

use super::super::bins::{ALIAS, COOKIE, CREATED, EXPIRES, LEGACY, LOGIN, RENEWED, RENEWS, USER};
use super::super::encryption::encrypted;
use super::super::expiry;
use super::super::record_ref::digest_of_text;
use super::{Digest, Layout, Stored, undecryptable, unreadable};
use crate::codec::keys::hex;
use crate::codec::members;
use crate::error::Result;

/// The integer in the data bin of an alias. A tombstone has 0.
const ALIAS_MARK: i64 = 1;

impl Layout {
    /// Passes the aliases that have not ended.
    pub fn is_alias(&self, now: i64) -> Expression {
        and(vec![
            expiry::is_of_type(ALIAS, ParticleType::Blob),
            expiry::is_integer(self.options.bin.as_str()),
            expiry::is_integer(EXPIRES),
            gt(int_bin(EXPIRES), int_val(now)),
        ])
    }

    /// Passes the records that replaced the record with this digest in a renewal.
    pub fn is_renewal_of(&self, digest: Digest) -> Expression {
        and(vec![
            expiry::is_of_type(RENEWS, ParticleType::Blob),
            eq(blob_bin(RENEWS), blob_val(digest.to_vec())),
        ])
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
    pub(super) fn leads_to(&self, record: &Record, key: &Key) -> Result<Option<Digest>> {
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

    /// Returns the bin of the cookie of a stored session, for the record with another key.
    pub fn copied_cookie(&self, stored: &Stored<'_>, key: &Key, now: i64) -> Result<Bin> {
        let mut member = String::from("{");
        self.cookie(&mut member, stored, now)?;
        member.push('}');
        let cookie = members::without(&member, COOKIE).map_err(unreadable)?.taken;
        self.cookie_bin(key, cookie)
    }
}
