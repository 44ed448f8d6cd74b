//! Hashed ids (option `hashIds`). Without the secret, the record of a session id or of a user cannot be recognized.
//!
//! The server stores only a digest of each key. But a digest needs no secret, so anyone with a dump can try ids and
//! users on it. With this option the key is an HMAC, and so is the owner.
//!
//! | what | is, as 64 lower-case hexadecimal digits |
//! |---|---|
//! | the key | HMAC-SHA-256, under the key for ids, of the prefix's length in bytes (8 bytes, big-endian), the prefix and the id |
//! | bin `user` | HMAC-SHA-256, under the key for users, of the user |
//!
//! Each of the two keys is the HMAC-SHA-256, under the secret, of a text of its own ([`IDS`], [`USERS`]). So the
//! secret itself signs nothing that a visitor can send, and an id never has the hash of a user. The length separates
//! prefix and id: prefix `shop:` with id `beta:x` and prefix `shop:beta:` with id `x` are two keys.

use std::fmt;

use ring::hmac::{self, HMAC_SHA256};

const IDS: &[u8] = b"aerospike-session 2 ids";
const USERS: &[u8] = b"aerospike-session 2 users";

/// The keys that are derived from the secret.
#[derive(Clone)]
pub struct Hasher {
    ids: hmac::Key,
    users: hmac::Key,
}

impl Hasher {
    pub fn new(secret: &[u8]) -> Hasher {
        let secret = hmac::Key::new(HMAC_SHA256, secret);
        let key_for = |what| hmac::Key::new(HMAC_SHA256, hmac::sign(&secret, what).as_ref());
        Hasher {
            ids: key_for(IDS),
            users: key_for(USERS),
        }
    }

    /// Returns the record's key.
    pub fn id(&self, prefix: &str, id: &str) -> String {
        let mut hash = hmac::Context::with_key(&self.ids);
        hash.update(&(prefix.len() as u64).to_be_bytes());
        hash.update(prefix.as_bytes());
        hash.update(id.as_bytes());
        hex(&hash.sign())
    }

    /// Returns the value of bin `user` for a user.
    pub fn user(&self, user: &str) -> String {
        hex(&hmac::sign(&self.users, user.as_bytes()))
    }
}

fn hex(hash: &hmac::Tag) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Omits the keys.
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HMAC-SHA-256 from its definition (RFC 2104), as another program would compute it.
    fn hmac_sha_256(key: &[u8], text: &[u8]) -> Vec<u8> {
        use ring::digest::{SHA256, digest};
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(key);
        let padded = |pad: u8, rest: &[u8]| {
            let key = block.map(|byte| byte ^ pad);
            digest(&SHA256, &[&key[..], rest].concat())
                .as_ref()
                .to_vec()
        };
        padded(0x5c, &padded(0x36, text))
    }

    fn hexadecimal(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn ids_and_users_are_hashed_under_separate_keys() {
        let hasher = Hasher::new(b"Jefe");
        let ids = hmac_sha_256(b"Jefe", b"aerospike-session 2 ids");
        let users = hmac_sha_256(b"Jefe", b"aerospike-session 2 users");
        let id = hmac_sha_256(&ids, b"\0\0\0\0\0\0\0\x05shop:some id");
        assert_eq!(hasher.id("shop:", "some id"), hexadecimal(&id));
        assert_eq!(
            hasher.user("ada"),
            hexadecimal(&hmac_sha_256(&users, b"ada"))
        );
    }

    #[test]
    fn equal_users_and_ids_have_different_hashes() {
        let hasher = Hasher::new(b"a secret");
        assert_ne!(hasher.id("", "ada"), hasher.user("ada"));
        assert_ne!(hasher.user("ada"), Hasher::new(b"another").user("ada"));
    }

    #[test]
    fn prefix_and_id_are_separated() {
        let hasher = Hasher::new(b"a secret");
        assert_ne!(hasher.id("shop:", "beta:x"), hasher.id("shop:beta:", "x"));
        assert_ne!(hasher.id("", "shop:x"), hasher.id("shop:", "x"));
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Hasher::new(b"Jefe")), "Hasher");
    }
}
