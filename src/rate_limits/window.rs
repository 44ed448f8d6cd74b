//! The arithmetic of windows. [`steps`](super::steps) has the same as expressions for the server.
//!
//! The server answers with what was stored before a command. This module then computes what the command has done, from the same
//! numbers. So one command both counts and answers.

/// The most points that a counter holds, and the largest limit. A counter that is full counts no further. With windows of up to a year no
/// product of points and milliseconds overflows.
pub const MAX_POINTS: i64 = 100_000_000;

/// How points expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A window begins with the first point. All its points expire when it ends.
    Fixed,
    /// Windows follow each other. The points of the window before count in proportion to how much of it is not longer ago than a
    /// window. That part is rounded up.
    Sliding,
}

/// The kind and the length of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub kind: Kind,
    /// In milliseconds.
    pub window: i64,
}

/// What happens to the end of a window when a counter is beyond a limit. Only for increments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extend {
    /// Nothing.
    Never,
    /// The window starts again.
    Restart { limit: i64 },
    /// The window starts again. It is one window long for the first point beyond the limit, and twice as long for each further one, but
    /// not longer than [`LONGEST_EXTENSION`], or one window if that is longer.
    Double { limit: i64 },
}

/// In milliseconds: a day.
pub const LONGEST_EXTENSION: i64 = 86_400_000;
/// The most doublings. More make no difference: a window has at least a millisecond.
pub const MOST_DOUBLINGS: i64 = 27;

/// What the bins of a record hold. A bin that is missing or is no integer is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    pub end: Option<i64>,
    pub count: Option<i64>,
    pub before: Option<i64>,
}

/// The window that contains a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Later than the time.
    pub end: i64,
    pub count: i64,
    pub before: i64,
}

/// The answer of a counter. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Whether the points were consumed. For an increment always true.
    pub is_allowed: bool,
    /// The points that count now.
    pub used: i64,
    /// When none of these points counts any more.
    pub reset_at: i64,
    /// When the points can be consumed, if nothing else is until then. 0: they were consumed.
    pub retry_at: i64,
}

impl Rule {
    /// Returns the window that contains `now`. It never ends before the stored one.
    pub fn window_at(&self, stored: Stored, now: i64) -> Window {
        let points = |bin: Option<i64>| bin.unwrap_or(0).clamp(0, MAX_POINTS);
        let is_sliding = self.kind == Kind::Sliding;
        let (end, count, before) = match stored.end {
            Some(end) if end > now => (end, points(stored.count), points(stored.before)),
            // `end` is not in the future, so the sum cannot overflow.
            Some(end) if is_sliding && end > now - self.window => {
                (end + self.window, 0, points(stored.count))
            }
            _ => (now + self.window, 0, 0),
        };
        Window {
            end,
            count,
            before: if is_sliding { before } else { 0 },
        }
    }

    /// Returns the points that count.
    pub fn used(&self, window: Window, now: i64) -> i64 {
        // The window may have been begun by a clock that is ahead.
        let left = (window.end - now).min(self.window);
        window.count + (window.before * left + self.window - 1) / self.window
    }

    /// Returns how many of `times` requests of `points` each fit into the limit.
    pub fn grants(&self, window: Window, now: i64, limit: i64, (times, points): (i64, i64)) -> i64 {
        let room = (limit - self.used(window, now)).max(0);
        times.min(room / points)
    }

    /// Returns the answer of request number `place` (from 0) of several that consume `points` each in one command.
    pub fn consumed(
        &self,
        before: Window,
        now: i64,
        limit: i64,
        (times, points): (i64, i64),
        place: i64,
    ) -> Counted {
        let granted = self.grants(before, now, limit, (times, points));
        let is_allowed = place < granted;
        let added = match is_allowed {
            true => (place + 1) * points,
            false => granted * points,
        };
        self.state(before.plus(added), now, limit, points, is_allowed)
    }

    /// Returns the answer of request number `place` of several that add `points` each in one command, whatever the limit.
    pub fn incremented(
        &self,
        before: Window,
        now: i64,
        extend: Extend,
        points: i64,
        place: i64,
    ) -> Counted {
        let mut after = before.plus((place + 1) * points);
        after.end = self.extended(after, now, extend);
        self.state(after, now, MAX_POINTS, 0, true)
    }

