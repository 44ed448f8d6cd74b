//! Comparison in expressions. It uses the order of all values, but if an unordered map is compared, the result is
//! unknown (`cmp_msgpack()` in `as/src/base/exp.c`).

use std::cmp::Ordering;

use crate::wire::msgpack::{ORDERED, Value};

/// Compares two values. `None`: the result is unknown.
pub fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    let mut met_unordered = false;
    let order = walk(left, right, &mut met_unordered);
    (!met_unordered).then_some(order)
}

/// Compares two values until they differ, and notes unordered maps.
fn walk(left: &Value, right: &Value, met_unordered: &mut bool) -> Ordering {
    *met_unordered |= is_unordered_map(left) || is_unordered_map(right);
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            for (left, right) in left.items.iter().zip(&right.items) {
                let order = walk(left, right, met_unordered);
                if order.is_ne() {
                    return order;
                }
            }
            left.items.len().cmp(&right.items.len())
        }
        (Value::Map(left), Value::Map(right)) if left.pairs.len() == right.pairs.len() => {
            for ((left_key, left), (right_key, right)) in left.pairs.iter().zip(&right.pairs) {
                let by_key = walk(left_key, right_key, met_unordered);
                let order = by_key.then_with(|| walk(left, right, met_unordered));
                if order.is_ne() {
                    return order;
                }
            }
            Ordering::Equal
        }
        _ => left.compare(right),
    }
}

fn is_unordered_map(value: &Value) -> bool {
    matches!(value, Value::Map(map) if map.flags & ORDERED == 0 && !map.pairs.is_empty())
}
