//! Encryption at rest (option `encryptionKeys`): texts that nobody reads without a key.
//!
//! A sealed text is a blob, made for one bin of one record in one namespace:
//!
//! | bytes | hold |
//! |---|---|
//! | 0..4 | `a5 73 65 73`: one of these, and no blob of somebody else's |
//! | 4 | 2: the version of this layout |
//! | 5..13 | which key: the first 8 bytes of its SHA-256 |
//! | 13..25 | the nonce, random |
//! | 25.. | the text in UTF-8, by AES-256-GCM, and the tag, 16 bytes |
//!
//! - Associated data: bytes 0..13, the length of the namespace's name (1 byte), the name, and the bin's name. A value does
//!   not open in another bin, or in another namespace.
//! - Version 1 had no namespace in its associated data. Its values are still opened; each is sealed as version 2 by the next
//!   write.
//! - The AES key is the record's own: HMAC-SHA-256 under the option's key of [`RECORD_KEY`] and the 20 bytes of the record's
//!   digest. A value does not open in another record; and random nonces, good for 2^32 values under one AES key (NIST
//!   SP 800-38D, section 8.3), last for so many writes of each session and not of all together.
//!
//! The key's id says which of several keys opens a value, so that keys can be changed on a running site.

use std::fmt;
use std::sync::Arc;

use aerospike::Value;
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM, NONCE_LEN};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};

/// Bytes of a key.
pub const KEY: usize = 32;

const MAGIC: [u8; 4] = *b"\xa5ses";
const VERSION: u8 = 2;
/// The version whose associated data lacks the namespace.
const VERSION_WITHOUT_NAMESPACE: u8 = 1;
const KEY_ID: usize = 8;
const HEADER: usize = MAGIC.len() + 1 + KEY_ID;
const RECORD_KEY: &[u8] = b"aerospike-session record key 1";

/// A record's digest.
type Digest = [u8; 20];

/// Where a sealed text belongs: it opens nowhere else.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub namespace: &'a str,
    /// The record's.
    pub digest: &'a Digest,
    pub bin: &'a str,
}

/// The keys of option `encryptionKeys`. The first seals; all of them open.
#[derive(Clone, Default)]
pub struct Keyring {
    keys: Arc<[Member]>,
}

struct Member {
    id: [u8; KEY_ID],
    key: hmac::Key,
}

/// Why a sealed text does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecryptError {
    NoKeys,
    NoSuchKey,
    NoSuchVersion,
    /// Altered, cut short, or made for another bin or record.
    Altered,
}

impl fmt::Display for DecryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecryptError::NoKeys => "encrypted: it takes option 'encryptionKeys' to read it",
            DecryptError::NoSuchKey => {
                "encrypted with a key that is not in option 'encryptionKeys'"
            }
            DecryptError::NoSuchVersion => "encrypted in a way that only a later version knows",
            DecryptError::Altered => {
                "encrypted, and was altered since, or written for another session or bin"
            }
        })
    }
}

/// The bytes of a sealed text, if the value is one.
pub fn sealed(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Blob(bytes) if bytes.starts_with(&MAGIC) => Some(bytes),
        _ => None,
    }
}

impl Keyring {
    /// Of these keys, the one that seals first.
    pub fn new(keys: &[[u8; KEY]]) -> Keyring {
        Keyring {
            keys: keys.iter().map(Member::new).collect(),
        }
    }

    /// Whether there are no keys: then nothing is sealed.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether it was sealed with the key that seals now, and in the version that is written now.
    pub fn is_of_first(&self, sealed: &[u8]) -> bool {
        let first = self.keys.first().map(|first| first.header(VERSION));
        first.is_some_and(|header| sealed.starts_with(&header))
    }

    /// Returns the text, sealed for this place; `None` if there is no key, or the system gives no random numbers.
    pub fn seal(&self, place: &Place<'_>, text: &str) -> Option<Vec<u8>> {
        let member = self.keys.first()?;
        let header = member.header(VERSION);
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut text = text.as_bytes().to_vec();
        let tag = member
            .of_record(place.digest)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                associated(&header, place),
                &mut text,
            )
            .ok()?;
        Some([&header, &nonce[..], &text, tag.as_ref()].concat())
    }

    /// Returns the text that was sealed for this place.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<String, DecryptError> {
        if self.is_empty() {
            return Err(DecryptError::NoKeys);
        }
        let version = match sealed.get(MAGIC.len()) {
            Some(version @ (&VERSION | &VERSION_WITHOUT_NAMESPACE)) => *version,
            Some(_) => return Err(DecryptError::NoSuchVersion),
            None => return Err(DecryptError::Altered),
        };
        let (header, rest) = sealed
            .split_first_chunk::<HEADER>()
            .ok_or(DecryptError::Altered)?;
        let (nonce, rest) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(DecryptError::Altered)?;
        // The id of a key is a hash of 8 bytes: two keys may share it, and only one of them opens the value.
        let mut failure = DecryptError::NoSuchKey;
        for member in self.keys.iter() {
            if member.header(version) != *header {
                continue;
            }
            match member.open(place, header, nonce, rest) {
                Some(text) => return Ok(text),
                None => failure = DecryptError::Altered,
            }
        }
        Err(failure)
    }
}

