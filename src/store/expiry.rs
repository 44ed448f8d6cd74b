//! When a session ends. Only this module decides it.
//!
//! A record has two expiry times. Bin `expires` holds the exact time in milliseconds, by our clock. The record's TTL,
//! in whole seconds by the server's clock, makes the server remove it. If the two differ, `expires` counts, with one
//! exception. A record whose TTL ends clearly later than its `expires` was touched by someone else (Aerospike's
//! example in another language, or the server's own read-touch), and then the TTL counts.

use aerospike::expressions::{
    Expression, and, bin_type, eq, gt, int_bin, int_val, not, num_add, num_mul, or, void_time,
};
use aerospike::{Expiration, ParticleType};

use super::bins::{CREATED, EXPIRES};
pub use crate::clock::now;

/// How much later than `expires` a record's TTL must end to count as a foreign touch: more than the rounding to whole
/// seconds.
const FOREIGN_TOUCH_MS: i64 = 2_000;
/// The longest TTL that the server accepts: 10 years (MAX_TTL in as/src/base/cfg.c).
const LONGEST_TTL_S: i64 = 10 * 365 * 24 * 60 * 60;
/// The start of void times: 2010-01-01.
const CITRUSLEAF_EPOCH_S: i64 = 1_262_304_000;

/// Returns when a session ends, in milliseconds since 1970, from its `expires` and the void time of its record
/// (seconds since 2010, 0: never). `None`: never.
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

/// Returns the TTL of a record whose session ends at `expires`: rounded up, and limited to what the server accepts.
/// The record of a session that lives longer than 10 years is removed after 10.
pub fn ttl(expires: i64, now: i64) -> Expiration {
    let left = expires.saturating_sub(now);
    let seconds = (left / 1_000 + i64::from(left % 1_000 > 0)).clamp(1, LONGEST_TTL_S);
    Expiration::Seconds(u32::try_from(seconds).unwrap_or(1))
}

/// Passes records whose bin holds an integer. A bin of another type was not written by a store and counts as absent,
/// as it does when a record is read. To the server the value of such a bin is unknown, and an expression that depends
/// on an unknown value passes nothing.
pub fn is_integer(bin: &str) -> Expression {
    is_of_type(bin, ParticleType::Integer)
}

/// Passes records whose bin holds a value of this type.
pub fn is_of_type(bin: &str, of: ParticleType) -> Expression {
    eq(bin_type(bin), int_val(of as i64))
}

/// Evaluates [`effective`] and the limit of [`bounded`] on the server: passes sessions that have not ended at `now`.
pub fn alive(now: i64, absolute_ttl: Option<i64>) -> Expression {
    let expires = || int_bin(EXPIRES);
    let effective = or(vec![
        not(is_integer(EXPIRES)),
        gt(expires(), int_val(now)),
        // Nanoseconds since 1970. The server itself hides a record after its void time.
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

/// Returns the end of a session, limited to `absolute_ttl` milliseconds after its creation.
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

#[cfg(test)]
mod tests {
    use super::*;

    const VOID: u32 = 500_000_000;
    const VOID_MS: i64 = (500_000_000 + CITRUSLEAF_EPOCH_S) * 1_000;

    #[test]
    fn expires_counts_and_the_ttl_is_the_fallback() {
        assert_eq!(effective(Some(5), 0), Some(5));
        assert_eq!(effective(None, VOID), Some(VOID_MS));
        assert_eq!(effective(None, 0), None);
        assert_eq!(
            effective(Some(VOID_MS + 9_000), VOID),
            Some(VOID_MS + 9_000)
        );
    }

    #[test]
    fn a_ttl_that_ends_clearly_later_is_a_foreign_touch() {
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
    fn a_ttl_is_rounded_up_and_limited_to_what_the_server_accepts() {
        assert!(matches!(ttl(1_001, 1_000), Expiration::Seconds(1)));
        assert!(matches!(ttl(2_000, 1_000), Expiration::Seconds(1)));
        assert!(matches!(ttl(2_001, 1_000), Expiration::Seconds(2)));
        assert!(matches!(ttl(0, 1_000), Expiration::Seconds(1)));
        assert!(matches!(
            ttl(i64::MAX, -5),
            Expiration::Seconds(315_360_000)
        ));
    }
}
