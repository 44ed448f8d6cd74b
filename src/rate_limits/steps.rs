//! The arithmetic of [`window`](super::window) as expressions, which the server evaluates.
//!
//! The steps run in order, and each sees what those before it have written. So `before` comes first: after it, the bin holds the points of
//! the window before, whether the window has changed or not. `end` comes last, because the others depend on the stored one.

use aerospike::Bin;
use aerospike::ParticleType;
use aerospike::expressions::{
    Expression, and, bin_type, cond, def, eq, exp_let, gt, int_bin, int_lshift, int_val, max, min,
    num_add, num_div, num_mul, num_sub, string_bin, string_val, var,
};

use super::bins::{BEFORE, COUNT, END, PREFIX};
use super::window::{Extend, Kind, MAX_POINTS, MOST_DOUBLINGS, Rule};
use crate::cluster::Step;

/// How many points are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Add {
    /// `times` requests of `points` each, as many of them as fit into the limit.
    Within { limit: i64, times: i64, points: i64 },
    /// All of these points.
    All { points: i64, extend: Extend },
}

impl Add {
    /// Returns whether it is for a single request.
    pub fn is_usual(&self) -> bool {
        match self {
            Add::Within { times, .. } => *times == 1,
            Add::All { points, .. } => *points == 1,
        }
    }
}

/// Returns the steps that read what is stored, and then add points in the window that contains `now`.
pub fn add(rule: &Rule, now: i64, add: Add, prefix: &str) -> Vec<Step> {
    let is_sliding = rule.kind == Kind::Sliding;
    let mut steps = Vec::with_capacity(7);
    steps.push(Step::Read(END.into()));
    steps.push(Step::Read(COUNT.into()));
    if is_sliding {
        steps.push(Step::Read(BEFORE.into()));
        let before = cond(vec![
            is_current(now),
            points(BEFORE),
            is_previous(rule, now),
            points(COUNT),
            int_val(0),
        ]);
        steps.push(Step::PutExpression(BEFORE, before));
    }
    let counted = cond(vec![is_current(now), points(COUNT), int_val(0)]);
    let count = match add {
        Add::All { points, .. } => min(vec![
            int_val(MAX_POINTS),
            num_add(vec![counted, int_val(points)]),
        ]),
        Add::Within {
            limit,
            times,
            points,
        } => {
            let used = match is_sliding {
                true => num_add(vec![var("c"), weighted_before(rule, now)]),
                false => var("c"),
            };
            let room = max(vec![int_val(0), num_sub(vec![int_val(limit), used])]);
            let granted = match points {
                1 => min(vec![int_val(times), room]),
                points => num_mul(vec![
                    int_val(points),
                    min(vec![int_val(times), num_div(vec![room, int_val(points)])]),
                ]),
            };
            exp_let(vec![def("c", counted), num_add(vec![var("c"), granted])])
        }
    };
    steps.push(Step::PutExpression(COUNT, count));
    let fresh = int_val(now + rule.window);
    let end = match is_sliding {
        false => cond(vec![is_current(now), int_bin(END), fresh]),
        true => cond(vec![
            is_current(now),
            int_bin(END),
            is_previous(rule, now),
            num_add(vec![int_bin(END), int_val(rule.window)]),
            fresh,
        ]),
    };
    let end = match add {
        Add::All { extend, .. } => extended(end, rule, now, extend),
        Add::Within { .. } => end,
    };
    steps.push(Step::PutExpression(END, end));
    if !prefix.is_empty() {
        steps.push(Step::Put(Bin::new(PREFIX, prefix.into())));
    }
    steps
}

/// Returns the steps that take back points, but not more than there are.
pub fn take_back(taken: i64) -> Vec<Step> {
    let left = max(vec![
        int_val(0),
        num_sub(vec![points(COUNT), int_val(taken)]),
    ]);
    vec![Step::PutExpression(COUNT, left)]
}

/// Passes records of this prefix.
pub fn has_prefix(prefix: &str) -> Expression {
    match prefix {
        "" => eq(bin_type(PREFIX), int_val(ParticleType::Null as i64)),
        prefix => and(vec![
            eq(bin_type(PREFIX), int_val(ParticleType::String as i64)),
            eq(string_bin(PREFIX), string_val(prefix)),
        ]),
    }
}

/// Returns the end of a window after an increment, which the bin already holds. `end`: the end without the extension.
fn extended(end: Expression, rule: &Rule, now: i64, extend: Extend) -> Expression {
    let (limit, length) = match extend {
        Extend::Never => return end,
        Extend::Restart { limit } => (limit, int_val(rule.window)),
        Extend::Double { limit } => {
            let doublings = num_sub(vec![int_bin(COUNT), int_val(limit.saturating_add(1))]);
            let doublings = min(vec![doublings, int_val(MOST_DOUBLINGS)]);
            let length = int_lshift(int_val(rule.window), doublings);
            let longest = int_val(rule.longest_extension());
            (limit, min(vec![length, longest]))
        }
    };
    exp_let(vec![
        def("e", end),
        cond(vec![
            gt(int_bin(COUNT), int_val(limit)),
            max(vec![var("e"), num_add(vec![int_val(now), length])]),
            var("e"),
        ]),
    ])
}

