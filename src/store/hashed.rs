//! Hashed ids (option `hashIds`): records that cannot be found or told by who knows an id or a user, but not the secret.
//!
//! The server keeps only a digest of each key; but a digest needs no secret, so whoever has a dump can try ids and users
//! on it. Here the key is an HMAC, and so is the owner.
//!
//! | what | is, as 64 lower-case hexadecimal digits |
//! |---|---|
//! | the key | HMAC-SHA-256 under the secret of prefix and id |
//! | bin `user` | HMAC-SHA-256 of the user, under a key that is HMAC-SHA-256 under the secret of [`USERS`] |

use std::fmt;

use ring::hmac::{self, HMAC_SHA256};

const USERS: &[u8] = b"aerospike-session users";

/// Made of the secret. Whoever has it can compute keys.
#[derive(Clone)]
pub struct Hasher {
    ids: hmac::Key,
    users: hmac::Key,
}

impl Hasher {
    pub fn new(secret: &[u8]) -> Hasher {
        let ids = hmac::Key::new(HMAC_SHA256, secret);
        // Of its own, so that no id ever has the hash of a user.
        let users = hmac::Key::new(HMAC_SHA256, hmac::sign(&ids, USERS).as_ref());
        Hasher { ids, users }
    }

    /// The record's key, of prefix and id.
    pub fn id(&self, id: &str) -> String {
        hex(&self.ids, id)
    }

    pub fn user(&self, user: &str) -> String {
        hex(&self.users, user)
    }
}

fn hex(key: &hmac::Key, text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = hmac::sign(key, text.as_bytes());
    let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the keys.
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_hashed_by_hmac_sha_256() {
        // RFC 4231, test case 2.
        let hasher = Hasher::new(b"Jefe");
        assert_eq!(
            hasher.id("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_user_has_another_hash_than_an_id_of_the_same_text() {
        let hasher = Hasher::new(b"a secret");
        assert_ne!(hasher.id("ada"), hasher.user("ada"));
        assert_ne!(hasher.user("ada"), Hasher::new(b"another").user("ada"));
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Hasher::new(b"Jefe")), "Hasher");
    }
}
