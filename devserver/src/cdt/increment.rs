//! Increments of elements (`cdt_calc_delta_*()` in `as/src/base/cdt.c`).

use crate::wire::msgpack::Value;
use crate::wire::result::{Outcome, ResultCode};

/// Adds `delta` (1 if it is nil or missing) to an element, or to 0 if there is none. The element keeps its type; a new
/// one has the type of `delta`. Values that are not numbers are [`ResultCode::PARAMETER`].
pub fn add(element: Option<&Value>, delta: Option<&Value>, is_decrement: bool) -> Outcome<Value> {
    let (int, float, is_float) = match delta {
        None | Some(Value::Nil) => (1, 1.0, false),
        Some(Value::Int(value)) => (*value, 1.0, false),
        Some(Value::Float(value)) => (1, *value, true),
        Some(_) => return Err(ResultCode::PARAMETER),
    };
    let (int, float) = if is_decrement {
        (int.wrapping_neg(), -float)
    } else {
        (int, float)
    };
    Ok(match element {
        Some(Value::Int(value)) => {
            Value::Int(value.wrapping_add(if is_float { float as i64 } else { int }))
        }
        Some(Value::Float(value)) => {
            Value::Float(value + if is_float { float } else { int as f64 })
        }
        Some(_) => return Err(ResultCode::PARAMETER),
        None if is_float => Value::Float(float),
        None => Value::Int(int),
    })
}
