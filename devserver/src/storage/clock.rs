//! The server's time: milliseconds and seconds since 1 January 2010 (`CITRUSLEAF_EPOCH`).

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds between the Unix epoch and the server's.
pub const EPOCH_SECONDS: u64 = 1_262_304_000;

/// Returns the current time in milliseconds since 2010.
pub fn now_ms() -> u64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (since_1970.as_millis() as u64).saturating_sub(EPOCH_SECONDS * 1000)
}

/// Returns the current time in whole seconds since 2010, the unit of void times.
pub fn now_seconds() -> u32 {
    (now_ms() / 1000) as u32
}

/// Milliseconds since 2010 as nanoseconds since 1970, the unit of expressions.
pub fn to_unix_nanos(ms: u64) -> i64 {
    (ms.saturating_add(EPOCH_SECONDS * 1000)).saturating_mul(1_000_000) as i64
}
