//! The hash of strings and blobs in indexes: wyhash, final version 3, with the server's seed
//! (`cf_wyhash64()` in `src/include/citrusleaf/cf_hash_math.h` of aerospike-common).
//!
//! It is not a cryptographic hash: for a string of more than 16 bytes, another string with the same hash can be
//! constructed. The server compares little more than this hash, so clients must compare the whole string.

const SECRET: [u64; 4] = [
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
];
const SEED: u64 = 0x0002_9fbb_14cc_886f;

/// Returns the hash of these bytes.
pub fn hash(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let mut seed = SEED ^ SECRET[0];
    let (first, last) = match length {
        0 => (0, 0),
        1..=3 => {
            let [low, middle, high] = [bytes[0], bytes[length / 2], bytes[length - 1]];
            (
                u64::from(low) << 16 | u64::from(middle) << 8 | u64::from(high),
                0,
            )
        }
        4..=16 => {
            let step = (length >> 3) << 2;
            let pair = |high, low| word32(bytes, high) << 32 | word32(bytes, low);
            (pair(0, step), pair(length - 4, length - 4 - step))
        }
        _ => {
            let mut rest = bytes;
            if rest.len() > 48 {
                let (mut second, mut third) = (seed, seed);
                while rest.len() > 48 {
                    seed = mix(word64(rest, 0) ^ SECRET[1], word64(rest, 8) ^ seed);
                    second = mix(word64(rest, 16) ^ SECRET[2], word64(rest, 24) ^ second);
                    third = mix(word64(rest, 32) ^ SECRET[3], word64(rest, 40) ^ third);
                    rest = &rest[48..];
                }
                seed ^= second ^ third;
            }
            while rest.len() > 16 {
                seed = mix(word64(rest, 0) ^ SECRET[1], word64(rest, 8) ^ seed);
                rest = &rest[16..];
            }
            // The last 16 bytes, which overlap those already mixed in.
            (word64(bytes, length - 16), word64(bytes, length - 8))
        }
    };
    mix(
        SECRET[1] ^ length as u64,
        mix(first ^ SECRET[1], last ^ seed),
    )
}

/// Multiplies to 128 bits and folds the two halves.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

fn word64(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn word32(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two names that server 8.1.2 does not distinguish: the first 16 bytes, the length and the hash are equal.
    const PAIR: [&str; 2] = [
        "ada.lovelace.of.the.analytical.engine.co",
        "ada.lovelace.of.qtxmYuTdytical.ec15Ub-jI",
    ];

    #[test]
    fn computes_equal_hashes_for_a_known_collision() {
        let [one, other] = PAIR.map(|name| hash(name.as_bytes()));
        assert_eq!(one, other);
    }

    #[test]
    fn the_hash_depends_on_every_byte_for_every_length() {
        for length in 0..200 {
            let bytes = vec![7; length];
            let whole = hash(&bytes);
            for place in 0..length {
                let mut changed = bytes.clone();
                changed[place] = 8;
                assert_ne!(hash(&changed), whole, "byte {place} of {length}");
            }
        }
    }
}
