//! When a session ends. The only place that decides.
//!
//! A record has two clocks. Bin `expires` holds the exact end in milliseconds, by our clock; the
//! record's own TTL, whole seconds by the server's clock, makes the server clean up. Where the two
//! disagree, `expires` counts, but for one case: a record that ends clearly later than its
//! `expires` was touched by somebody else (Aerospike's recipe in another language, or the
//! server's own read-touch), and then the record's TTL is the truth.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aerospike::expressions::{
    and, bin_type, eq, gt, int_bin, int_val, not, num_add, num_mul, or, void_time, Expression,
};
use aerospike::{Expiration, ParticleType};
use tokio::time::Instant;

use super::bins::{CREATED, EXPIRES};
pub use crate::clock::now;

/// How much later than `expires` a record's own end must be to count as touched by others: more
/// than rounding to whole seconds can make it.
const FOREIGN_TOUCH_MS: i64 = 2_000;
/// The longest TTL the server takes: 10 years (`as/src/base/cfg.c`, MAX_TTL).
const LONGEST_TTL_S: i64 = 10 * 365 * 24 * 60 * 60;
/// Void times count from 2010.
const CITRUSLEAF_EPOCH_S: i64 = 1_262_304_000;

/// When a session ends, in milliseconds since 1970: from its `expires` and its record's void time
/// (seconds since 2010, 0 = never). `None`: never.
pub fn effective(expires: Option<i64>, void_time: u32) -> Option<i64> {
    let void = match void_time {
        0 => None,
        seconds => Some((i64::from(seconds) + CITRUSLEAF_EPOCH_S) * 1_000),
    };
    match (expires, void) {
        (Some(expires), Some(void)) if void > expires.saturating_add(FOREIGN_TOUCH_MS) => {
            Some(void)
        }
        (Some(expires), _) => Some(expires),
        (None, void) => void,
    }
}

/// The TTL of a record whose session ends at `expires`: rounded up, and as long as the server
/// allows at the most (a session that lives longer than 10 years is cleaned up after 10).
pub fn ttl(expires: i64, now: i64) -> Expiration {
    let left = expires.saturating_sub(now);
    let seconds = (left / 1_000 + i64::from(left % 1_000 > 0)).clamp(1, LONGEST_TTL_S);
    Expiration::Seconds(u32::try_from(seconds).unwrap_or(1))
}

/// Whether a bin holds an integer. One of another type is none of ours, and counts as absent here as it does where a
/// record is read: to the server the value of such a bin is unknown, and what depends on it passes nothing.
pub fn is_integer(bin: &str) -> Expression {
    is_of_type(bin, ParticleType::Integer)
}

/// Whether a bin holds a value of this type.
pub fn is_of_type(bin: &str, of: ParticleType) -> Expression {
    eq(bin_type(bin), int_val(of as i64))
}

/// [`effective`] and the bound of [`bounded`], as the server evaluates them: passes what has not
/// ended at `now`.
pub fn alive(now: i64, absolute_ttl: Option<i64>) -> Expression {
    let expires = || int_bin(EXPIRES);
    let effective = or(vec![
        not(is_integer(EXPIRES)),
        gt(expires(), int_val(now)),
        // Nanoseconds since 1970; the server itself hides a record that is past it.
        gt(
            void_time(),
            num_mul(vec![
                num_add(vec![expires(), int_val(FOREIGN_TOUCH_MS)]),
                int_val(1_000_000),
            ]),
        ),
    ]);
    match absolute_ttl {
        None => effective,
        Some(ttl) => and(vec![
            effective,
            or(vec![
                not(is_integer(CREATED)),
                gt(int_bin(CREATED), int_val(now - ttl)),
            ]),
        ]),
    }
}

