//! Encryption at rest (option `encryptionKeys`): the stored text cannot be read without a key.
//!
//! An encrypted text is a blob. It belongs to one bin of one record in one namespace:
//!
//! | bytes | hold |
//! |---|---|
//! | 0..4 | `a5 73 65 73`: marks an encrypted text, and no blob of another program |
//! | 4 | 2: the version of this layout |
//! | 5..13 | the key's id: the first 8 bytes of its SHA-256 |
//! | 13..25 | the nonce, random |
//! | 25.. | the text in UTF-8, by AES-256-GCM, and the tag, 16 bytes |
//!
//! - Associated data: bytes 0..13, the length of the namespace's name (1 byte), the name, and the bin's name. A value
//!   cannot be decrypted in another bin or in another namespace.
//! - Version 1 had no namespace in its associated data. Its values can still be decrypted. The next write encrypts
//!   them again, as version 2.
//! - Each record has its own AES key: HMAC-SHA-256, under the configured key, of [`RECORD_KEY`] and the 20 bytes of
//!   the record's digest. A value cannot be decrypted in another record. Random nonces are safe for 2^32 values under
//!   one AES key (NIST SP 800-38D, section 8.3). Because each record has its own key, this limit applies to the
//!   writes of one session, not of all sessions.
//!
//! With several keys, the key's id selects the one that decrypts a value. So keys can be changed on a running site.

use std::fmt;
use std::sync::Arc;

use aerospike::Value;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};

/// The length of a key in bytes.
pub const KEY: usize = 32;

const MAGIC: [u8; 4] = *b"\xa5ses";
const VERSION: u8 = 2;
/// The version without the namespace in its associated data.
const VERSION_WITHOUT_NAMESPACE: u8 = 1;
const KEY_ID: usize = 8;
const HEADER: usize = MAGIC.len() + 1 + KEY_ID;
const RECORD_KEY: &[u8] = b"aerospike-session record key 1";

/// A record's digest.
type Digest = [u8; 20];

/// Where an encrypted text is stored. It cannot be decrypted anywhere else.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub namespace: &'a str,
    /// The digest of the record.
    pub digest: &'a Digest,
    pub bin: &'a str,
}

/// The keys of option `encryptionKeys`. The first encrypts, and all of them decrypt.
#[derive(Clone, Default)]
pub struct Keyring {
    keys: Arc<[Member]>,
}

struct Member {
    id: [u8; KEY_ID],
    key: hmac::Key,
}

/// Why a text cannot be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecryptError {
    NoKeys,
    NoSuchKey,
    NoSuchVersion,
    /// Altered, truncated, or written for another bin or record.
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

/// Returns the bytes of an encrypted text. `None` if the value is not one.
pub fn encrypted(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Blob(bytes) if bytes.starts_with(&MAGIC) => Some(bytes),
        _ => None,
    }
}

impl Keyring {
    /// Creates a keyring. The first key encrypts.
    pub fn new(keys: &[[u8; KEY]]) -> Keyring {
        Keyring {
            keys: keys.iter().map(Member::new).collect(),
        }
    }

    /// Returns whether there are no keys. Nothing is encrypted then.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns whether a text was encrypted with the first key and in the current version.
    pub fn is_current(&self, encrypted: &[u8]) -> bool {
        let first = self.keys.first().map(|first| first.header(VERSION));
        first.is_some_and(|header| encrypted.starts_with(&header))
    }

