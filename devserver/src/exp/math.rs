//! Numbers in expressions. Integers wrap around. `None` means that there is no result.

use super::codes as code;
use crate::wire::msgpack::Value;

/// Applies a code to numbers of one type. The types were checked when the expression was built.
pub fn apply(code: i64, args: &[Value]) -> Option<Value> {
    match args.first()? {
        Value::Float(_) => {
            let numbers = args.iter().map(as_float).collect::<Option<Vec<_>>>()?;
            floats(code, &numbers)
        }
        _ => {
            let numbers = args.iter().map(as_int).collect::<Option<Vec<_>>>()?;
            ints(code, &numbers)
        }
    }
}

/// Returns the position, counted from the highest bit, of the first bit of this value from the left or the right, or
/// -1 if there is none (`eval_int_lscan()`, `eval_int_rscan()`).
pub fn scan(number: &Value, bit: bool, from_left: bool) -> Option<Value> {
    let number = as_int(number)?;
    let bits = if bit { number } else { !number };
    Some(Value::Int(match (bits, from_left) {
        (0, _) => -1,
        (bits, true) => i64::from(bits.leading_zeros()),
        (bits, false) => 63 - i64::from(bits.trailing_zeros()),
    }))
}

fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        Value::BigUint(value) => Some(*value as i64),
        _ => None,
    }
}

fn floats(code: i64, args: &[f64]) -> Option<Value> {
    let fold = |join: fn(f64, f64) -> f64| args.iter().copied().reduce(join);
    Some(Value::Float(match (code, args) {
        // A single number is subtracted from 0, or divides 1.
        (code::SUB, [number]) => -number,
        (code::DIV, [number]) => 1.0 / number,
        (code::ADD, _) => fold(|left, right| left + right)?,
        (code::SUB, _) => fold(|left, right| left - right)?,
        (code::MUL, _) => fold(|left, right| left * right)?,
        (code::DIV, _) => fold(|left, right| left / right)?,
        (code::MIN, _) => fold(f64::min)?,
        (code::MAX, _) => fold(f64::max)?,
        (code::ABS, [number]) => number.abs(),
        (code::FLOOR, [number]) => number.floor(),
        (code::CEIL, [number]) => number.ceil(),
        (code::POW, [base, exponent]) => base.powf(*exponent),
        (code::LOG, [number, base]) => number.ln() / base.ln(),
        (code::TO_INT, [number]) => return Some(Value::Int(*number as i64)),
        _ => return None,
    }))
}

fn ints(code: i64, args: &[i64]) -> Option<Value> {
    let fold = |join: fn(i64, i64) -> i64| args.iter().copied().reduce(join);
    let divide = |left: i64, right: &i64| {
        if *right == 0 {
            None
        } else {
            Some(left.wrapping_div(*right))
        }
    };
    Some(Value::Int(match (code, args) {
        (code::SUB, [number]) => number.wrapping_neg(),
        (code::DIV, [number]) => divide(1, number)?,
        (code::ADD, _) => fold(i64::wrapping_add)?,
        (code::SUB, _) => fold(i64::wrapping_sub)?,
        (code::MUL, _) => fold(i64::wrapping_mul)?,
        (code::DIV, [first, rest @ ..]) => rest.iter().try_fold(*first, divide)?,
        (code::MIN, _) => fold(i64::min)?,
        (code::MAX, _) => fold(i64::max)?,
        (code::ABS, [number]) => number.wrapping_abs(),
        (code::MOD, [_, 0]) => return None,
        (code::MOD, [left, right]) => left.wrapping_rem(*right),
        (code::TO_FLOAT, [number]) => return Some(Value::Float(*number as f64)),
        (code::INT_AND, _) => fold(|left, right| left & right)?,
        (code::INT_OR, _) => fold(|left, right| left | right)?,
        (code::INT_XOR, _) => fold(|left, right| left ^ right)?,
        (code::INT_NOT, [number]) => !number,
        (code::INT_COUNT, [number]) => i64::from(number.count_ones()),
        (code::INT_LSHIFT, [number, by]) => shift(*by).map_or(0, |by| number << by),
        (code::INT_RSHIFT, [number, by]) => {
            shift(*by).map_or(0, |by| ((*number as u64) >> by) as i64)
        }
        (code::INT_ARSHIFT, [number, by]) => number >> shift(*by).unwrap_or(63),
        _ => return None,
    }))
}

/// Returns a shift distance, if it is less than 64.
fn shift(by: i64) -> Option<u32> {
    u32::try_from(by).ok().filter(|by| *by < 64)
}
