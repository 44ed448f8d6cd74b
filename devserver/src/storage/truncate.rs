//! Truncation: removes the records of a set or namespace that were last updated before a point in time.
//! Source: `as/src/base/truncate.c`.

use std::sync::atomic::Ordering;

use super::clock::{self, EPOCH_SECONDS};
use super::namespace::Namespace;

/// The error of an invalid truncation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruncateError {
    ToZero,
    InTheFuture,
}

/// Converts the `lut` parameter of the command (nanoseconds since 1970) into milliseconds since 2010. Without it,
/// returns the current time.
pub fn threshold(unix_nanos: Option<u64>) -> Result<u64, TruncateError> {
    let now = clock::now_ms();
    let Some(nanos) = unix_nanos else {
        return Ok(now);
    };
    match (nanos / 1_000_000).saturating_sub(EPOCH_SECONDS * 1000) {
        0 => Err(TruncateError::ToZero),
        lut if lut > now => Err(TruncateError::InTheFuture),
        lut => Ok(lut),
    }
}

/// A truncation of a set or of a whole namespace, up to a point in time (ms since 2010).
#[derive(Clone, Copy)]
pub struct Truncation {
    set_id: Option<u16>,
    lut: u64,
}

impl Truncation {
    /// Hides all records that were last updated before `lut`. Returns `None` if the set does not exist and cannot be
    /// created. A missing set is created, as in the server.
    pub fn begin(namespace: &Namespace, set_name: Option<&str>, lut: u64) -> Option<Truncation> {
        let set_id = match set_name {
            Some(name) => {
                let set_id = namespace.sets.get_or_create(name.as_bytes()).ok()?;
                let set = namespace.sets.get(set_id)?;
                set.truncate_lut.fetch_max(lut, Ordering::AcqRel);
                Some(set_id)
            }
            None => {
                namespace.truncate_lut.fetch_max(lut, Ordering::AcqRel);
                None
            }
        };
        Some(Truncation { set_id, lut })
    }

    /// Removes the hidden records. Returns their number.
    pub fn finish(self, namespace: &Namespace) -> u64 {
        namespace.remove_where(|record| {
            record.last_update < self.lut && self.set_id.is_none_or(|id| record.set_id == id)
        })
    }
}

/// Resets the truncation of a set, or of the namespace itself (`truncate_action_undo()`).
pub fn undo(namespace: &Namespace, set_name: Option<&str>) {
    match set_name {
        None => namespace.truncate_lut.store(0, Ordering::Release),
        Some(name) => {
            let set_id = namespace.sets.find(name.as_bytes()).unwrap_or(0);
            if let Some(set) = namespace.sets.get(set_id) {
                set.truncate_lut.store(0, Ordering::Release);
            }
        }
    }
}
