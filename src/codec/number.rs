//! A JSON number as Aerospike stores it.

use aerospike::Value;

use super::{MAX_SAFE, packer};

/// A stored number: an integer if it is whole and within ±2^53, otherwise a double.
pub enum Number {
    Integer(i64),
    Double(f64),
}

impl Number {
    pub fn from_i64(value: i64) -> Number {
        match value.unsigned_abs() <= MAX_SAFE as u64 {
            true => Number::Integer(value),
            false => Number::Double(value as f64),
        }
    }

    pub fn from_u64(value: u64) -> Number {
        match i64::try_from(value) {
            Ok(value) => Number::from_i64(value),
            Err(_) => Number::Double(value as f64),
        }
    }

    /// `1e3` is the integer 1000. `-0` stays a double, because there is no negative zero among integers.
    pub fn from_f64(value: f64) -> Number {
        let whole = value.fract() == 0.0 && value.abs() <= MAX_SAFE;
        match whole && !(value == 0.0 && value.is_sign_negative()) {
            true => Number::Integer(value as i64),
            false => Number::Double(value),
        }
    }

    pub fn pack(self, out: &mut Vec<u8>) {
        match self {
            Number::Integer(value) => packer::integer(out, value),
            Number::Double(value) => packer::double(out, value),
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Value {
        match number {
            Number::Integer(value) => Value::Int(value),
            Number::Double(value) => Value::from(value),
        }
    }
}
