//! How large sessions are, as far as is known: what was read or written last, by a part of the key's digest.
//!
//! It is a hint. Two sessions may share a place; then the later one is remembered for both.

use std::sync::atomic::{AtomicU8, Ordering};

use aerospike::Key;

use super::Command;

/// Bytes from which on a session is large.
const LARGE: usize = 32 * 1024;
const PLACES: usize = 1 << 16;

/// Where the size of a session is kept.
#[derive(Clone, Copy)]
pub struct Place(u16);

/// The bits that each size takes, and 0 where nothing is known.
pub struct Sizes(Vec<AtomicU8>);

impl Sizes {
    pub fn new() -> Sizes {
        Sizes((0..PLACES).map(|_| AtomicU8::new(0)).collect())
    }

    pub fn place(key: &Key) -> Place {
        // The first two bytes are the partition: those of one node are not spread evenly.
        let [_, _, low, high, ..] = key.digest();
        Place(u16::from_le_bytes([low, high]))
    }

    pub fn learn(&self, place: Place, bytes: usize) {
        if let Some(bits) = self.0.get(usize::from(place.0)) {
            let taken = usize::BITS - bytes.leading_zeros();
            bits.store(u8::try_from(taken).unwrap_or(u8::MAX), Ordering::Relaxed);
        }
    }

    /// About how many bytes a command sends, or is answered with. Of what is not known the worst is expected: a hundred
    /// large sessions in one answer would keep all others waiting.
    pub fn expected(&self, key: &Key, command: &Command) -> usize {
        let Command::Read { .. } = command else {
            return command.size();
        };
        let Place(place) = Sizes::place(key);
        let bits = self.0.get(usize::from(place));
        match bits.map_or(0, |bits| bits.load(Ordering::Relaxed)) {
            0 => LARGE,
            bits => 1 << bits.min(30),
        }
    }

    pub fn is_large(bytes: usize) -> bool {
        bytes >= LARGE
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aerospike::{as_val, Bins};

    use super::*;

    #[test]
    fn what_was_seen_is_expected_again_and_what_was_not_may_be_large() {
        let sizes = Sizes::new();
        let key = Key::new("test", "sessions", as_val!("a")).unwrap();
        let read = Command::Read {
            bins: Bins::All,
            touch: None,
        };
        assert!(Sizes::is_large(sizes.expected(&key, &read)));
        sizes.learn(Sizes::place(&key), 300);
        assert_eq!(sizes.expected(&key, &read), 512);
        sizes.learn(Sizes::place(&key), 170_000);
        assert!(Sizes::is_large(sizes.expected(&key, &read)));
        sizes.learn(Sizes::place(&key), 0);
        assert_eq!(sizes.expected(&key, &read), LARGE);
        sizes.learn(Sizes::place(&key), 1);
        assert_eq!(sizes.expected(&key, &read), 2);
    }
}
