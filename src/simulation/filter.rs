//! Evaluates the filter of a command for a record, like the server (as/src/base/exp.c). Supports only the expressions that the store's
//! filters use, and panics for others.

use std::collections::BTreeMap;

use aerospike::Value;
use aerospike::expressions::Expression;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::msgpack;
use super::record::Record;

/// Seconds from 1970 to 2010, the epoch of void times.
const EPOCH_S: i64 = 1_262_304_000;

/// Returns whether a record passes a filter.
pub fn passes(filter: &Expression, record: &Record) -> bool {
    matches!(evaluate(filter, record), Some(Value::Bool(true)))
}

/// Returns the value of an expression. `None`: unknown.
pub fn evaluate(expression: &Expression, record: &Record) -> Option<Value> {
    let text = expression
        .base64()
        .expect("an expression that can be packed");
    let packed = BASE64.decode(text).expect("base64");
    evaluate_with(&msgpack::parse(&packed), record, &Variables::new())
}

/// The variables of a `let`. `None`: unknown.
type Variables = BTreeMap<String, Option<Value>>;

fn evaluate_with(expression: &Value, record: &Record, variables: &Variables) -> Option<Value> {
    let Value::List(parts) = expression else {
        return Some(expression.clone());
    };
    let (Some(Value::Int(operation)), arguments) = (parts.first(), &parts[1..]) else {
        panic!("an expression without an operation");
    };
    // let: names and values in turn, and then the expression that uses them.
    if *operation == 125 {
        let mut inner = variables.clone();
        let (last, definitions) = arguments.split_last()?;
        for definition in definitions.chunks(2) {
            let known = evaluate_with(&definition[1], record, &inner);
            inner.insert(name(&definition[0]), known);
        }
        return evaluate_with(last, record, &inner);
    }
    let of = |argument: &Value| evaluate_with(argument, record, variables);
    let truth = |argument: &Value| match of(argument) {
        Some(Value::Bool(truth)) => Some(truth),
        _ => None,
    };
    let integer = |argument: &Value| match of(argument) {
        Some(Value::Int(integer)) => Some(integer),
        _ => None,
    };
    let integers = || arguments.iter().map(integer);
    match operation {
        // eq, ne
        1 => Some(Value::Bool(of(&arguments[0])? == of(&arguments[1])?)),
        2 => Some(Value::Bool(of(&arguments[0])? != of(&arguments[1])?)),
        // gt
        3 => Some(Value::Bool(
            integer(&arguments[0])? > integer(&arguments[1])?,
        )),
        // ge
        4 => Some(Value::Bool(
            integer(&arguments[0])? >= integer(&arguments[1])?,
        )),
        // and, or: an unknown argument decides only if no other one does.
        16 => all(arguments.iter().map(truth), false),
        17 => all(arguments.iter().map(truth), true),
        // not
        18 => Some(Value::Bool(!truth(&arguments[0])?)),
        // add, mul
        20 => integers()
            .try_fold(0i64, |sum, next| sum.checked_add(next?))
            .map(Value::Int),
        22 => integers()
            .try_fold(1i64, |all, next| all.checked_mul(next?))
            .map(Value::Int),
        // sub, div, min, max, int_lshift
        21 => integers()
            .reduce(|left, right| left?.checked_sub(right?))?
            .map(Value::Int),
        23 => integers()
            .reduce(|left, right| left?.checked_div(right?))?
            .map(Value::Int),
        50 => integers()
            .reduce(|left, right| Some(left?.min(right?)))?
            .map(Value::Int),
        51 => integers()
            .reduce(|left, right| Some(left?.max(right?)))?
            .map(Value::Int),
        36 => {
            let (number, by) = (integer(&arguments[0])?, integer(&arguments[1])?);
            Some(Value::Int(number.checked_shl(u32::try_from(by).ok()?)?))
        }
        // last_update
        66 => Some(Value::Int(record.last_update_ms * 1_000_000)),
        // void_time
        68 => Some(Value::Int(match record.void_time {
            0 => -1,
            seconds => (i64::from(seconds) + EPOCH_S) * 1_000_000_000,
        })),
        // bin of a type
        81 => {
            let Value::Int(of_type) = arguments[0] else {
                panic!("a bin of no type");
            };
            let found = record.bins.get(&name(&arguments[1]))?;
            (of_type == expression_type(found)).then(|| found.clone())
        }
        // bin_type
        82 => Some(Value::Int(
            record
                .bins
                .get(&name(&arguments[0]))
                .map_or(0, particle_type),
        )),
        // var
        124 => variables.get(&name(&arguments[0]))?.clone(),
        // cond
        123 => {
            for pair in arguments.chunks(2) {
                match pair {
                    [condition, then] if truth(condition)? => return of(then),
                    [otherwise] => return of(otherwise),
                    _ => {}
                }
            }
            None
        }
        other => panic!("expression {other} is not simulated"),
    }
}

/// Returns `decisive` if any argument is `decisive`, otherwise unknown if any is unknown, otherwise the opposite.
fn all(truths: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<Value> {
    let mut is_known = true;
    for truth in truths {
        match truth {
            Some(truth) if truth == decisive => return Some(Value::Bool(decisive)),
            Some(_) => {}
            None => is_known = false,
        }
    }
    is_known.then_some(Value::Bool(!decisive))
}

fn name(argument: &Value) -> String {
    match argument {
        Value::String(name) => name.clone(),
        other => panic!("{other:?} is no bin's name"),
    }
}

fn particle_type(value: &Value) -> i64 {
    match value {
        Value::Int(_) => 1,
        Value::String(_) => 3,
        Value::Blob(_) => 4,
        Value::SortedMap(_) => 19,
        Value::List(_) => 20,
        other => panic!("a bin that holds {other:?}"),
    }
}

/// Returns the type number in expressions, which differs from the particle type (`result_type_e`).
fn expression_type(value: &Value) -> i64 {
    match value {
        Value::Int(_) => 2,
        Value::String(_) => 3,
        Value::List(_) => 4,
        Value::SortedMap(_) => 5,
        Value::Blob(_) => 6,
        _ => -1,
    }
}
