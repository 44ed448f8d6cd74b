//! Values of bins. Small ones are stored inline; others are shared bytes, which are cheap to copy.
//! Source: `as/src/base/particle.c` and `particle_{integer,float,bool,string,blob,map,list}.c`.

use std::sync::Arc;

use super::consts::particle as kind;
use super::msgpack;
use super::result::{Outcome, ResultCode};

/// A stored value.
#[derive(Clone, Debug, PartialEq)]
pub enum Particle {
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Any other type: its number and its bytes; lists and maps are canonical msgpack.
    Bytes(u8, Arc<[u8]>),
}

impl Particle {
    /// Returns the number of the type in [`super::consts::particle`].
    pub fn kind(&self) -> u8 {
        match self {
            Particle::Int(_) => kind::INTEGER,
            Particle::Float(_) => kind::FLOAT,
            Particle::Bool(_) => kind::BOOL,
            Particle::Bytes(kind, _) => *kind,
        }
    }

    /// Returns the length on the wire, in bytes.
    pub fn size(&self) -> usize {
        match self {
            Particle::Int(_) | Particle::Float(_) => 8,
            Particle::Bool(_) => 1,
            Particle::Bytes(_, data) => data.len(),
        }
    }

    /// Appends the value in wire format.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Particle::Int(value) => out.extend_from_slice(&value.to_be_bytes()),
            Particle::Float(value) => out.extend_from_slice(&value.to_bits().to_be_bytes()),
            Particle::Bool(value) => out.push(u8::from(*value)),
            Particle::Bytes(_, data) => out.extend_from_slice(data),
        }
    }

    /// Parses a value from a client, and converts it into its stored form.
    ///
    /// # Errors
    /// [`ResultCode::PARAMETER`] for an unknown type (including NULL) or a number of the wrong length,
    /// [`ResultCode::UNKNOWN`] for an invalid list or map.
    pub fn from_wire(kind: u8, value: &[u8]) -> Outcome<Particle> {
        match kind {
            kind::INTEGER => int_from_wire(value).map(Particle::Int),
            kind::FLOAT => float_from_wire(value).map(Particle::Float),
            kind::BOOL => match value {
                [0] => Ok(Particle::Bool(false)),
                [1] => Ok(Particle::Bool(true)),
                _ => Err(ResultCode::PARAMETER),
            },
            kind::MAP => {
                msgpack::canonical_map(value).map(|data| Particle::Bytes(kind, data.into()))
            }
            kind::LIST => {
                msgpack::canonical_list(value).map(|data| Particle::Bytes(kind, data.into()))
            }
            kind::STRING
            | kind::BLOB
            | kind::JAVA_BLOB
            | kind::CSHARP_BLOB
            | kind::PYTHON_BLOB
            | kind::RUBY_BLOB
            | kind::PHP_BLOB
            | kind::ERLANG_BLOB
            | kind::VECTOR
            | kind::HLL
            | kind::GEOJSON => Ok(Particle::Bytes(kind, value.into())),
            _ => Err(ResultCode::PARAMETER),
        }
    }

    /// Parses what [`Particle::write`] has written to the data file. Only lengths are checked.
    pub fn from_stored(kind: u8, value: &[u8]) -> Option<Particle> {
        match kind {
            kind::INTEGER => Some(Particle::Int(i64::from_be_bytes(value.try_into().ok()?))),
            kind::FLOAT => Some(Particle::Float(f64::from_bits(u64::from_be_bytes(
                value.try_into().ok()?,
            )))),
            kind::BOOL => Some(Particle::Bool(*value.first()? != 0)),
            kind::NULL => None,
            kind => Some(Particle::Bytes(kind, value.into())),
        }
    }

    /// Adds a number of the same type (`incr`). Integers wrap around.
    pub fn increment(&self, kind: u8, value: &[u8]) -> Outcome<Particle> {
        match self {
            Particle::Int(old) if kind == kind::INTEGER => {
                Ok(Particle::Int(old.wrapping_add(int_from_wire(value)?)))
            }
            Particle::Float(old) if kind == kind::FLOAT => {
                Ok(Particle::Float(old + float_from_wire(value)?))
            }
            _ => Err(ResultCode::INCOMPATIBLE_TYPE),
        }
    }

    /// Joins bytes with a value of the same type (`append`, `prepend`). Only for strings and blobs.
    pub fn concat(&self, kind: u8, value: &[u8], at_front: bool) -> Outcome<Particle> {
        match self {
            Particle::Bytes(own, data)
                if *own == kind
                    && !matches!(kind, kind::MAP | kind::LIST | kind::HLL | kind::GEOJSON) =>
            {
                // Much larger than any record, so the result is not created.
                if data.len() + value.len() > msgpack::MAX_BYTES {
                    return Err(ResultCode::RECORD_TOO_BIG);
                }
                let joined = if at_front {
                    [value, data].concat()
                } else {
                    [data, value].concat()
                };
                Ok(Particle::Bytes(kind, joined.into()))
            }
            _ => Err(ResultCode::INCOMPATIBLE_TYPE),
        }
    }
}

/// Parses an integer of 1, 2, 4 or 8 bytes. Short ones are unsigned (`integer_from_wire()`).
fn int_from_wire(value: &[u8]) -> Outcome<i64> {
    match value.len() {
        1 | 2 | 4 | 8 => Ok(value
            .iter()
            .fold(0i64, |sum, byte| (sum << 8) | i64::from(*byte))),
        _ => Err(ResultCode::PARAMETER),
    }
}

fn float_from_wire(value: &[u8]) -> Outcome<f64> {
    let bits = value.try_into().map_err(|_| ResultCode::PARAMETER)?;
    Ok(f64::from_bits(u64::from_be_bytes(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_integers_of_four_lengths_only() {
        assert_eq!(
            Particle::from_wire(kind::INTEGER, &[255]),
            Ok(Particle::Int(255))
        );
        assert_eq!(
            Particle::from_wire(kind::INTEGER, &[255; 8]),
            Ok(Particle::Int(-1))
        );
        assert_eq!(
            Particle::from_wire(kind::INTEGER, &[1, 2, 3]),
            Err(ResultCode::PARAMETER)
        );
    }

    #[test]
    fn rejects_operations_on_different_types() {
        let text = Particle::Bytes(kind::STRING, Arc::from(&b"ab"[..]));
        assert_eq!(
            text.increment(kind::INTEGER, &[1]),
            Err(ResultCode::INCOMPATIBLE_TYPE)
        );
        assert_eq!(
            text.concat(kind::BLOB, b"c", false),
            Err(ResultCode::INCOMPATIBLE_TYPE)
        );
        assert_eq!(
            text.concat(kind::STRING, b"c", true),
            Ok(Particle::Bytes(kind::STRING, Arc::from(&b"cab"[..])))
        );
        assert_eq!(
            Particle::Int(1).concat(kind::STRING, b"c", true),
            Err(ResultCode::INCOMPATIBLE_TYPE)
        );
    }
}
