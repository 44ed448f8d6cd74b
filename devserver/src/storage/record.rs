//! One record: its bins and metadata.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::wire::consts::MAX_BIN_NAME;
use crate::wire::particle::Particle;
use crate::wire::result::{Outcome, ResultCode};

/// RIPEMD-160 of set and key, which the client computes. It identifies a record.
pub type Digest = [u8; 20];

/// A bin's name, stored inline: at most 15 bytes, none of them zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BinName {
    size: u8,
    bytes: [u8; MAX_BIN_NAME],
}

impl BinName {
    /// # Errors
    /// [`ResultCode::BIN_NAME`] for a name too long or holding a zero byte (`as_bin_name_check()`).
    pub fn new(name: &[u8]) -> Outcome<BinName> {
        let mut bytes = [0; MAX_BIN_NAME];
        match bytes.get_mut(..name.len()) {
            Some(slot) if !name.contains(&0) => slot.copy_from_slice(name),
            _ => return Err(ResultCode::BIN_NAME),
        }
        Ok(BinName {
            size: name.len() as u8,
            bytes,
        })
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.size)).unwrap_or_default()
    }
}

/// A named value.
#[derive(Clone)]
pub struct Bin {
    pub name: BinName,
    pub value: Particle,
}

/// The bins of a record in the order in which they were first written. Copies share the values. Two bins are stored
/// inline, which saves an allocation for most records.
#[derive(Clone, Default)]
pub struct Bins(SmallVec<[Bin; 2]>);

impl Bins {
    pub fn iter(&self) -> std::slice::Iter<'_, Bin> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, name: &[u8]) -> Option<&Particle> {
        self.0
            .iter()
            .find(|bin| bin.name.as_bytes() == name)
            .map(|bin| &bin.value)
    }

    /// Sets a bin. A new bin is added at the end.
    pub fn set(&mut self, name: BinName, value: Particle) {
        match self.0.iter_mut().find(|bin| bin.name == name) {
            Some(bin) => bin.value = value,
            None => self.0.push(Bin { name, value }),
        }
    }

    /// Removes a bin. The last bin takes its place, as in `as_bin_delete_w_len()`.
    pub fn remove(&mut self, name: &[u8]) {
        if let Some(at) = self.0.iter().position(|bin| bin.name.as_bytes() == name) {
            self.0.swap_remove(at);
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Frees unused memory.
    pub fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// Returns the bytes of the names and values on the wire.
    pub fn size(&self) -> usize {
        self.0
            .iter()
            .map(|bin| bin.name.as_bytes().len() + bin.value.size())
            .sum()
    }
}

/// A record as it is stored.
#[derive(Clone)]
pub struct Record {
    /// Number of writes, from 1 on. After 65535 it is 1 again, never 0.
    pub generation: u16,
    /// Number of the set, see [`super::sets::Sets`]; 0 = none.
    pub set_id: u16,
    /// When the record expires, in seconds since 2010; 0 = never.
    pub void_time: u32,
    /// When the record was last written, in milliseconds since 2010.
    pub last_update: u64,
    /// The user's key with its particle type in front, if a client sent it.
    pub key: Option<Arc<[u8]>>,
    pub bins: Bins,
}

impl Record {
    /// Returns a record that was not written yet.
    pub fn new(set_id: u16) -> Record {
        Record {
            generation: 0,
            set_id,
            void_time: 0,
            last_update: 0,
            key: None,
            bins: Bins::default(),
        }
    }

    /// Increments the generation. 0 is reserved (`as_record_increment_generation()` of the Community Edition).
    pub fn advance_generation(&mut self) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
    }

    /// Sets the time of the last update (ms since 2010). It never decreases.
    pub fn set_last_update(&mut self, now: u64) {
        self.last_update = self.last_update.max(now);
    }

    /// Returns the bytes of the record in storage before rounding, which `max-record-size` limits
    /// (`as_flat_record_size()` in `as/src/storage/flat.c`, and the end mark of `drv_mem.c`).
    pub fn flat_size(&self, set_name: Option<&str>) -> usize {
        const HEADER: usize = 35;
        const END_MARK: usize = 4;
        let void_time = if self.void_time == 0 { 0 } else { 4 };
        let set = set_name.map_or(0, |name| name.len() + 1);
        let key = self
            .key
            .as_ref()
            .map_or(0, |key| varint_size(key.len()) + key.len());
        let bins: usize = self
            .bins
            .iter()
            .map(|bin| 1 + bin.name.as_bytes().len() + particle_size(&bin.value))
            .sum();
        HEADER + void_time + set + key + varint_size(self.bins.len()) + bins + END_MARK
    }

    /// Returns the bytes of the record in storage: `record_size()`, and its part of `data_used_bytes`.
    pub fn stored_size(&self, set_name: Option<&str>) -> usize {
        self.flat_size(set_name).next_multiple_of(16)
    }
}

/// Returns the bytes of a length in groups of seven bits.
fn varint_size(value: usize) -> usize {
    (usize::BITS - value.max(1).leading_zeros()).div_ceil(7) as usize
}

/// Returns the bytes of a value in storage: the type, a length if it varies, the value (the `*_flat_size()` of
/// `particle_*.c`).
fn particle_size(value: &Particle) -> usize {
    match value {
        Particle::Int(0..=0xff) => 3,
        Particle::Int(0x100..=0xffff) => 4,
        Particle::Int(0x1_0000..=0xffff_ffff) => 6,
        Particle::Int(_) => 10,
        Particle::Float(_) => 9,
        Particle::Bool(_) => 2,
        Particle::Bytes(_, data) => 5 + data.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_wraps_to_one_and_is_never_zero() {
        let mut record = Record::new(0);
        record.generation = u16::MAX;
        record.advance_generation();
        assert_eq!(record.generation, 1);
    }

    #[test]
    fn rejects_bin_names_that_are_too_long_or_contain_zeros() {
        assert!(BinName::new(b"fifteen-bytes-x").is_ok());
        assert_eq!(
            BinName::new(b"sixteen-bytes-xx").err(),
            Some(ResultCode::BIN_NAME)
        );
        assert_eq!(BinName::new(b"a\0b").err(), Some(ResultCode::BIN_NAME));
    }
}
