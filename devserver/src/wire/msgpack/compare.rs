//! The order of all values: by type first, then by value. Source: `msgpack_cmp_internal()` in `cf/src/msgpack_in.c`.

use std::cmp::Ordering;

use super::value::Value;
use crate::wire::consts::particle;

impl Value {
    /// Returns the position in the order of types (`msgpack_type` in `cf/include/msgpack_in.h`).
    fn rank(&self) -> u8 {
        match self {
            Value::Nil => 1,
            Value::Bool(false) => 2,
            Value::Bool(true) => 3,
            Value::Int(value) if *value < 0 => 4,
            Value::Int(_) | Value::BigUint(_) => 5,
            Value::Bytes(bytes) => match bytes.first() {
                Some(&particle::STRING) => 6,
                Some(&particle::GEOJSON) => 11,
                _ => 9,
            },
            Value::List(_) => 7,
            Value::Map(_) => 8,
            Value::Float(_) => 10,
            Value::Ext(..) => 12,
            Value::Wildcard => 13,
            Value::Infinity => 14,
        }
    }

    /// Compares two values. A wildcard ends the comparison: everything from there on is equal.
    pub fn compare(&self, other: &Value) -> Ordering {
        self.compare_until_wildcard(other)
            .unwrap_or(Ordering::Equal)
    }

    /// Compares two values. Returns `None` at a wildcard.
    fn compare_until_wildcard(&self, other: &Value) -> Option<Ordering> {
        if matches!(self, Value::Wildcard) || matches!(other, Value::Wildcard) {
            return None;
        }
        let by_type = self.rank().cmp(&other.rank());
        if by_type.is_ne() {
            return Some(by_type);
        }
        Some(match (self, other) {
            (Value::Int(left), Value::Int(right)) => left.cmp(right),
            (Value::BigUint(left), Value::BigUint(right)) => left.cmp(right),
            (Value::Int(_), Value::BigUint(_)) => Ordering::Less,
            (Value::BigUint(_), Value::Int(_)) => Ordering::Greater,
            (Value::Float(left), Value::Float(right)) => {
                left.partial_cmp(right).unwrap_or(Ordering::Equal)
            }
            (Value::Bytes(left), Value::Bytes(right))
            | (Value::Ext(_, left), Value::Ext(_, right)) => left.cmp(right),
            (Value::List(left), Value::List(right)) => {
                for (left, right) in left.items.iter().zip(&right.items) {
                    let order = left.compare_until_wildcard(right)?;
                    if order.is_ne() {
                        return Some(order);
                    }
                }
                left.items.len().cmp(&right.items.len())
            }
            (Value::Map(left), Value::Map(right)) => {
                let by_count = left.pairs.len().cmp(&right.pairs.len());
                if by_count.is_ne() {
                    return Some(by_count);
                }
                for (left, right) in left.pairs.iter().zip(&right.pairs) {
                    let order = left.0.compare_until_wildcard(&right.0)?;
                    let order = if order.is_eq() {
                        left.1.compare_until_wildcard(&right.1)?
                    } else {
                        order
                    };
                    if order.is_ne() {
                        return Some(order);
                    }
                }
                Ordering::Equal
            }
            _ => Ordering::Equal,
        })
    }
}
