//! When a record ends, and who removes it then.
//!
//! A record is gone for every command as soon as the clock has passed its void time; the sweeper (the server
//! calls it nsup) only gives its memory back and lowers the counts.

use super::record::Record;
use super::settings::Settings;
use crate::wire::consts::ttl;
use crate::wire::result::{Outcome, ResultCode};

/// Whether the record has ended: the whole second of its void time still belongs to it
/// (`as_record_is_expired()` in `as/src/base/record.c`).
pub fn is_expired(void_time: u32, now_seconds: u32) -> bool {
    void_time != 0 && void_time < now_seconds
}

/// Checks the TTL of a write and gives the word that applies to this record.
///
/// # Errors
/// [`ResultCode::PARAMETER`] for more than ten years; [`ResultCode::FORBIDDEN`] for a TTL in a namespace that
/// never sweeps (`is_valid_ttl()` and `is_ttl_disallowed()` in `as/include/transaction/rw_utils.h`).
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

/// The void time of a write at `now_ms` (`as_record_advance_void_time()` in `as/src/base/record.c`).
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
