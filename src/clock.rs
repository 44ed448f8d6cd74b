//! The time of day. Times that are stored in a record, or compared with a stored time, come from this clock.
//! Durations and deadlines use tokio's clock. The simulation simulates both.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the milliseconds since 1970.
pub fn now() -> i64 {
    #[cfg(test)]
    if let Some(now) = simulated::now() {
        return now;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    since
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

/// Returns a varying number below `bound`: jitter for pauses, so that waiting tasks do not continue in step. Nothing
/// depends on its quality.
pub fn noise(bound: u32) -> u32 {
    #[cfg(test)]
    if let Some(noise) = simulated::noise() {
        return noise % bound.max(1);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.subsec_nanos()) % bound.max(1)
}

#[cfg(test)]
pub mod simulated {
    use std::cell::RefCell;

    use tokio::time::Instant;

    use crate::simulation::random::Random;

    /// The clock of one thread. A simulation runs in one thread.
    struct Clock {
        started: Instant,
        at_start: i64,
        random: Random,
    }

    thread_local! {
        static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
    }

    /// Starts the simulated clock of this thread: the time of day advances with tokio's clock. Sometimes it advances
    /// a millisecond more, as a real clock may between two calls.
    pub fn start(at_start: i64, random: u64) {
        let started = Instant::now();
        CLOCK.set(Some(Clock {
            started,
            at_start,
            random: Random::new(random),
        }));
    }

    pub fn stop() {
        CLOCK.set(None);
    }

    pub fn now() -> Option<i64> {
        CLOCK.with_borrow_mut(|clock| {
            let clock = clock.as_mut()?;
            if clock.random.percent(25) {
                clock.at_start += 1;
            }
            let passed = i64::try_from(clock.started.elapsed().as_millis()).ok()?;
            Some(clock.at_start + passed)
        })
    }

    pub fn noise() -> Option<u32> {
        CLOCK.with_borrow_mut(|clock| {
            let next = clock.as_mut()?.random.next();
            u32::try_from(next >> 32).ok()
        })
    }
}
