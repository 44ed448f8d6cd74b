//! Removes expired records in the background, as the namespace supervisor (nsup) of a real server does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::clock;
use super::expiry::is_expired;
use super::namespace::Namespace;

/// Removes expired records from every partition. Returns their number.
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

/// Removes expired records every `nsup-period` seconds until the task is aborted. The period may change: it is checked
/// every second (`run_expire_or_evict()` in `as/src/base/nsup.c`).
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
        // Millions of records take a while, so this runs on a thread for blocking work.
        if tokio::task::spawn_blocking(move || sweep(&namespace))
            .await
            .is_err()
        {
            return;
        }
    }
}
