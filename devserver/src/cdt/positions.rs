//! Indexes and ranks as an operation returns them.

use crate::wire::msgpack::{List, Value};

pub fn int(value: usize) -> Value {
    Value::Int(value as i64)
}

pub fn list(items: Vec<Value>) -> Value {
    Value::List(List { flags: 0, items })
}

/// Returns runs of numbers, each in ascending order even if it is counted from the end
/// (`cdt_container_builder_add_int_range()`). A single missing number is -1.
pub fn from_runs(runs: &[(usize, usize)], len: usize, is_reverse: bool, is_multi: bool) -> Value {
    let from_end = |start: usize, count: usize| {
        if is_reverse {
            len.saturating_sub(start + count)
        } else {
            start
        }
    };
    let mut numbers = runs
        .iter()
        .flat_map(|&(start, count)| (0..count).map(move |at| from_end(start, count) + at));
    if is_multi {
        list(numbers.map(int).collect())
    } else {
        numbers.next().map_or(Value::Int(-1), int)
    }
}

/// Returns numbers in the order of their elements. A single missing number is -1.
pub fn from_numbers(
    mut numbers: Vec<usize>,
    len: usize,
    is_reverse: bool,
    is_multi: bool,
) -> Value {
    if is_reverse {
        numbers
            .iter_mut()
            .for_each(|number| *number = len.saturating_sub(1 + *number));
    }
    if is_multi {
        list(numbers.into_iter().map(int).collect())
    } else {
        numbers
            .first()
            .map_or(Value::Int(-1), |number| int(*number))
    }
}
