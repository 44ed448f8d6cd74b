//! How large sessions are, as far as is known: what was read or written last, by a part of the key's digest.
//!
//! It is a hint. Of sessions that share a place the largest is remembered; the others count as unknown, and of what is
//! unknown the usual is expected.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use aerospike::Key;

use super::command::Command;

/// Bytes from which on a session is large.
const LARGE: usize = 32 * 1024;
const PLACES: usize = 1 << 16;

/// The part of a new size in [`RecordSizes::mean`].
const NEW_PART: u32 = 32;
/// The units of [`RecordSizes::low`] in a bit, and how many of them a smaller and a larger session moves it.
const UNITS: u32 = 256;
const DOWN: u32 = 32;
const UP: u32 = 4;

/// The index of a session in [`RecordSizes::places`], and a tag: sessions with the same index mostly differ in it.
#[derive(Clone, Copy)]
pub struct Place {
    index: u16,
    tag: u8,
}

pub struct RecordSizes {
    /// The tag of a session and the bits that its size takes, which are 0 where nothing is known.
    places: Vec<AtomicU16>,
    /// A moving average of all sizes.
    mean: AtomicU32,
    /// About the bits that one in nine takes fewer of than: large sessions that come in a burst hardly change it.
    low: AtomicU32,
}

impl RecordSizes {
    pub fn new() -> RecordSizes {
        RecordSizes {
            places: (0..PLACES).map(|_| AtomicU16::new(0)).collect(),
            mean: AtomicU32::new(0),
            low: AtomicU32::new(0),
        }
    }

    pub fn place(key: &Key) -> Place {
        // The first two bytes are the partition: those of one node are not spread evenly.
        let [_, _, low, high, tag, ..] = key.digest();
        Place {
            index: u16::from_le_bytes([low, high]),
            tag,
        }
    }

    /// Takes note of a session of so many bytes, at least one.
    pub fn learn(&self, place: Place, bytes: usize) {
        let bits = u8::try_from(usize::BITS - bytes.leading_zeros()).unwrap_or(u8::MAX);
        if let Some(known) = self.places.get(usize::from(place.index)) {
            let [tag, before] = known.load(Ordering::Relaxed).to_be_bytes();
            if tag == place.tag || bits >= before {
                known.store(u16::from_be_bytes([place.tag, bits]), Ordering::Relaxed);
            }
        }
        // Two threads that learn at the same time may lose the size of one: it is a hint.
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

    /// About how many bytes a command sends, or is answered with.
    pub fn expected(&self, key: &Key, command: &Command) -> usize {
        match command {
            Command::Read { .. } => self.of(RecordSizes::place(key)),
            _ => command.size(),
        }
    }

    /// Whether a command sends a large session, or is probably answered with one.
    pub fn is_large(&self, key: &Key, command: &Command) -> bool {
        match command {
            Command::Read { .. } => self.is_session_large(key),
            _ => is_large(command.size()),
        }
    }

    /// Whether a session is large, or probably is: nothing is known yet of any, or of this one, where nearly all are large.
    pub fn is_session_large(&self, key: &Key) -> bool {
        let low = match self.low.load(Ordering::Relaxed) {
            0 => LARGE,
            low => 1 << (low / UNITS).min(30),
        };
        is_large(self.known(RecordSizes::place(key)).unwrap_or(low))
    }

    fn of(&self, place: Place) -> usize {
        self.known(place)
            .unwrap_or_else(|| match self.mean.load(Ordering::Relaxed) {
                0 => LARGE,
                mean => mean as usize,
            })
    }

    fn known(&self, place: Place) -> Option<usize> {
        let known = self.places.get(usize::from(place.index))?;
        let [tag, bits] = known.load(Ordering::Relaxed).to_be_bytes();
        (bits > 0 && tag == place.tag).then(|| 1 << bits.min(30))
    }
}

/// Whether so many bytes are many.
pub fn is_large(bytes: usize) -> bool {
    bytes >= LARGE
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aerospike::{as_val, Bins};

    use super::*;

    const READ: Command = Command::Read {
        bins: Bins::All,
        touch: None,
    };

    fn key(name: &str) -> Key {
        Key::new("test", "sessions", as_val!(name)).unwrap()
    }

    /// A key of the same place as another one.
    fn beside(key: &Key, tag: u8) -> Key {
        let mut digest = key.digest();
        digest[4] = tag;
        Key::with_digest("test", "sessions", None, digest)
    }

    fn learn(sizes: &RecordSizes, key: &Key, bytes: usize) {
        sizes.learn(RecordSizes::place(key), bytes);
    }

    #[test]
    fn what_was_seen_is_expected_again_and_while_nothing_was_all_may_be_large() {
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
    fn a_small_session_is_not_taken_for_a_large_one_in_the_same_place() {
        let (sizes, small) = (RecordSizes::new(), key("a"));
        let large = beside(&small, small.digest()[4] ^ 1);
        learn(&sizes, &small, 300);
        learn(&sizes, &large, 170_000);
        assert!(sizes.is_large(&large, &READ));
        assert!(!sizes.is_large(&small, &READ));
        // The small one is seen again: the other is still known to be large.
        learn(&sizes, &small, 300);
        assert!(sizes.is_large(&large, &READ));
        assert!(!sizes.is_large(&small, &READ));
    }

    #[test]
    fn a_burst_of_large_sessions_does_not_make_large_what_is_unknown() {
        let sizes = RecordSizes::new();
        for n in 0..100 {
            learn(&sizes, &key(&format!("small-{n}")), 450);
        }
        for n in 0..256 {
            learn(&sizes, &key(&format!("large-{n}")), 170_000);
        }
        assert!(!sizes.is_large(&key("unknown"), &READ));
        // But not many of them travel together.
        assert!(sizes.expected(&key("unknown"), &READ) > 100_000);
    }

    #[test]
    fn where_all_sessions_are_large_an_unknown_one_is_too() {
        let sizes = RecordSizes::new();
        for n in 0..100 {
            learn(&sizes, &key(&format!("large-{n}")), 170_000);
        }
        assert!(sizes.is_large(&key("unknown"), &READ));
    }
}
