//! Touch: extends the TTL of a record without changing its bins.
//!
//! On the wire, a touch is a write with one operation of code TOUCH, and [`super::write`] executes it. It never
//! creates a record ([`forbids_creation`]) and changes no bin; the write increments the generation and applies the
//! TTL. A *read-touch* ([`due_on_read`], [`extend`]) is the server extending a record because it was read; the
//! generation stays. Source: `as/src/transaction/read_touch.c`.

use crate::storage::namespace::{Namespace, Slot};
use crate::storage::record::Record;
use crate::storage::{clock, expiry};
use crate::wire::consts::{op, ttl};
use crate::wire::message::Op;
use crate::wire::result::{Outcome, ResultCode};

/// Whether the operations include a touch: then a missing record is NOT_FOUND (`write_master_policies()`).
pub fn forbids_creation(ops: &[Op<'_>]) -> bool {
    ops.iter().any(|op| op.code == op::TOUCH)
}

/// Returns the TTL in seconds by which this read extends the record, if it does (`as_read_touch_check()`).
///
/// `percent` is the TTL of the request: the record is extended if less than this percentage of its last TTL is left. 0
/// means the namespace's default, -1 never.
pub fn due_on_read(namespace: &Namespace, record: &Record, percent: u32) -> Outcome<Option<u32>> {
    if record.void_time == 0 || percent == ttl::NEVER_TOUCH {
        return Ok(None);
    }
    let percent = if percent == ttl::USE_DEFAULT {
        namespace.settings.default_read_touch_ttl_pct()
    } else {
        percent
    };
    match percent {
        0 => return Ok(None),
        1..=100 => {}
        _ => return Err(ResultCode::PARAMETER),
    }
    let write_ttl = record
        .void_time
        .saturating_sub((record.last_update / 1000) as u32);
    let threshold = (u64::from(write_ttl) * u64::from(percent) / 100) as u32;
    let is_due = clock::now_seconds() >= record.void_time.saturating_sub(threshold);
    Ok(is_due.then_some(write_ttl))
}

/// Extends a record that was just read, unless its void time is later already (`read_touch_master()`).
pub fn extend(namespace: &Namespace, slot: &mut Slot<'_>, ttl: u32) {
    let Some(record) = slot.live() else { return };
    let now = clock::now_ms();
    let mut extended = record.clone();
    // This is an internal transaction with the TTL as a number of seconds; 0 again means the namespace's default.
    extended.void_time = expiry::void_time(&namespace.settings, record, ttl, now);
    if extended.void_time > record.void_time {
        extended.set_last_update(now);
        if let Err(code) = slot.put(extended) {
            log::warn!("a read could not extend its record: {code:?}");
        }
    }
}
