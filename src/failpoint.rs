//! Failpoints: places in the code that panic on demand. Only the build for `__test__/process/panics.test.js` has them (feature
//! `failpoints`).

/// Panics if `name`, the set of a request, is `panic-in-` followed by the place. It panics once per place and process.
#[cfg(feature = "failpoints")]
pub fn panic_in(place: &'static str, name: &str) {
    use std::collections::BTreeSet;
    use std::sync::{Mutex, PoisonError};

    static DONE: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let is_meant = name.strip_prefix("panic-in-") == Some(place);
    let is_first = is_meant
        && DONE
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(place);
    assert!(!is_first, "failpoint, with a secret in its message");
}

/// Panics as [`panic_in`] does. The name is the environment variable `AEROSPIKE_SESSION_FAILPOINT`.
#[cfg(feature = "failpoints")]
pub fn panic_at(place: &'static str) {
    let name = std::env::var("AEROSPIKE_SESSION_FAILPOINT");
    panic_in(place, &name.unwrap_or_default());
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn panic_in(_: &'static str, _: &str) {}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn panic_at(_: &'static str) {}
