//! Unpacked values, and the flags of lists and maps.

use crate::wire::consts::particle;

/// Maximum depth of nested values. The server has no limit; parsing here is recursive, so the stack needs one.
pub const MAX_DEPTH: usize = 256;

/// Maximum size of a list or map, in bytes: the largest possible `max-record-size`.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Flag of an ordered list, and of a map with ordered keys.
pub const ORDERED: u8 = 0x01;
/// Flag of a map that is also ordered by value.
pub const VALUE_ORDERED: u8 = 0x02;
/// Flag of a map whose pairs keep the order in which they are listed. Only in responses.
pub const PRESERVE_ORDER: u8 = 0x08;
pub(super) const MAP_FLAGS: u8 = ORDERED | VALUE_ORDERED;

/// The extension type of values that exist in comparisons only.
pub(super) const COMPARE_EXT: u8 = 0xff;

/// An unpacked value.
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
    /// Any other extension: its type and bytes, unchanged.
    Ext(u8, Vec<u8>),
    /// Equals every value. Only in arguments of comparisons.
    Wildcard,
    /// Greater than every value. Only in arguments of comparisons.
    Infinity,
}

/// A list with its flags.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    pub flags: u8,
    pub items: Vec<Value>,
}

/// A map with its flags. The pairs are sorted by their keys.
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
    /// Returns a string.
    pub fn text(text: &str) -> Value {
        Value::Bytes([&[particle::STRING], text.as_bytes()].concat())
    }

    /// Whether this can be a key of a map: integers, strings and blobs (`map_is_key()`).
    pub fn is_key(&self) -> bool {
        match self {
            Value::Int(_) | Value::BigUint(_) => true,
            Value::Bytes(bytes) => {
                matches!(bytes.first(), Some(&particle::STRING | &particle::BLOB))
            }
            _ => false,
        }
    }

    /// Whether this can be stored: it contains no wildcard and no infinity.
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

    /// Whether the depth and size of this value are within the limits of [`Value::parse`].
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
}
