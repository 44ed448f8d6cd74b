//! Steps that were packed once, with only the times filled in for each command.
//!
//! An expression of the crate is a tree of boxes. It takes longer to build and pack than the rest of a command, and only its times change
//! from one command of a limiter to the next.

use std::sync::{Arc, Mutex, PoisonError};

use aerospike::expressions::{Expression, from_packed_bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::steps::{self, Add};
use super::window::Rule;
use crate::cluster::Step;

/// The steps of the last command of a limiter. Usually all its commands have the same.
#[derive(Default)]
pub struct Templates {
    last: Mutex<Option<Arc<Template>>>,
}

/// The steps that add points under a rule.
struct Template {
    rule: Rule,
    add: Add,
    steps: Vec<PackedStep>,
}

enum PackedStep {
    Same(Step),
    PutExpression {
        bin: &'static str,
        packed: Vec<u8>,
        times: Vec<(usize, Time)>,
    },
}

/// A time in an expression.
#[derive(Clone, Copy)]
enum Time {
    Now,
    /// One window before.
    Before,
    /// One window after.
    After,
}

/// A marker for the time. Like all times from 1970 until far in the future, it is packed as a byte for the type and eight for the
/// number.
const MARKER: i64 = 0x5ea1_c0de_f00d_1e55;
/// A time to check a template with.
const PROBE: i64 = 1_767_225_600_123;
/// Integers up to this one are packed in fewer bytes.
const LARGEST_OF_FOUR_BYTES: i64 = u32::MAX as i64;

impl Templates {
    /// Returns [`steps::add`].
    pub fn add(&self, rule: &Rule, now: i64, add: Add, prefix: &str) -> Vec<Step> {
        // Any other time is as good as none. Requests that share a command vary in their number.
        if now - rule.window <= LARGEST_OF_FOUR_BYTES || !add.is_usual() {
            return steps::add(rule, now, add, prefix);
        }
        match self.template(rule, add, prefix) {
            Some(template) => template.fill(now),
            None => steps::add(rule, now, add, prefix),
        }
    }

    fn template(&self, rule: &Rule, add: Add, prefix: &str) -> Option<Arc<Template>> {
        // No holder of this lock can panic in the middle of a change.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = &*last
            && (template.rule, template.add) == (*rule, add)
        {
            return Some(template.clone());
        }
        let template = Arc::new(Template::new(rule, add, prefix)?);
        *last = Some(template.clone());
        Some(template)
    }
}

impl Template {
    /// Returns `None` if filling in the times does not give the same as building the steps.
    fn new(rule: &Rule, add: Add, prefix: &str) -> Option<Template> {
        let markers = [
            (MARKER, Time::Now),
            (MARKER - rule.window, Time::Before),
            (MARKER + rule.window, Time::After),
        ];
        let steps = steps::add(rule, MARKER, add, prefix);
        let steps = steps.into_iter().map(|step| match step {
            Step::PutExpression(bin, expression) => {
                let packed = packed(&expression)?;
                let places = packed.windows(8).enumerate();
                let times = places.filter_map(|(place, bytes)| {
                    let mut markers = markers.iter();
                    let found = markers.find(|(marker, _)| bytes == marker.to_be_bytes());
                    found.map(|(_, time)| (place, *time))
                });
                Some(PackedStep::PutExpression {
                    bin,
                    times: times.collect(),
                    packed,
                })
            }
            step => Some(PackedStep::Same(step)),
        });
        let template = Template {
            rule: *rule,
            add,
            steps: steps.collect::<Option<_>>()?,
        };
        let built = steps::add(rule, PROBE, add, prefix);
        let is_right = template
            .fill(PROBE)
            .iter()
            .zip(&built)
            .all(|pair| match pair {
                (Step::PutExpression(_, filled), Step::PutExpression(_, built)) => {
                    packed(filled) == packed(built)
                }
                _ => true,
            });
        is_right.then_some(template)
    }

    fn fill(&self, now: i64) -> Vec<Step> {
        let window = self.rule.window;
        let steps = self.steps.iter().map(|step| match step {
            PackedStep::Same(step) => step.clone(),
            PackedStep::PutExpression { bin, packed, times } => {
                let mut packed = packed.clone();
                for (place, time) in times {
                    let time = match time {
                        Time::Now => now,
                        Time::Before => now - window,
                        Time::After => now + window,
                    };
                    if let Some(bytes) = packed.get_mut(*place..*place + 8) {
                        bytes.copy_from_slice(&time.to_be_bytes());
                    }
                }
                Step::PutExpression(bin, from_packed_bytes(packed))
            }
        });
        steps.collect()
    }
}

fn packed(expression: &Expression) -> Option<Vec<u8>> {
    BASE64.decode(expression.base64().ok()?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::window::{Extend, Kind};
    use super::*;

    #[test]
    fn filled_steps_equal_built_ones() {
        let now = 1_800_000_000_000;
        for kind in [Kind::Fixed, Kind::Sliding] {
            for window in [1, 1_000, 60_000, 31_536_000_000] {
                let rule = Rule { kind, window };
                let within = |limit, points| Add::Within {
                    limit,
                    times: 1,
                    points,
                };
                let all = |extend| Add::All { points: 1, extend };
                let adds = [
                    within(5, 1),
                    within(100_000_000, 3),
                    all(Extend::Never),
                    all(Extend::Restart { limit: 5 }),
                    all(Extend::Double { limit: 5 }),
                ];
                for add in adds {
                    assert!(add.is_usual());
                    let templates = Templates::default();
                    assert!(templates.template(&rule, add, "p").is_some());
                    for now in [now, now + 1, PROBE, 1, i64::from(u32::MAX) + window] {
                        let filled = templates.add(&rule, now, add, "p");
                        let built = steps::add(&rule, now, add, "p");
                        assert_eq!(filled.len(), built.len());
                        for pair in filled.iter().zip(&built) {
                            if let (Step::PutExpression(bin, one), Step::PutExpression(of, other)) =
                                pair
                            {
                                assert_eq!((bin, packed(one)), (of, packed(other)));
                            }
                        }
                    }
                }
            }
        }
    }
}
