//! Void times: when a record expires.
//!
//! An expired record is invisible to all commands at once. [`super::nsup`] removes it later, which frees its memory
//! and updates the counters.

use super::record::Record;
use super::settings::Settings;
use crate::wire::consts::ttl;
use crate::wire::result::{Outcome, ResultCode};

/// Whether a record has expired. It is still valid during the whole second of its void time (`as_record_is_expired()`
/// in `as/src/base/record.c`).
pub fn is_expired(void_time: u32, now_seconds: u32) -> bool {
    void_time != 0 && void_time < now_seconds
}

/// Checks the TTL of a write, and returns the TTL that applies to the record.
///
/// # Errors
/// [`ResultCode::PARAMETER`] for more than ten years; [`ResultCode::FORBIDDEN`] for a TTL if the namespace has no
/// `nsup-period` (`is_valid_ttl()` and `is_ttl_disallowed()` in `as/include/transaction/rw_utils.h`).
pub fn check_ttl(settings: &Settings, word: u32, is_new: bool) -> Outcome<u32> {
    let word = if word == ttl::DONT_UPDATE && is_new {
        ttl::USE_DEFAULT
    } else {
        word
    };
    if word > ttl::MAX && word != ttl::NEVER_EXPIRE && word != ttl::DONT_UPDATE {
        return Err(ResultCode::PARAMETER);
    }
    let expires = match word {
        ttl::USE_DEFAULT => settings.default_ttl() != 0,
        ttl::NEVER_EXPIRE | ttl::DONT_UPDATE => false,
        _ => true,
    };
    if expires && !settings.allows_ttl() {
        return Err(ResultCode::FORBIDDEN);
    }
    Ok(word)
}

/// Returns the void time of a record written at `now_ms` (`as_record_advance_void_time()` in `as/src/base/record.c`).
pub fn void_time(settings: &Settings, record: &Record, word: u32, now_ms: u64) -> u32 {
    let after = |seconds: u32| ((now_ms / 1000) as u32).saturating_add(seconds);
    match word {
        ttl::USE_DEFAULT => match settings.default_ttl() {
            0 => 0,
            seconds => after(seconds),
        },
        ttl::NEVER_EXPIRE => 0,
        ttl::DONT_UPDATE => record.void_time,
        seconds => after(seconds),
    }
}
