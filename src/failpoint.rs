//! Panics on demand, to see what becomes of one: in no build but that of `__test__/process/panics.test.js`.

/// Panics once in each place of a process, if `name` says so: the set of a request, say.
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
    assert!(!is_first, "planted, with a secret in its words");
}

/// The same where no name is at hand: the environment says so.
#[cfg(feature = "failpoints")]
pub fn panic_at(place: &'static str) {
    let name = std::env::var("AEROSPIKE_SESSION_PLANTED");
    panic_in(place, &name.unwrap_or_default());
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn panic_in(_: &'static str, _: &str) {}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn panic_at(_: &'static str) {}
