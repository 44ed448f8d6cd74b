//! The record of one session, as an operation refers to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aerospike::Key;
use tokio::time::Instant;

use crate::cluster::CallOptions;
use crate::codec::keys::hex;
use crate::error::Error;

/// The key of one session's record, and how the operation on it runs its commands.
pub struct RecordRef {
    pub key: Key,
    pub options: CallOptions,
}

/// Returns the digest that [`RecordRef::digest`] shows as this text. `None`: no digest is shown like that.
pub fn digest_of_text(text: &str) -> Option<[u8; 20]> {
    let is_hex = text.len() == 40 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut digest = [0; 20];
    for (place, byte) in digest.iter_mut().enumerate() {
        let digits = text.get(2 * place..2 * place + 2).filter(|_| is_hex)?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(digest)
}

impl RecordRef {
    /// Creates a reference for an operation that is not traced.
    pub fn untraced(key: Key, deadline: Instant) -> RecordRef {
        let options = CallOptions::untraced(deadline);
        RecordRef { key, options }
    }

    /// Returns a reference to another record, for the same operation.
    pub fn to(&self, key: Key) -> RecordRef {
        let options = self.options.for_another_record();
        RecordRef { key, options }
    }

    /// Copies the trace of the operation that also did this one.
    pub fn copy_trace(&self, other: &RecordRef) {
        if let (Some(own), Some(other)) = (&self.options.trace, &other.options.trace)
            && !Arc::ptr_eq(own, other)
        {
            own.note(other.last_request());
        }
    }

    /// Notes what is in doubt of a command on another record of the same operation.
    pub fn absorb(&self, other: &RecordRef) {
        if other.options.in_doubt.load(Ordering::Relaxed) {
            self.options.in_doubt.store(true, Ordering::Relaxed);
        }
    }

    /// Returns the error of a failed operation. It is in doubt if any of its commands is.
    pub fn failed(&self, error: Error) -> Error {
        let in_doubt = error.in_doubt || self.options.in_doubt.load(Ordering::Relaxed);
        error.in_doubt(in_doubt)
    }

    /// Returns the digest of the key, as the server's own tools print it. It may be shown in place of the session id.
    pub fn digest(&self) -> String {
        hex(&self.key.digest())
    }
}

/// Restricts a change, beyond its key.
#[derive(Clone, Copy, Default)]
pub(super) struct Precondition {
    /// Only the session created at this time, and no later one with the same id.
    pub created: Option<i64>,
    /// Only a record with this generation.
    pub generation: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_round_trips_as_text() {
        let digest = std::array::from_fn(|place| (place * 13) as u8);
        assert_eq!(digest_of_text(&hex(&digest)), Some(digest));
        for wrong in [
            "",
            "00",
            &"0".repeat(39),
            &"0".repeat(41),
            &"g".repeat(40),
            &"+1".repeat(20),
            &"é".repeat(20),
        ] {
            assert_eq!(digest_of_text(wrong), None, "{wrong}");
        }
    }
}