/// Returns the points of the window before that still count: the bin holds those of the window before the one that contains `now`.
fn weighted_before(rule: &Rule, now: i64) -> Expression {
    let window = || int_val(rule.window);
    let left = cond(vec![
        is_current(now),
        min(vec![num_sub(vec![int_bin(END), int_val(now)]), window()]),
        is_previous(rule, now),
        num_sub(vec![int_bin(END), int_val(now - rule.window)]),
        window(),
    ]);
    let rounded_up = num_add(vec![
        num_mul(vec![int_bin(BEFORE), left]),
        int_val(rule.window - 1),
    ]);
    num_div(vec![rounded_up, window()])
}

/// The stored window contains `now`, or it begins later.
fn is_current(now: i64) -> Expression {
    and(vec![is_integer(END), gt(int_bin(END), int_val(now))])
}

/// The stored window is the one before that which contains `now`, unless it is that one itself.
fn is_previous(rule: &Rule, now: i64) -> Expression {
    is_current(now - rule.window)
}

/// Returns the points in a bin. 0 if it is missing or holds something else.
fn points(bin: &str) -> Expression {
    let bounded = max(vec![
        int_val(0),
        min(vec![int_val(MAX_POINTS), int_bin(bin)]),
    ]);
    cond(vec![is_integer(bin), bounded, int_val(0)])
}

/// An expression that depends on a bin of another type has no value, and a step without a value fails.
fn is_integer(bin: &str) -> Expression {
    eq(bin_type(bin), int_val(ParticleType::Integer as i64))
}

#[cfg(test)]
mod tests {
    use aerospike::{Expiration, Key, Value};
    use proptest::prelude::*;

    use super::super::window::{Counted, Stored};
    use super::*;
    use crate::cluster::{Command, Reply};
    use crate::simulation::records::Records;

    const NOW: i64 = 1_767_225_600_000;
    const BINS: [&str; 3] = [END, COUNT, BEFORE];

    fn key() -> Key {
        Key::new("test", "ratelimits", Value::from("ada")).expect("a key")
    }

    /// A bin of a counter: usually what limits write there, and sometimes what another program has written.
    fn bin(values: std::ops::Range<i64>) -> impl Strategy<Value = Option<Value>> {
        prop_oneof![
            8 => values.prop_map(|value| Some(Value::Int(value))),
            1 => Just(None),
            1 => Just(Some(Value::from("text"))),
        ]
    }

    fn integer(value: Option<&Value>) -> Option<i64> {
        match value {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        }
    }

    fn adds() -> impl Strategy<Value = Add> {
        let extend = prop_oneof![
            Just(Extend::Never),
            (0i64..20).prop_map(|limit| Extend::Restart { limit }),
            (0i64..20).prop_map(|limit| Extend::Double { limit }),
        ];
        prop_oneof![
            (1i64..30, 1i64..20, 1i64..5).prop_map(|(limit, times, points)| Add::Within {
                limit,
                times,
                points
            }),
            (1i64..30, extend).prop_map(|(points, extend)| Add::All { points, extend }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever a record holds: the server writes what `window` computes from what the steps have read.
        #[test]
        fn the_server_counts_as_the_model_does(
            end in bin(NOW - 30_000..NOW + 30_000),
            count in bin(-5..40),
            before in bin(-5..40),
            is_sliding in any::<bool>(),
            window in 1i64..15_000,
            add in adds(),
            prefix in prop_oneof![Just(""), Just("login")]
        ) {
            let rule = Rule {
                kind: if is_sliding { Kind::Sliding } else { Kind::Fixed },
                window,
            };
            let mut records = Records::default();
            let found = [end, count, before];
            if found.iter().any(Option::is_some) {
                let bins = BINS.iter().zip(&found);
                let bins = bins.filter_map(|(name, value)| Some(Bin::new(*name, value.clone()?)));
                let write = Command::Count {
                    operations: bins.map(Step::Put).collect(),
                    ttl: Expiration::Never,
                    creates: true,
                };
                records.apply(&key(), &write, NOW).expect("a record");
            }
            let command = Command::Count {
                operations: super::add(&rule, NOW, add, prefix),
                ttl: Expiration::Never,
                creates: true,
            };
            let reply = records.apply(&key(), &command, NOW).expect("a count");
            let Reply::Record(read) = reply else { panic!("no record") };
            let stored = Stored {
                end: integer(read.bins.get(END)),
                count: integer(read.bins.get(COUNT)),
                before: integer(read.bins.get(BEFORE)),
            };
            let expected = rule.window_at(stored, NOW);
            let answer = match add {
                Add::Within { limit, times, points } => {
                    rule.consumed(expected, NOW, limit, (times, points), times - 1)
                }
                Add::All { points, extend } => rule.incremented(expected, NOW, extend, points, 0),
            };
            let record = &records.all[&key().digest()];
            let after = Stored {
                end: integer(record.bins.get(END)),
                count: integer(record.bins.get(COUNT)),
                before: integer(record.bins.get(BEFORE)),
            };
            let after = rule.window_at(after, NOW);
            prop_assert_eq!(rule.used(after, NOW), answer.used);
            let Counted { used, reset_at, .. } = rule.peeked(after, NOW, MAX_POINTS, 1);
            prop_assert_eq!((used, reset_at), (answer.used, answer.reset_at));
            prop_assert!(after.end >= expected.end);
        }
    }
}