    /// Encrypts a text for this place. Returns `None` if there is no key, or if the system provides no random
    /// numbers.
    pub fn encrypt(&self, place: &Place<'_>, text: &str) -> Option<Vec<u8>> {
        let member = self.keys.first()?;
        let header = member.header(VERSION);
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut text = text.as_bytes().to_vec();
        let tag = member
            .record_key(place.digest)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                associated(&header, place),
                &mut text,
            )
            .ok()?;
        Some([&header, &nonce[..], &text, tag.as_ref()].concat())
    }

    /// Decrypts a text that was encrypted for this place.
    pub fn decrypt(&self, place: &Place<'_>, encrypted: &[u8]) -> Result<String, DecryptError> {
        if self.is_empty() {
            return Err(DecryptError::NoKeys);
        }
        let version = match encrypted.get(MAGIC.len()) {
            Some(version @ (&VERSION | &VERSION_WITHOUT_NAMESPACE)) => *version,
            Some(_) => return Err(DecryptError::NoSuchVersion),
            None => return Err(DecryptError::Altered),
        };
        let (header, rest) = encrypted
            .split_first_chunk::<HEADER>()
            .ok_or(DecryptError::Altered)?;
        let (nonce, rest) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(DecryptError::Altered)?;
        // The id of a key is a hash of 8 bytes. Two keys may share it, and only one of them decrypts the value.
        let mut failure = DecryptError::NoSuchKey;
        for member in self.keys.iter() {
            if member.header(version) != *header {
                continue;
            }
            match member.decrypt(place, header, nonce, rest) {
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

    fn decrypt(
        &self,
        place: &Place<'_>,
        header: &[u8; HEADER],
        nonce: &[u8; NONCE_LEN],
        rest: &[u8],
    ) -> Option<String> {
        let mut text = rest.to_vec();
        let length = self
            .record_key(place.digest)?
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

    /// Returns the AES key of a record. It is never `None`: an HMAC-SHA-256 has the length of an AES-256 key.
    fn record_key(&self, digest: &Digest) -> Option<LessSafeKey> {
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
        // The server allows at most 31 bytes for a name (AS_ID_NAMESPACE_SZ in as/include/base/datamodel.h).
        data.push(place.namespace.len() as u8);
        data.extend_from_slice(place.namespace.as_bytes());
    }
    data.extend_from_slice(place.bin.as_bytes());
    Aad::from(data)
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Omits the keys.
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

    fn encrypted_text(keys: &Keyring, text: &str) -> Vec<u8> {
        keys.encrypt(&HERE, text).expect("random numbers")
    }

    /// Encrypts a value as version 1 did.
    fn encrypt_without_namespace(keys: &Keyring, place: &Place<'_>, text: &str) -> Vec<u8> {
        let member = &keys.keys[0];
        let (header, nonce) = (member.header(1), [3; NONCE_LEN]);
        let mut encrypted = text.as_bytes().to_vec();
        let associated = Aad::from([&header, place.bin.as_bytes()].concat());
        member
            .record_key(place.digest)
            .expect("a key")
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                associated,
                &mut encrypted,
            )
            .expect("encrypted");
        [&header, &nonce[..], &encrypted].concat()
    }

    proptest! {
        #[test]
        fn any_text_round_trips_and_is_not_visible(
            text in "\\PC*", namespace in "[a-z]{1,31}", bin in "[a-z]{1,15}", digest: Digest
        ) {
            let keys = Keyring::new(&[ONE]);
            let place = Place { namespace: &namespace, digest: &digest, bin: &bin };
            let blob = keys.encrypt(&place, &text).expect("random numbers");
            prop_assert_eq!(blob.len(), HEADER + NONCE_LEN + text.len() + AES_256_GCM.tag_len());
            // A short text may occur by chance.
            prop_assert!(text.len() < 8 || !blob.windows(text.len()).any(|part| part == text.as_bytes()));
            prop_assert!(encrypted(&Value::Blob(blob.clone())).is_some());
            prop_assert_eq!(keys.decrypt(&place, &blob), Ok(text));
        }

        #[test]
        fn arbitrary_bytes_neither_decrypt_nor_panic(bytes: Vec<u8>) {
            let keys = Keyring::new(&[ONE]);
            prop_assert!(keys.decrypt(&HERE, &bytes).is_err());
            prop_assert!(keys.decrypt(&HERE, &[&MAGIC, &bytes[..]].concat()).is_err());
        }
    }

    #[test]
    fn a_value_decrypts_only_in_its_own_namespace_record_and_bin() {
        let keys = Keyring::new(&[ONE]);
        let blob = encrypted_text(&keys, "{}");
        assert_eq!(keys.decrypt(&HERE, &blob), Ok("{}".into()));
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
            // The same letters, split in another place.
            Place {
                namespace: "tes",
                bin: "tdata",
                ..HERE
            },
        ];
        for place in others {
            assert_eq!(keys.decrypt(&place, &blob), Err(DecryptError::Altered));
        }
    }

    #[test]
    fn values_of_version_1_decrypt_and_are_outdated() {
        let keys = Keyring::new(&[TWO, ONE]);
        for first in [ONE, TWO] {
            let blob = encrypt_without_namespace(&Keyring::new(&[first]), &HERE, "{}");
            assert_eq!(keys.decrypt(&HERE, &blob), Ok("{}".into()));
            assert!(!keys.is_current(&blob));
            let mut relabelled = blob;
            relabelled[MAGIC.len()] = VERSION;
            assert_eq!(keys.decrypt(&HERE, &relabelled), Err(DecryptError::Altered));
        }
    }

    #[test]
    fn if_two_keys_share_an_id_the_right_one_decrypts() {
        let blob = encrypted_text(&Keyring::new(&[ONE]), "{}");
        let twin = Member {
            id: Member::new(&ONE).id,
            ..Member::new(&TWO)
        };
        let keys = Keyring {
            keys: Arc::new([twin, Member::new(&ONE)]),
        };
        assert_eq!(keys.decrypt(&HERE, &blob), Ok("{}".into()));
    }

    #[test]
    fn rejects_a_value_with_a_flipped_bit_or_missing_bytes() {
        let keys = Keyring::new(&[ONE]);
        let blob = encrypted_text(&keys, r#"{"user":"ada"}"#);
        for place in 0..blob.len() * 8 {
            let mut altered = blob.clone();
            altered[place / 8] ^= 1 << (place % 8);
            assert!(keys.decrypt(&HERE, &altered).is_err(), "bit {place}");
        }
        for length in 0..blob.len() {
            assert!(keys.decrypt(&HERE, &blob[..length]).is_err());
        }
    }

    #[test]
    fn the_header_is_authenticated() {
        let mut keys = Keyring::new(&[ONE]);
        let blob = encrypted_text(&keys, "{}");
        // Another key with the same id.
        keys.keys = Arc::new([Member {
            id: [9; KEY_ID],
            ..Member::new(&ONE)
        }]);
        let mut altered = blob;
        altered[MAGIC.len() + 1..HEADER].fill(9);
        assert_eq!(keys.decrypt(&HERE, &altered), Err(DecryptError::Altered));
    }

    #[test]
    fn every_key_decrypts_its_values_and_the_first_key_encrypts() {
        let (old, new) = (Keyring::new(&[ONE]), Keyring::new(&[TWO]));
        let both = Keyring::new(&[TWO, ONE]);
        let before = encrypted_text(&old, "before");
        assert_eq!(both.decrypt(&HERE, &before), Ok("before".into()));
        assert!(!both.is_current(&before));
        let after = encrypted_text(&both, "after");
        assert!(both.is_current(&after));
        assert_eq!(new.decrypt(&HERE, &after), Ok("after".into()));
        assert_eq!(old.decrypt(&HERE, &after), Err(DecryptError::NoSuchKey));
    }

    #[test]
    fn without_keys_nothing_is_encrypted_or_decrypted() {
        let none = Keyring::default();
        assert_eq!(none.encrypt(&HERE, "{}"), None);
        let blob = encrypted_text(&Keyring::new(&[ONE]), "{}");
        assert_eq!(none.decrypt(&HERE, &blob), Err(DecryptError::NoKeys));
        assert!(!none.is_current(&blob));
    }

    #[test]
    fn a_later_version_differs_from_a_damaged_value() {
        let keys = Keyring::new(&[ONE]);
        let mut blob = encrypted_text(&keys, "{}");
        blob[MAGIC.len()] = 3;
        assert_eq!(keys.decrypt(&HERE, &blob), Err(DecryptError::NoSuchVersion));
    }

    #[test]
    fn blobs_of_other_programs_do_not_count_as_encrypted() {
        for bytes in [&b""[..], b"\xa5se", b"ses\xa5", b"\x80\x04pickle"] {
            assert_eq!(encrypted(&Value::Blob(bytes.to_vec())), None);
        }
        assert_eq!(encrypted(&Value::from("\u{a5}ses")), None);
    }

    #[test]
    fn equal_texts_encrypt_to_different_values() {
        let keys = Keyring::new(&[ONE]);
        assert_ne!(encrypted_text(&keys, "{}"), encrypted_text(&keys, "{}"));
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = Keyring::new(&[ONE, TWO]);
        assert_eq!(format!("{keys:?}"), "Keyring(2)");
    }
}
