//! Remembers the approximate size of sessions when they are read or written, by a part of the key's digest.
//!
//! The sizes are a hint. If sessions share a slot, the largest is remembered and the others count as unknown. For an unknown session the
//! usual size is expected.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use aerospike::Key;

use super::command::Command;

/// A session of this many bytes or more is large.
const LARGE: usize = 32 * 1024;
const SLOTS: usize = 1 << 16;
/// The expected size of the bins that a [`Command::Check`] or a [`Command::ReadSmall`] reads.
const CHECKED: usize = 128;

/// A new size changes [`RecordSizes::mean`] by this part of the difference: 1/32.
const NEW_PART: u32 = 32;
/// The units of [`RecordSizes::low`] per bit, and by how many units a smaller session lowers it and a larger one raises it.
const UNITS: u32 = 256;
const DOWN: u32 = 32;
const UP: u32 = 4;

/// The index of a session in [`RecordSizes::slots`], and a tag that mostly differs between sessions with the same index.
#[derive(Clone, Copy)]
pub struct Slot {
    index: u16,
    tag: u8,
}

pub struct RecordSizes {
    /// The tag of a session and the number of bits of its size. 0 bits: not known.
    slots: Vec<AtomicU16>,
    /// A moving average of all sizes.
    mean: AtomicU32,
    /// About one session in nine has fewer bits than this. A burst of large sessions hardly changes it.
    low: AtomicU32,
}

impl RecordSizes {
    pub fn new() -> RecordSizes {
        RecordSizes {
            slots: (0..SLOTS).map(|_| AtomicU16::new(0)).collect(),
            mean: AtomicU32::new(0),
            low: AtomicU32::new(0),
        }
    }

    pub fn slot(key: &Key) -> Slot {
        // The first two bytes decide the partition, so those of one node are not spread evenly.
        let [_, _, low, high, tag, ..] = key.digest();
        Slot {
            index: u16::from_le_bytes([low, high]),
            tag,
        }
    }

    /// Remembers the size of a session. `bytes` is at least 1.
    pub fn learn(&self, slot: Slot, bytes: usize) {
        let bits = u8::try_from(usize::BITS - bytes.leading_zeros()).unwrap_or(u8::MAX);
        if let Some(known) = self.slots.get(usize::from(slot.index)) {
            let [tag, before] = known.load(Ordering::Relaxed).to_be_bytes();
            if tag == slot.tag || bits >= before {
                known.store(u16::from_be_bytes([slot.tag, bits]), Ordering::Relaxed);
            }
        }
        // If two threads learn at the same time, one size may be lost. That is acceptable for a hint.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mean = match self.mean.load(Ordering::Relaxed) {
            0 => bytes,
            mean => mean - mean / NEW_PART + bytes / NEW_PART,
        };
        self.mean.store(mean, Ordering::Relaxed);
        let (now, low) = (u32::from(bits) * UNITS, self.low.load(Ordering::Relaxed));
        let low = match low {
            0 => now,
            low if now < low => now.max(low - DOWN.min(low)),
            low => now.min(low + UP),
        };
        self.low.store(low, Ordering::Relaxed);
    }

    /// Returns about how many bytes a write sends, or the answer to a read has.
    pub fn expected(&self, key: &Key, command: &Command) -> usize {
        match command {
            Command::Read { .. } | Command::ReadSteps { .. } => self.of(RecordSizes::slot(key)),
            Command::Check { .. } | Command::ReadSmall { .. } => CHECKED,
            _ => command.size(),
        }
    }

    /// Returns whether a write sends a large session, or the answer to a read probably has one.
    pub fn is_large(&self, key: &Key, command: &Command) -> bool {
        match command {
            Command::Read { .. } | Command::ReadSteps { .. } => {
                self.is_session_at_least(key, LARGE)
            }
            Command::Check { .. } | Command::ReadSmall { .. } => false,
            _ => is_large(command.size()),
        }
    }

    /// Returns whether a session probably has this many bytes or more. Sizes are rounded up to a power of two. An unknown session counts
    /// as large while no size is known, or if nearly all sessions are large.
    pub fn is_session_at_least(&self, key: &Key, bytes: usize) -> bool {
        let low = match self.low.load(Ordering::Relaxed) {
            0 => LARGE,
            low => 1 << (low / UNITS).min(30),
        };
        self.known(RecordSizes::slot(key)).unwrap_or(low) >= bytes
    }

    fn of(&self, slot: Slot) -> usize {
        self.known(slot)
            .unwrap_or_else(|| match self.mean.load(Ordering::Relaxed) {
                0 => LARGE,
                mean => mean as usize,
            })
    }

    fn known(&self, slot: Slot) -> Option<usize> {
        let known = self.slots.get(usize::from(slot.index))?;
        let [tag, bits] = known.load(Ordering::Relaxed).to_be_bytes();
        (bits > 0 && tag == slot.tag).then(|| 1 << bits.min(30))
    }
}

