//! Session tokens, which clients send on further connections in place of the password.
//!
//! A token is an epoch, the time of issue, and a signature of both and of the user's name. The key of the signature is
//! created at the start, so the server does not have to remember tokens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ring::hmac;
use ring::rand::SystemRandom;

use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

pub struct Tokens {
    key: hmac::Key,
    started: Instant,
    /// Lifetime of a token, in seconds.
    pub ttl: u32,
    /// Tokens of an earlier epoch have expired.
    epoch: AtomicU64,
}

impl Tokens {
    /// Creates a key. Returns `None` if the system has no random numbers.
    pub fn new(ttl: u32) -> Option<Tokens> {
        Some(Tokens {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?,
            started: Instant::now(),
            ttl,
            epoch: AtomicU64::new(0),
        })
    }

    /// Issues a token for a user.
    pub fn issue(&self, user: &str) -> Vec<u8> {
        let epoch = self.epoch.load(Ordering::Relaxed);
        let now = self.started.elapsed().as_millis() as u64;
        let signature = hmac::sign(&self.key, &signed(epoch, now, user));
        let mut token = Vec::with_capacity(48);
        token.extend_from_slice(&epoch.to_be_bytes());
        token.extend_from_slice(&now.to_be_bytes());
        token.extend_from_slice(signature.as_ref());
        token
    }

    /// # Errors
    /// [`ResultCode::INVALID_CREDENTIAL`]: it is not a token of this user. [`ResultCode::EXPIRED_SESSION`]: it has
    /// expired.
    pub fn check(&self, token: &[u8], user: &str) -> Outcome<()> {
        let forged = |_| ResultCode::INVALID_CREDENTIAL;
        let mut reader = Reader::new(token);
        let epoch = reader.u64().map_err(forged)?;
        let issued = reader.u64().map_err(forged)?;
        hmac::verify(&self.key, &signed(epoch, issued, user), reader.rest())
            .map_err(|_| ResultCode::INVALID_CREDENTIAL)?;
        let age = self
            .started
            .elapsed()
            .saturating_sub(Duration::from_millis(issued));
        if epoch != self.epoch.load(Ordering::Relaxed)
            || age >= Duration::from_secs(self.ttl.into())
        {
            return Err(ResultCode::EXPIRED_SESSION);
        }
        Ok(())
    }

    /// Expires all tokens issued so far.
    pub fn expire_all(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }
}

fn signed(epoch: u64, issued: u64, user: &str) -> Vec<u8> {
    let numbers = [epoch.to_be_bytes(), issued.to_be_bytes()].concat();
    [&numbers, user.as_bytes()].concat()
}