impl Member {
    fn new(key: &[u8; KEY]) -> Member {
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest::digest(&digest::SHA256, key).as_ref()[..KEY_ID]);
        Member {
            id,
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    fn header(&self, version: u8) -> [u8; HEADER] {
        let mut header = [version; HEADER];
        header[..MAGIC.len()].copy_from_slice(&MAGIC);
        header[MAGIC.len() + 1..].copy_from_slice(&self.id);
        header
    }

    fn open(
        &self,
        place: &Place<'_>,
        header: &[u8; HEADER],
        nonce: &[u8; NONCE_LEN],
        rest: &[u8],
    ) -> Option<String> {
        let mut text = rest.to_vec();
        let length = self
            .of_record(place.digest)?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                associated(header, place),
                &mut text,
            )
            .ok()?
            .len();
        text.truncate(length);
        String::from_utf8(text).ok()
    }

    /// `None` never: a key of HMAC-SHA-256 has the length that AES-256 takes.
    fn of_record(&self, digest: &Digest) -> Option<LessSafeKey> {
        let mut key = hmac::Context::with_key(&self.key);
        key.update(RECORD_KEY);
        key.update(digest);
        let key = UnboundKey::new(&AES_256_GCM, key.sign().as_ref()).ok()?;
        Some(LessSafeKey::new(key))
    }
}

