//! Truncation: everything in a set or namespace last updated before a moment is gone.
//! Source: `as/src/base/truncate.c`.

use std::sync::atomic::Ordering;

use super::clock::{self, EPOCH_SECONDS};
use super::namespace::Namespace;

/// Why a truncation was refused, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    ToZero,
    InTheFuture,
}

/// Turns the `lut` parameter of the command (nanoseconds since 1970) into milliseconds since 2010.
/// Without one, the moment is now.
pub fn threshold(unix_nanos: Option<u64>) -> Result<u64, Refusal> {
    let now = clock::now_ms();
    let Some(nanos) = unix_nanos else {
        return Ok(now);
    };
    match (nanos / 1_000_000).saturating_sub(EPOCH_SECONDS * 1000) {
        0 => Err(Refusal::ToZero),
        lut if lut > now => Err(Refusal::InTheFuture),
        lut => Ok(lut),
    }
}

/// What is truncated: a set, by its number, or a whole namespace, up to a moment (ms since 2010).
#[derive(Clone, Copy)]
pub struct Truncation {
    set_id: Option<u16>,
    lut: u64,
}

impl Truncation {
    /// From here on what was last updated before `lut` is gone for every reader. `None`: there is no such set, and
    /// none can be made. One that is not there yet is made, as the server does.
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

    /// Removes what is gone. Returns how many records went.
    pub fn finish(self, namespace: &Namespace) -> u64 {
        namespace.remove_where(|record| {
            record.last_update < self.lut && self.set_id.is_none_or(|id| record.set_id == id)
        })
    }
}

/// Forgets up to when a set, or the namespace itself, was truncated (`truncate_action_undo()`).
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
