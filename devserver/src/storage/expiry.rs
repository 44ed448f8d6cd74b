//! When a record ends, and who removes it then.
//!
//! A record is gone for every command as soon as the clock has passed its void time; the sweeper (the server
//! calls it nsup) only gives its memory back and lowers the counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::clock;
use super::namespace::Namespace;
use super::record::Record;
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
pub fn check_ttl(namespace: &Namespace, word: u32, is_new: bool) -> Outcome<u32> {
    let word = if word == ttl::DONT_UPDATE && is_new {
        ttl::USE_DEFAULT
    } else {
        word
    };
    if word > ttl::MAX && word != ttl::NEVER_EXPIRE && word != ttl::DONT_UPDATE {
        return Err(ResultCode::PARAMETER);
    }
    let settings = &namespace.settings;
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
pub fn void_time(namespace: &Namespace, record: &Record, word: u32, now_ms: u64) -> u32 {
    let after = |seconds: u32| ((now_ms / 1000) as u32).saturating_add(seconds);
    match word {
        ttl::USE_DEFAULT => match namespace.settings.default_ttl() {
            0 => 0,
            seconds => after(seconds),
        },
        ttl::NEVER_EXPIRE => 0,
        ttl::DONT_UPDATE => record.void_time,
        seconds => after(seconds),
    }
}

/// Removes what has ended from every partition. Returns how many records went.
pub fn sweep(namespace: &Namespace) -> u64 {
    let now = clock::now_seconds();
    let never_expire = AtomicU64::new(0);
    let removed = namespace.remove_where(|record| {
        if record.void_time == 0 {
            never_expire.fetch_add(1, Ordering::Relaxed);
        }
        is_expired(record.void_time, now)
    });
    let counters = &namespace.counters;
    counters
        .expired_objects
        .fetch_add(removed, Ordering::Relaxed);
    let never_expire = never_expire.into_inner();
    counters
        .non_expirable_objects
        .store(never_expire, Ordering::Relaxed);
    removed
}

/// Sweeps a namespace every `nsup-period` seconds; runs until it is aborted. The period can change meanwhile, and is
/// looked at every second (`run_expire_or_evict()` in `as/src/base/nsup.c`).
pub async fn sweep_periodically(namespace: Arc<Namespace>) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let period = namespace.settings.nsup_period();
        if period == 0 || last.elapsed() < Duration::from_secs(period.into()) {
            continue;
        }
        last = Instant::now();
        let namespace = Arc::clone(&namespace);
        // Millions of records take a while: not on a thread that serves connections.
        if tokio::task::spawn_blocking(move || sweep(&namespace))
            .await
            .is_err()
        {
            return;
        }
    }
}