fn associated(header: &[u8; HEADER], place: &Place<'_>) -> Aad<Vec<u8>> {
    let mut data = header.to_vec();
    if header[MAGIC.len()] != VERSION_WITHOUT_NAMESPACE {
        // The server allows names of at most 31 bytes (AS_ID_NAMESPACE_SZ in as/include/base/datamodel.h).
        data.push(place.namespace.len() as u8);
        data.extend_from_slice(place.namespace.as_bytes());
    }
    data.extend_from_slice(place.bin.as_bytes());
    Aad::from(data)
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the keys.
        write!(f, "Keyring({})", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: [u8; KEY] = [1; KEY];
    const TWO: [u8; KEY] = [2; KEY];
    const HERE: Place<'_> = Place {
        namespace: "test",
        digest: &[7; 20],
        bin: "data",
    };

    fn seal(keys: &Keyring, text: &str) -> Vec<u8> {
        keys.seal(&HERE, text).expect("random numbers")
    }

    /// A value as version 1 sealed it.
    fn seal_without_namespace(keys: &Keyring, place: &Place<'_>, text: &str) -> Vec<u8> {
        let member = &keys.keys[0];
        let (header, nonce) = (member.header(1), [3; NONCE_LEN]);
        let mut sealed = text.as_bytes().to_vec();
        let associated = Aad::from([&header, place.bin.as_bytes()].concat());
        member
            .of_record(place.digest)
            .expect("a key")
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated, &mut sealed)
            .expect("sealed");
        [&header, &nonce[..], &sealed].concat()
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was_written_and_is_not_to_be_seen(
            text in "\\PC*", namespace in "[a-z]{1,31}", bin in "[a-z]{1,15}", digest: Digest
        ) {
            let keys = Keyring::new(&[ONE]);
            let place = Place { namespace: &namespace, digest: &digest, bin: &bin };
            let blob = keys.seal(&place, &text).expect("random numbers");
            prop_assert_eq!(blob.len(), HEADER + NONCE_LEN + text.len() + AES_256_GCM.tag_len());
            // A shorter text may well be there by chance.
            prop_assert!(text.len() < 8 || !blob.windows(text.len()).any(|part| part == text.as_bytes()));
            prop_assert!(sealed(&Value::Blob(blob.clone())).is_some());
            prop_assert_eq!(keys.open(&place, &blob), Ok(text));
        }

        #[test]
        fn no_bytes_at_all_open_or_panic(bytes: Vec<u8>) {
            let keys = Keyring::new(&[ONE]);
            prop_assert!(keys.open(&HERE, &bytes).is_err());
            prop_assert!(keys.open(&HERE, &[&MAGIC, &bytes[..]].concat()).is_err());
        }
    }

    #[test]
    fn a_value_opens_in_its_own_namespace_record_and_bin_only() {
        let keys = Keyring::new(&[ONE]);
        let blob = seal(&keys, "{}");
        assert_eq!(keys.open(&HERE, &blob), Ok("{}".into()));
        let others = [
            Place {
                namespace: "other",
                ..HERE
            },
            Place {
                digest: &[8; 20],
                ..HERE
            },
            Place {
                bin: "cookie",
                ..HERE
            },
            // The same letters, divided in another way.
            Place {
                namespace: "tes",
                bin: "tdata",
                ..HERE
            },
        ];
        for place in others {
            assert_eq!(keys.open(&place, &blob), Err(DecryptError::Altered));
        }
    }

    #[test]
    fn values_of_version_1_open_and_are_to_be_sealed_anew() {
        let keys = Keyring::new(&[TWO, ONE]);
        for first in [ONE, TWO] {
            let blob = seal_without_namespace(&Keyring::new(&[first]), &HERE, "{}");
            assert_eq!(keys.open(&HERE, &blob), Ok("{}".into()));
            assert!(!keys.is_of_first(&blob));
            let mut relabelled = blob;
            relabelled[MAGIC.len()] = VERSION;
            assert_eq!(keys.open(&HERE, &relabelled), Err(DecryptError::Altered));
        }
    }

    #[test]
    fn of_two_keys_with_the_same_id_the_right_one_opens() {
        let blob = seal(&Keyring::new(&[ONE]), "{}");
        let twin = Member {
            id: Member::new(&ONE).id,
            ..Member::new(&TWO)
        };
        let keys = Keyring {
            keys: Arc::new([twin, Member::new(&ONE)]),
        };
        assert_eq!(keys.open(&HERE, &blob), Ok("{}".into()));
    }

    #[test]
    fn a_value_with_a_flipped_bit_or_cut_short_does_not_open() {
        let keys = Keyring::new(&[ONE]);
        let blob = seal(&keys, r#"{"user":"ada"}"#);
        for place in 0..blob.len() * 8 {
            let mut altered = blob.clone();
            altered[place / 8] ^= 1 << (place % 8);
            assert!(keys.open(&HERE, &altered).is_err(), "bit {place}");
        }
        for length in 0..blob.len() {
            assert!(keys.open(&HERE, &blob[..length]).is_err());
        }
    }

    #[test]
    fn the_header_is_part_of_what_is_authenticated() {
        let mut keys = Keyring::new(&[ONE]);
        let blob = seal(&keys, "{}");
        // Two keys of one id, as far as anybody can tell.
        keys.keys = Arc::new([Member {
            id: [9; KEY_ID],
            ..Member::new(&ONE)
        }]);
        let mut altered = blob;
        altered[MAGIC.len() + 1..HEADER].fill(9);
        assert_eq!(keys.open(&HERE, &altered), Err(DecryptError::Altered));
    }

    #[test]
    fn every_key_opens_what_it_sealed_and_the_first_seals() {
        let (old, new) = (Keyring::new(&[ONE]), Keyring::new(&[TWO]));
        let both = Keyring::new(&[TWO, ONE]);
        let before = seal(&old, "before");
        assert_eq!(both.open(&HERE, &before), Ok("before".into()));
        assert!(!both.is_of_first(&before));
        let after = seal(&both, "after");
        assert!(both.is_of_first(&after));
        assert_eq!(new.open(&HERE, &after), Ok("after".into()));
        assert_eq!(old.open(&HERE, &after), Err(DecryptError::NoSuchKey));
    }

    #[test]
    fn without_keys_nothing_is_sealed_and_nothing_opens() {
        let none = Keyring::default();
        assert_eq!(none.seal(&HERE, "{}"), None);
        let blob = seal(&Keyring::new(&[ONE]), "{}");
        assert_eq!(none.open(&HERE, &blob), Err(DecryptError::NoKeys));
        assert!(!none.is_of_first(&blob));
    }

    #[test]
    fn a_later_version_is_told_from_a_damaged_value() {
        let keys = Keyring::new(&[ONE]);
        let mut blob = seal(&keys, "{}");
        blob[MAGIC.len()] = 3;
        assert_eq!(keys.open(&HERE, &blob), Err(DecryptError::NoSuchVersion));
    }

    #[test]
    fn blobs_of_others_are_not_taken_for_sealed_texts() {
        for bytes in [&b""[..], b"\xa5se", b"ses\xa5", b"\x80\x04pickle"] {
            assert_eq!(sealed(&Value::Blob(bytes.to_vec())), None);
        }
        assert_eq!(sealed(&Value::from("\u{a5}ses")), None);
    }

    #[test]
    fn no_two_values_are_alike() {
        let keys = Keyring::new(&[ONE]);
        assert_ne!(seal(&keys, "{}"), seal(&keys, "{}"));
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = Keyring::new(&[ONE, TWO]);
        assert_eq!(format!("{keys:?}"), "Keyring(2)");
    }
}
