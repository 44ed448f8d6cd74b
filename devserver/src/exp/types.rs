//! The types of expressions, and which types each code takes and returns.

use super::codes as code;
use crate::wire::consts::particle;
use crate::wire::msgpack::Value;
use crate::wire::result::{Outcome, ResultCode};

/// The type of the value of an expression (`result_type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Nil,
    Bool,
    Int,
    Text,
    List,
    Map,
    Blob,
    Float,
    Geo,
    Hll,
    /// "Remove the bin". Only valid as the result of a write operation.
    Remove,
}

impl Type {
    /// Returns the type with this number on the wire.
    pub fn from_code(value: &Value) -> Outcome<Type> {
        Ok(match value {
            Value::Int(0) => Type::Nil,
            Value::Int(1) => Type::Bool,
            Value::Int(2) => Type::Int,
            Value::Int(3) => Type::Text,
            Value::Int(4) => Type::List,
            Value::Int(5) => Type::Map,
            Value::Int(6) => Type::Blob,
            Value::Int(7) => Type::Float,
            Value::Int(8) => Type::Geo,
            Value::Int(9) => Type::Hll,
            _ => return Err(ResultCode::PARAMETER),
        })
    }

    /// Returns the type of a value.
    pub fn of(value: &Value) -> Option<Type> {
        Some(match value {
            Value::Nil => Type::Nil,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) | Value::BigUint(_) => Type::Int,
            Value::Float(_) => Type::Float,
            Value::Bytes(bytes) => match bytes.first() {
                Some(&particle::STRING) => Type::Text,
                Some(&particle::GEOJSON) => Type::Geo,
                Some(&particle::HLL) => Type::Hll,
                _ => Type::Blob,
            },
            Value::List(_) => Type::List,
            Value::Map(_) => Type::Map,
            Value::Ext(..) | Value::Wildcard | Value::Infinity => return None,
        })
    }
}

/// Returns the type that a code returns for arguments of these types, or `None` if they are not valid.
pub fn signature(code: i64, args: &[Type]) -> Option<Type> {
    let all = |kind: Type| args.iter().all(|arg| *arg == kind);
    let numbers = args
        .first()
        .copied()
        .filter(|first| matches!(first, Type::Int | Type::Float) && all(*first));
    Some(match (code, args) {
        (code::EQ | code::NE | code::GT | code::GE | code::LT | code::LE, [left, right]) => {
            (left == right && !matches!(left, Type::Geo | Type::Hll | Type::Remove))
                .then_some(Type::Bool)?
        }
        (code::IN_LIST, [_, Type::List]) => Type::Bool,
        (code::AND | code::OR | code::EXCLUSIVE, [_, _, ..]) if all(Type::Bool) => Type::Bool,
        (code::NOT, [Type::Bool]) => Type::Bool,
        (code::ADD | code::SUB | code::MUL | code::DIV | code::MIN | code::MAX, [_, ..]) => {
            numbers?
        }
        (code::ABS, [_]) => numbers?,
        (code::POW | code::LOG, [Type::Float, Type::Float]) => Type::Float,
        (code::FLOOR | code::CEIL, [Type::Float]) => Type::Float,
        (code::MOD, [Type::Int, Type::Int]) => Type::Int,
        (code::TO_INT, [Type::Float]) => Type::Int,
        (code::TO_FLOAT, [Type::Int]) => Type::Float,
        (code::INT_AND | code::INT_OR | code::INT_XOR, [_, _, ..]) if all(Type::Int) => Type::Int,
        (code::INT_NOT | code::INT_COUNT, [Type::Int]) => Type::Int,
        (code::INT_LSHIFT | code::INT_RSHIFT | code::INT_ARSHIFT, [Type::Int, Type::Int]) => {
            Type::Int
        }
        (code::INT_LSCAN | code::INT_RSCAN, [Type::Int, Type::Bool]) => Type::Int,
        (code::MAP_KEYS | code::MAP_VALUES, [Type::Map]) => Type::List,
        _ => return None,
    })
}
