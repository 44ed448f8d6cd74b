//! The time of day. Everything that is written into a record, or compared with what is there, is of this clock; durations and
//! deadlines are of tokio's. In the simulation both are simulated.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
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

/// A number that is not the same each time, below `bound`, so that what waits does not return in step. Nothing depends on
/// its quality.
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

    /// Of one thread: a simulation runs in one.
    struct Clock {
        started: Instant,
        at_start: i64,
        random: Random,
    }

    thread_local! {
        static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
    }

    /// From now on the time of day goes with tokio's, in this thread; and a little faster now and then, as a real clock may
    /// go on between two looks at it.
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