/// The end of a session, but never later than `absolute_ttl` milliseconds after its creation.
pub fn bounded(
    expires: Option<i64>,
    created: Option<i64>,
    absolute_ttl: Option<i64>,
) -> Option<i64> {
    let bound = created
        .zip(absolute_ttl)
        .map(|(created, ttl)| created.saturating_add(ttl));
    match (expires, bound) {
        (Some(expires), Some(bound)) => Some(expires.min(bound)),
        (expires, bound) => expires.or(bound),
    }
}

/// Whether the namespace takes TTLs, as far as we know.
///
/// A namespace whose expiry thread is off refuses them (`FAIL_FORBIDDEN`). That is remembered for
/// a while only: it can be turned on without a restart.
#[derive(Default)]
pub struct TtlSupport {
    /// By a clock that nobody sets: this is about a while, and not about a time of day.
    refused_until: Mutex<Option<Instant>>,
    /// What the mutex holds is not `None`: most writes need not look further.
    was_refused: AtomicBool,
}

impl TtlSupport {
    /// How long a refusal is believed before a TTL is tried again.
    const BELIEVED: Duration = Duration::from_secs(60);

    pub fn is_refused(&self) -> bool {
        self.was_refused.load(Ordering::Relaxed)
            && self.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Takes note of a refusal; whether it is news.
    pub fn refuse(&self) -> bool {
        self.was_refused.store(true, Ordering::Relaxed);
        let until = Instant::now() + Self::BELIEVED;
        self.lock().replace(until).is_none()
    }

    /// Takes note that a TTL was taken.
    pub fn accept(&self) {
        if self.was_refused.swap(false, Ordering::Relaxed) {
            *self.lock() = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.refused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOID: u32 = 500_000_000;
    const VOID_MS: i64 = (500_000_000 + CITRUSLEAF_EPOCH_S) * 1_000;

    #[test]
    fn expires_counts_and_the_ttl_only_stands_in_for_it() {
        assert_eq!(effective(Some(5), 0), Some(5));
        assert_eq!(effective(None, VOID), Some(VOID_MS));
        assert_eq!(effective(None, 0), None);
        assert_eq!(
            effective(Some(VOID_MS + 9_000), VOID),
            Some(VOID_MS + 9_000)
        );
    }

    #[test]
    fn a_record_that_ends_clearly_later_was_touched_by_somebody_else() {
        let close = VOID_MS - FOREIGN_TOUCH_MS;
        assert_eq!(effective(Some(close), VOID), Some(close));
        assert_eq!(effective(Some(close - 1), VOID), Some(VOID_MS));
    }

    #[test]
    fn no_session_outlives_its_absolute_ttl() {
        assert_eq!(bounded(Some(50), Some(10), Some(30)), Some(40));
        assert_eq!(bounded(Some(35), Some(10), Some(30)), Some(35));
        assert_eq!(bounded(None, Some(10), Some(30)), Some(40));
        assert_eq!(bounded(Some(50), None, Some(30)), Some(50));
        assert_eq!(bounded(Some(50), Some(10), None), Some(50));
    }

    #[test]
    fn a_ttl_is_rounded_up_and_stays_within_what_the_server_takes() {
        assert!(matches!(ttl(1_001, 1_000), Expiration::Seconds(1)));
        assert!(matches!(ttl(2_000, 1_000), Expiration::Seconds(1)));
        assert!(matches!(ttl(2_001, 1_000), Expiration::Seconds(2)));
        assert!(matches!(ttl(0, 1_000), Expiration::Seconds(1)));
        assert!(matches!(
            ttl(i64::MAX, -5),
            Expiration::Seconds(315_360_000)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_believed_for_a_minute_and_is_news_once_until_a_ttl_was_taken_again() {
        let support = TtlSupport::default();
        assert!(!support.is_refused());
        assert!(support.refuse());
        assert!(support.is_refused());
        tokio::time::advance(TtlSupport::BELIEVED - Duration::from_millis(1)).await;
        assert!(support.is_refused());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!support.is_refused());
        assert!(!support.refuse());
        support.accept();
        assert!(!support.is_refused());
        assert!(support.refuse());
    }
}