    /// Returns the end of a window after an increment.
    fn extended(&self, window: Window, now: i64, extend: Extend) -> i64 {
        let (beyond, is_doubling) = match extend {
            Extend::Never => return window.end,
            Extend::Restart { limit } => (window.count - limit, false),
            Extend::Double { limit } => (window.count - limit, true),
        };
        let length = match is_doubling {
            false => self.window,
            true => {
                (self.window << (beyond - 1).clamp(0, MOST_DOUBLINGS)).min(self.longest_extension())
            }
        };
        match beyond > 0 {
            true => window.end.max(now + length),
            false => window.end,
        }
    }

    /// Returns the longest time for which [`Extend::Double`] extends a window.
    pub fn longest_extension(&self) -> i64 {
        self.window.max(LONGEST_EXTENSION)
    }

    /// Returns the state of a counter for a request that would consume `points`.
    pub fn peeked(&self, window: Window, now: i64, limit: i64, points: i64) -> Counted {
        let is_allowed = self.grants(window, now, limit, (1, points)) == 1;
        self.state(window, now, limit, points, is_allowed)
    }

    fn state(
        &self,
        window: Window,
        now: i64,
        limit: i64,
        points: i64,
        is_allowed: bool,
    ) -> Counted {
        Counted {
            is_allowed,
            used: self.used(window, now),
            reset_at: self.reset_at(window, now),
            retry_at: match is_allowed {
                true => 0,
                false => self.retry_at(window, limit, points),
            },
        }
    }

    /// Returns when no point of a window counts any more.
    fn reset_at(&self, window: Window, now: i64) -> i64 {
        match self.kind {
            Kind::Fixed if window.count > 0 => window.end,
            Kind::Sliding if window.count > 0 => window.end.saturating_add(self.window),
            Kind::Sliding if window.before > 0 => window.end,
            _ => now,
        }
    }

    /// Returns when `points` fit into the limit, if they do not now.
    fn retry_at(&self, window: Window, limit: i64, points: i64) -> i64 {
        let room = limit - points;
        // Points of the window before that `left` milliseconds before the end of a window still count for no more than `room`.
        let fits = |end: i64, room: i64, before: i64| match before {
            0 => end - self.window,
            before => end - room * self.window / before,
        };
        match self.kind {
            Kind::Fixed => window.end,
            Kind::Sliding if window.count <= room => {
                fits(window.end, room - window.count, window.before)
            }
            Kind::Sliding => fits(
                window.end.saturating_add(self.window),
                room.max(0),
                window.count,
            ),
        }
    }
}

