//! The arithmetic of [`window`](super::window) as expressions, which the server evaluates.
//!
//! The steps run in order, and each sees what those before it have written. So `before` comes first: after it, the bin holds the points of
//! the window before, whether the window has changed or not. `end` comes last, because the others depend on the stored one.

use aerospike::Bin;
use aerospike::ParticleType;
use aerospike::expressions::{
    Expression, and, bin_type, cond, def, eq, exp_let, gt, int_bin, int_val, max, min, num_add,
    num_div, num_mul, num_sub, var,
};

use super::bins::{BEFORE, COUNT, END, PREFIX};
use super::window::{Kind, MAX_POINTS, Rule};
use crate::cluster::Step;

/// How many points are added.
#[derive(Debug, Clone, Copy)]
pub enum Add {
    /// `times` requests of `points` each, as many of them as fit into the limit.
    Within { limit: i64, times: i64, points: i64 },
    /// All of these points.
    All(i64),
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
        Add::All(points) => min(vec![
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
    use aerospike::expressions::{string_bin, string_val};
    match prefix {
        "" => eq(bin_type(PREFIX), int_val(ParticleType::Null as i64)),
        prefix => and(vec![
            eq(bin_type(PREFIX), int_val(ParticleType::String as i64)),
            eq(string_bin(PREFIX), string_val(prefix)),
        ]),
    }
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
