//! The operations that return the value of an expression or write it into a bin. Source: `as/src/base/expop.c`.

use super::build::{self, MAX_SIZE, Node};
use super::codes::op_flags;
use super::eval;
use super::view::View;
use crate::cdt;
use crate::wire::msgpack::Value;
use crate::wire::particle::Particle;
use crate::wire::result::{Outcome, ResultCode};

/// What happens to the bin.
pub enum Change {
    Keep,
    Set(Particle),
    Remove,
}

/// Parses `[expression, flags]`. The flags may be missing.
fn parse(bytes: &[u8], known_flags: u64) -> Outcome<(Node, u64)> {
    const INVALID: ResultCode = ResultCode::PARAMETER;
    if bytes.len() > MAX_SIZE {
        return Err(INVALID);
    }
    let Ok(Value::List(list)) = Value::from_bytes(bytes) else {
        return Err(INVALID);
    };
    let mut items = list.items.into_iter();
    let (Some(expression), flags, None) = (items.next(), items.next(), items.next()) else {
        return Err(INVALID);
    };
    let flags = match flags {
        Some(Value::Int(flags)) => u64::try_from(flags).map_err(|_| INVALID)?,
        _ => 0,
    };
    if flags & !known_flags != 0 {
        return Err(INVALID);
    }
    Ok((build::build(expression)?.0, flags))
}

/// Evaluates an expression for the response.
pub fn read(view: &View<'_>, bytes: &[u8]) -> Outcome<Option<Particle>> {
    let (node, flags) = parse(bytes, op_flags::EVAL_NO_FAIL)?;
    match eval::run(&node, view) {
        Some(value) => Ok(cdt::into_particle(value)),
        None if flags & op_flags::EVAL_NO_FAIL != 0 => Ok(None),
        None => Err(ResultCode::OP_NOT_APPLICABLE),
    }
}

/// Evaluates an expression for a bin (`as_exp_modify_tr()`).
pub fn modify(view: &View<'_>, name: &[u8], bytes: &[u8]) -> Outcome<Change> {
    let known = op_flags::CREATE_ONLY
        | op_flags::UPDATE_ONLY
        | op_flags::ALLOW_DELETE
        | op_flags::POLICY_NO_FAIL
        | op_flags::EVAL_NO_FAIL;
    let (node, flags) = parse(bytes, known)?;
    let has = |flag: u64| flags & flag != 0;
    let exists = view.record.bins.get(name).is_some();
    let refusal = match exists {
        true if has(op_flags::CREATE_ONLY) => Some(ResultCode::BIN_EXISTS),
        false if has(op_flags::UPDATE_ONLY) => Some(ResultCode::BIN_NOT_FOUND),
        _ => None,
    };
    match refusal {
        Some(_) if has(op_flags::POLICY_NO_FAIL) => return Ok(Change::Keep),
        Some(code) => return Err(code),
        None => {}
    }
    let value = match node {
        Node::Remove => Some(Value::Nil),
        node => eval::run(&node, view),
    };
    match value.map(cdt::into_particle) {
        Some(Some(value)) => Ok(Change::Set(value)),
        Some(None) if !exists => Ok(Change::Keep),
        Some(None) if has(op_flags::ALLOW_DELETE) => Ok(Change::Remove),
        // The server tests `flags && ...` here, so any flag ignores the error.
        Some(None) if flags != 0 => Ok(Change::Keep),
        Some(None) => Err(ResultCode::OP_NOT_APPLICABLE),
        None if has(op_flags::EVAL_NO_FAIL) => Ok(Change::Keep),
        None => Err(ResultCode::OP_NOT_APPLICABLE),
    }
}