impl Window {
    fn plus(self, points: i64) -> Window {
        Window {
            count: (self.count + points).min(MAX_POINTS),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_225_600_000;

    fn stored(end: i64, count: i64, before: i64) -> Stored {
        Stored {
            end: Some(end),
            count: Some(count),
            before: Some(before),
        }
    }

    #[test]
    fn a_fixed_window_ends_to_the_millisecond() {
        let rule = Rule {
            kind: Kind::Fixed,
            window: 1_000,
        };
        let first = rule.window_at(Stored::default(), NOW);
        assert_eq!((first.end, first.count), (NOW + 1_000, 0));
        let full = stored(first.end, 5, 0);
        let last = rule.window_at(full, NOW + 999);
        assert_eq!((last.end, last.count), (NOW + 1_000, 5));
        let next = rule.window_at(full, NOW + 1_000);
        assert_eq!((next.end, next.count), (NOW + 2_000, 0));
    }

    #[test]
    fn the_window_before_counts_in_proportion_and_is_rounded_up() {
        let rule = Rule {
            kind: Kind::Sliding,
            window: 1_000,
        };
        let full = stored(NOW, 10, 0);
        let used = |now| rule.used(rule.window_at(full, now), now);
        assert_eq!(used(NOW - 1), 10);
        assert_eq!(used(NOW), 10);
        assert_eq!(used(NOW + 1), 10);
        assert_eq!(used(NOW + 100), 9);
        assert_eq!(used(NOW + 101), 9);
        assert_eq!(used(NOW + 999), 1);
        assert_eq!(used(NOW + 1_000), 0);
    }

    #[test]
    fn a_clock_that_is_behind_finds_the_window_and_moves_it_nowhere() {
        for kind in [Kind::Fixed, Kind::Sliding] {
            let rule = Rule {
                kind,
                window: 1_000,
            };
            let window = rule.window_at(stored(NOW + 60_000, 4, 5), NOW);
            assert_eq!((window.end, window.count), (NOW + 60_000, 4));
            let before = if kind == Kind::Sliding { 5 } else { 0 };
            assert_eq!(rule.used(window, NOW), 4 + before);
        }
    }

    #[test]
    fn a_window_beyond_the_limit_starts_again_if_it_should() {
        let rule = Rule {
            kind: Kind::Fixed,
            window: 1_000,
        };
        let ends = |extend| {
            let window = rule.window_at(stored(NOW + 10, 1, 0), NOW);
            [0, 1, 2, 3, 60]
                .map(|place| rule.incremented(window, NOW, extend, 1, place).reset_at - NOW)
        };
        assert_eq!(ends(Extend::Never), [10; 5]);
        assert_eq!(
            ends(Extend::Restart { limit: 3 }),
            [10, 10, 1_000, 1_000, 1_000]
        );
        assert_eq!(
            ends(Extend::Double { limit: 3 }),
            [10, 10, 1_000, 2_000, LONGEST_EXTENSION]
        );
    }

    #[test]
    fn of_requests_in_one_command_the_first_are_allowed() {
        let rule = Rule {
            kind: Kind::Fixed,
            window: 1_000,
        };
        let window = rule.window_at(stored(NOW + 500, 3, 0), NOW);
        let answers = (0..4).map(|place| rule.consumed(window, NOW, 8, (4, 2), place));
        let seen: Vec<_> = answers.map(|one| (one.is_allowed, one.used)).collect();
        assert_eq!(seen, [(true, 5), (true, 7), (false, 7), (false, 7)]);
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        fn rules() -> impl Strategy<Value = Rule> {
            (
                prop_oneof![Just(Kind::Fixed), Just(Kind::Sliding)],
                1i64..100_000,
            )
                .prop_map(|(kind, window)| Rule { kind, window })
        }

        proptest! {
            #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

            /// Applies requests at times that go forwards and backwards.
            #[test]
            fn no_window_has_more_than_the_limit_and_no_window_moves_backwards(
                rule in rules(),
                limit in 1i64..50,
                requests in prop::collection::vec((-5_000i64..200_000, 1i64..4, 1i64..10), 1..60)
            ) {
                let mut state = Stored::default();
                for (offset, points, times) in requests {
                    let now = NOW + offset;
                    let window = rule.window_at(state, now);
                    prop_assert!(window.end > now);
                    prop_assert!(state.end.is_none_or(|end| end <= window.end));
                    let granted = rule.grants(window, now, limit, (times, points));
                    let after = window.plus(granted * points);
                    prop_assert!(after.count <= limit);
                    prop_assert!(granted == 0 || rule.used(after, now) <= limit);
                    state = stored(after.end, after.count, after.before);
                }
            }

            /// Nothing is allowed a millisecond before `retry_at`, and the points are at that time.
            #[test]
            fn a_retry_is_allowed_at_its_time_and_not_before(
                rule in rules(),
                limit in 1i64..1_000,
                count in 0i64..1_000,
                before in 0i64..1_000,
                left in 1i64..100_000,
                points in 1i64..1_000
            ) {
                let points = (points - 1) % limit + 1;
                let now = NOW;
                let state = stored(now + left.min(rule.window), count.min(limit), before.min(limit));
                let answer = rule.peeked(rule.window_at(state, now), now, limit, points);
                let at = |time: i64| rule.peeked(rule.window_at(state, time), time, limit, points);
                if !answer.is_allowed {
                    prop_assert!(at(answer.retry_at).is_allowed);
                    prop_assert!(answer.retry_at > now);
                    prop_assert!(!at(answer.retry_at - 1).is_allowed);
                }
                prop_assert_eq!(at(answer.reset_at.max(now + 2 * rule.window)).used, 0);
                if answer.used > 0 {
                    prop_assert_eq!(at(answer.reset_at).used, 0);
                    prop_assert!(at(answer.reset_at - 1).used > 0);
                }
            }

            /// Several requests in one command are answered like single commands, one after the other.
            #[test]
            fn one_command_for_many_is_as_many_commands(
                rule in rules(),
                limit in 1i64..100,
                count in 0i64..100,
                before in 0i64..100,
                points in 1i64..5,
                times in 1i64..40
            ) {
                let mut state = stored(NOW + 1, count, before);
                let together = rule.window_at(state, NOW);
                for place in 0..times {
                    let window = rule.window_at(state, NOW);
                    let alone = rule.consumed(window, NOW, limit, (1, points), 0);
                    let answer = rule.consumed(together, NOW, limit, (times, points), place);
                    prop_assert_eq!(alone, answer);
                    let granted = rule.grants(window, NOW, limit, (1, points));
                    state.count = Some(window.plus(granted * points).count);
                }
            }
        }
    }
}
