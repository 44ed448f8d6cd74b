//! Executes an operation on a bin, or on a value of an expression.

use super::args::Args;
use super::codes::list::SORT;
use super::context::Context;
use super::effect::Effect;
use super::operation::{Operation, parse};
use super::particle::into_particle;
use super::{list, map};
use crate::wire::consts::particle;
use crate::wire::msgpack::Value;
use crate::wire::particle::Particle;
use crate::wire::result::{Outcome, ResultCode};

/// The effect of an operation on a bin, and its result.
#[derive(Debug)]
pub struct Change {
    /// The bin's new value; `None` = unchanged.
    pub value: Option<Particle>,
    pub result: Option<Particle>,
}

/// Executes an operation that reads (`as_bin_cdt_read_tr()`).
pub fn read(bin: &Particle, bytes: &[u8]) -> Outcome<Option<Particle>> {
    let operation = parse(bytes)?;
    let result = match (&operation.context, bin) {
        (None, bin) => {
            let wanted = if operation.is_list_op() {
                particle::LIST
            } else {
                particle::MAP
            };
            let Particle::Bytes(kind, data) = bin else {
                return Err(ResultCode::INCOMPATIBLE_TYPE);
            };
            if *kind != wanted {
                return Err(ResultCode::INCOMPATIBLE_TYPE);
            }
            read_value(&Value::from_bytes(data)?, &operation)?
        }
        (Some(context), Particle::Bytes(particle::LIST | particle::MAP, data)) => {
            read_value(context.find(&Value::from_bytes(data)?)?, &operation)?
        }
        (Some(_), _) => return Err(ResultCode::PARAMETER),
    };
    Ok(result.and_then(into_particle))
}

/// Executes an operation of an expression. One that changes the value returns the new value.
pub fn call(
    target: Value,
    code: u64,
    args: Vec<Value>,
    context: Option<Vec<Value>>,
    is_modify: bool,
) -> Outcome<Option<Value>> {
    let context = context.map(Context::parse).transpose()?;
    let operation = Operation {
        code,
        args: Args::new(args),
        context,
    };
    if is_modify {
        let mut value = Some(target);
        modify_value_op(&mut value, &operation)?;
        // An expression can put a variable into itself repeatedly. A value larger than any record is an error.
        return if value.as_ref().is_none_or(Value::is_bounded) {
            Ok(value)
        } else {
            Err(ResultCode::PARAMETER)
        };
    }
    match &operation.context {
        Some(context) => read_value(context.find(&target)?, &operation),
        None => read_value(&target, &operation),
    }
}

fn read_value(value: &Value, operation: &Operation) -> Outcome<Option<Value>> {
    match value {
        Value::List(list) if operation.is_list_op() => {
            list::read(list, operation.code, &operation.args)
        }
        Value::Map(map) if !operation.is_list_op() => {
            map::read(map, operation.code, &operation.args)
        }
        _ => Err(ResultCode::INCOMPATIBLE_TYPE),
    }
}

/// Executes an operation that changes the bin or creates it (`as_bin_cdt_modify_tr()`).
pub fn modify(bin: Option<&Particle>, bytes: &[u8]) -> Outcome<Change> {
    let operation = parse(bytes)?;
    let mut value = match bin {
        None => None,
        Some(Particle::Bytes(particle::LIST | particle::MAP, data)) => {
            Some(Value::from_bytes(data)?)
        }
        Some(_) if operation.context.is_some() => return Err(ResultCode::PARAMETER),
        Some(_) => return Err(ResultCode::INCOMPATIBLE_TYPE),
    };
    let effect = modify_value_op(&mut value, &operation)?;
    // An operation without effect still creates an empty list or map in a missing bin, but not with a context.
    let is_kept = effect.changed || (bin.is_none() && operation.context.is_none());
    Ok(Change {
        value: if is_kept {
            value.and_then(into_particle)
        } else {
            None
        },
        result: effect.result.and_then(into_particle),
    })
}

fn modify_value_op(value: &mut Option<Value>, operation: &Operation) -> Outcome<Effect> {
    let has_bin = value.is_some();
    match &operation.context {
        Some(context) => context.change(value, &mut |place| match place {
            // A sort does not create a list. But the bin must exist.
            None if has_bin && operation.code == SORT => Effect::nothing(),
            place => modify_value(place, operation),
        }),
        None => modify_value(value, operation),
    }
}

fn modify_value(place: &mut Option<Value>, operation: &Operation) -> Outcome<Effect> {
    let (code, args) = (operation.code, &operation.args);
    match place {
        None if operation.is_list_op() => list::modify_missing(place, code, args),
        None => map::modify_missing(place, code, args),
        Some(Value::List(list)) if operation.is_list_op() => list::modify(list, code, args),
        Some(Value::Map(map)) if !operation.is_list_op() => map::modify(map, code, args),
        Some(_) => Err(ResultCode::INCOMPATIBLE_TYPE),
    }
}
