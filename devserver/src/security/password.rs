//! Passwords as they are sent and stored: hashed by bcrypt with the same salt for all users. So clients can compute
//! the hash, and the server only compares it (`as_password_get_constant_hash()` of the C client).

use subtle::ConstantTimeEq;

use super::config::Password;
use crate::wire::result::{Outcome, ResultCode};

/// Rounds, as a power of two.
const COST: u32 = 10;
/// `7EqJtq98hPqEX7fNZaFWoO` in bcrypt's base64.
const SALT: [u8; 16] = [
    244, 107, 11, 190, 207, 254, 141, 27, 6, 103, 216, 79, 109, 193, 216, 169,
];
/// Bytes of a hash.
const HASH_SIZE: usize = 60;

/// A hash of a password, which clients send as the credential.
#[derive(Clone)]
pub struct Hash([u8; HASH_SIZE]);

impl Hash {
    /// Hashes a password. Takes almost a tenth of a second.
    ///
    /// # Errors
    /// [`ResultCode::INVALID_PASSWORD`]: the password cannot be hashed.
    pub fn of(password: &Password) -> Outcome<Hash> {
        let parts = bcrypt::hash_with_salt(password.as_bytes(), COST, SALT)
            .map_err(|_| ResultCode::INVALID_PASSWORD)?;
        Hash::from_wire(parts.format_for_version(bcrypt::Version::TwoA).as_bytes())
    }

    /// Reads a hash that a client has computed.
    ///
    /// # Errors
    /// [`ResultCode::INVALID_PASSWORD`]: the length is wrong.
    pub fn from_wire(bytes: &[u8]) -> Outcome<Hash> {
        bytes
            .try_into()
            .map(Hash)
            .map_err(|_| ResultCode::INVALID_PASSWORD)
    }

    /// Whether a client has sent this hash. Compares in constant time.
    pub fn is(&self, sent: &[u8]) -> bool {
        self.0.ct_eq(sent).into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn computes_the_hash_that_clients_send() {
        for (password, hash) in [
            (
                "",
                "$2a$10$7EqJtq98hPqEX7fNZaFWoOLCkFexA7A9eoJ0Ew.mTDdk.E60D.9zS",
            ),
            (
                "aerospike",
                "$2a$10$7EqJtq98hPqEX7fNZaFWoOg3vLO9BrDMi.IgzR5fG6wXhnUUDTrIG",
            ),
            (
                "p@ss w\u{f6}rd",
                "$2a$10$7EqJtq98hPqEX7fNZaFWoOvOHC3TQiAAgdPnOsxztx/kKSmQ9nwIm",
            ),
        ] {
            let kept = Hash::of(&Password::new(password)).unwrap();
            assert!(kept.is(hash.as_bytes()), "{password:?}");
            assert!(!kept.is(&hash.as_bytes()[1..]));
            assert!(!kept.is(b""));
        }
    }
}
