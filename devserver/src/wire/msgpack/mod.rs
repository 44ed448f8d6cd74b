//! Lists and maps as Aerospike packs them: msgpack with its own rules.
//!
//! - A string or blob carries its particle type as the first byte; strings always use the `str` family of headers.
//! - An ordered list starts with an extension element whose type holds flags; an ordered map starts with a pair
//!   of such an element and nil. Both count as elements in the header.
//! - Maps are always stored with their keys in order, whatever order they came in; what the flags add is that
//!   a disorder is an error. Source: `cdt_stack_untrusted_rewrite()` in `as/src/base/cdt.c`.
//! - Everything has an order, first by type, then by value. Source: `msgpack_cmp_internal()` in `cf/src/msgpack_in.c`.

mod parse;
mod write;

use std::cmp::Ordering;

use super::consts::particle;
use super::reader::Reader;
use super::result::{Outcome, ResultCode};

/// How deep values may be nested. The server has no bound; we recurse, so the stack must be bounded.
pub const MAX_DEPTH: usize = 256;
/// Longest list or map taken apart, in bytes: the greatest `max-record-size` a server can be given.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Flag of an ordered list, and of a map with ordered keys.
pub const ORDERED: u8 = 0x01;
/// Flag of a map that is also ordered by value.
pub const VALUE_ORDERED: u8 = 0x02;
/// Flag of a map whose pairs keep the order they are listed in; only in answers.
pub const PRESERVE_ORDER: u8 = 0x08;
const MAP_FLAGS: u8 = ORDERED | VALUE_ORDERED;

/// The extension type of the values that exist only in comparisons.
const COMPARE_EXT: u8 = 0xff;

/// A value taken apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    /// An integer beyond the range of `i64`.
    BigUint(u64),
    Float(f64),
    /// String, blob and GeoJSON: the particle type, then the bytes. May be empty.
    Bytes(Vec<u8>),
    List(List),
    Map(Map),
    /// Any other extension: its type and bytes, kept as they are.
    Ext(u8, Vec<u8>),
    /// Equals everything. Only in the arguments of comparisons.
    Wildcard,
    /// Greater than everything. Only in the arguments of comparisons.
    Infinity,
}

/// A list with its flags.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    pub flags: u8,
    pub items: Vec<Value>,
}

/// A map with its flags; the pairs are in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    pub flags: u8,
    pub pairs: Vec<(Value, Value)>,
}

impl List {
    pub fn is_ordered(&self) -> bool {
        self.flags & ORDERED != 0
    }
}

impl Value {
    /// A string.
    pub fn text(text: &str) -> Value {
        Value::Bytes([&[particle::STRING], text.as_bytes()].concat())
    }

    /// Place in the order of types (`msgpack_type` in `cf/include/msgpack_in.h`).
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

    /// Whether a map takes this as a key: integers, strings and blobs (`map_is_key()`).
    pub fn is_key(&self) -> bool {
        match self {
            Value::Int(_) | Value::BigUint(_) => true,
            Value::Bytes(bytes) => {
                matches!(bytes.first(), Some(&particle::STRING | &particle::BLOB))
            }
            _ => false,
        }
    }

    /// Whether this can be stored: no wildcard and no infinity anywhere inside.
    pub fn is_storable(&self) -> bool {
        match self {
            Value::Wildcard | Value::Infinity => false,
            Value::List(list) => list.items.iter().all(Value::is_storable),
            Value::Map(map) => map
                .pairs
                .iter()
                .all(|(key, value)| key.is_storable() && value.is_storable()),
            _ => true,
        }
    }

    /// Whether this is no deeper and no larger than what [`Value::parse`] takes.
    pub fn is_bounded(&self) -> bool {
        let mut room = MAX_BYTES;
        self.fits(&mut room, 0)
    }

    fn fits(&self, room: &mut usize, depth: usize) -> bool {
        let size = match self {
            Value::Bytes(bytes) | Value::Ext(_, bytes) => bytes.len() + 1,
            _ => 1,
        };
        let Some(left) = room.checked_sub(size).filter(|_| depth <= MAX_DEPTH) else {
            return false;
        };
        *room = left;
        match self {
            Value::List(list) => list.items.iter().all(|item| item.fits(room, depth + 1)),
            Value::Map(map) => map
                .pairs
                .iter()
                .all(|(key, value)| key.fits(room, depth + 1) && value.fits(room, depth + 1)),
            _ => true,
        }
    }

    /// The order of two values. A wildcard anywhere ends the comparison: all is equal from there on.
    pub fn compare(&self, other: &Value) -> Ordering {
        self.compare_until_wildcard(other)
            .unwrap_or(Ordering::Equal)
    }

    /// `None` when a wildcard was met.
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

    /// Reads one value and leaves what follows it.
    ///
    /// # Errors
    /// [`ResultCode::UNKNOWN`] when the bytes are not well formed, a map's keys are of a wrong type, out of
    /// declared order or not unique, or the nesting is deeper than [`MAX_DEPTH`].
    pub fn parse(reader: &mut Reader<'_>) -> Outcome<Value> {
        if reader.rest().len() > MAX_BYTES {
            return Err(ResultCode::RECORD_TOO_BIG);
        }
        parse::parse_value(reader, 0).map_err(|_| ResultCode::UNKNOWN)
    }

    /// Reads bytes that are exactly one value.
    pub fn from_bytes(bytes: &[u8]) -> Outcome<Value> {
        let mut reader = Reader::new(bytes);
        let value = Value::parse(&mut reader)?;
        if reader.is_empty() {
            Ok(value)
        } else {
            Err(ResultCode::UNKNOWN)
        }
    }

    /// The value in its shortest form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write::write_value(self, &mut out);
        out
    }
}

/// A list from a client, in its stored form.
pub fn canonical_list(bytes: &[u8]) -> Outcome<Vec<u8>> {
    canonical(bytes, |value| matches!(value, Value::List(_)))
}

/// A map from a client, in its stored form.
pub fn canonical_map(bytes: &[u8]) -> Outcome<Vec<u8>> {
    canonical(bytes, |value| matches!(value, Value::Map(_)))
}

fn canonical(bytes: &[u8], is_wanted: fn(&Value) -> bool) -> Outcome<Vec<u8>> {
    let value = Value::from_bytes(bytes)?;
    if is_wanted(&value) && value.is_storable() {
        let mut out = Vec::with_capacity(bytes.len());
        write::write_value(&value, &mut out);
        Ok(out)
    } else {
        Err(ResultCode::UNKNOWN)
    }
}