/// Returns whether a session of this size is large.
pub fn is_large(bytes: usize) -> bool {
    bytes >= LARGE
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aerospike::{Bins, as_val};

    use super::*;

    const READ: Command = Command::Read {
        bins: Bins::All,
        touch: None,
    };

    fn key(name: &str) -> Key {
        Key::new("test", "sessions", as_val!(name)).unwrap()
    }

    /// Returns a key with the same index as another one, and this tag.
    fn key_with_tag(key: &Key, tag: u8) -> Key {
        let mut digest = key.digest();
        digest[4] = tag;
        Key::with_digest("test", "sessions", None, digest)
    }

    fn learn(sizes: &RecordSizes, key: &Key, bytes: usize) {
        sizes.learn(RecordSizes::slot(key), bytes);
    }

    #[test]
    fn the_last_size_is_expected_and_before_the_first_size_every_session_counts_as_large() {
        let (sizes, key) = (RecordSizes::new(), key("a"));
        assert_eq!(sizes.expected(&key, &READ), LARGE);
        assert!(sizes.is_large(&key, &READ));
        learn(&sizes, &key, 300);
        assert_eq!(sizes.expected(&key, &READ), 512);
        assert!(!sizes.is_large(&key, &READ));
        learn(&sizes, &key, 170_000);
        assert!(sizes.is_large(&key, &READ));
        learn(&sizes, &key, 1);
        assert_eq!(sizes.expected(&key, &READ), 2);
    }

    #[test]
    fn a_small_session_does_not_count_as_large_if_a_large_one_has_the_same_index() {
        let (sizes, small) = (RecordSizes::new(), key("a"));
        let large = key_with_tag(&small, small.digest()[4] ^ 1);
        learn(&sizes, &small, 300);
        learn(&sizes, &large, 170_000);
        assert!(sizes.is_large(&large, &READ));
        assert!(!sizes.is_large(&small, &READ));
        // The small session is seen again. The other one is still known to be large.
        learn(&sizes, &small, 300);
        assert!(sizes.is_large(&large, &READ));
        assert!(!sizes.is_large(&small, &READ));
    }

    #[test]
    fn unknown_sessions_do_not_count_as_large_after_a_burst_of_large_ones() {
        let sizes = RecordSizes::new();
        for n in 0..100 {
            learn(&sizes, &key(&format!("small-{n}")), 450);
        }
        for n in 0..256 {
            learn(&sizes, &key(&format!("large-{n}")), 170_000);
        }
        assert!(!sizes.is_large(&key("unknown"), &READ));
        // But few of them are put into one batch.
        assert!(sizes.expected(&key("unknown"), &READ) > 100_000);
    }

    #[test]
    fn unknown_sessions_count_as_large_if_all_known_ones_are_large() {
        let sizes = RecordSizes::new();
        for n in 0..100 {
            learn(&sizes, &key(&format!("large-{n}")), 170_000);
        }
        assert!(sizes.is_large(&key("unknown"), &READ));
    }
}
