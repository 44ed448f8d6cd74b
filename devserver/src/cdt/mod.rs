//! Operations inside lists and maps ("complex data types").
//!
//! An operation is a msgpack list: a code and its arguments, or `[0xff, context, operation]`, where the context is a
//! path to a nested list or map. Lists and maps are stored packed; an operation takes the bin apart, works on the
//! values and packs them again. Source: `as/src/base/cdt.c`.
//!
//! | file | what |
//! |---|---|
//! | [`codes`] | the codes of operations, results and flags |
//! | [`args`] | the arguments of an operation |
//! | [`context`] | the way to a nested value |
//! | [`list`], [`map`] | the operations |
//! | [`list_select`], [`map_select`] | what an operation says about the elements it means |
//! | [`select`] | finds them: by index, rank, key, value |
//! | [`heap`] | the ranks of an unordered list, as the server's heap has them |
//! | [`answer`], [`value_list`] | what of them is returned |
//! | [`number`] | increments |

mod answer;
mod args;
mod codes;
mod context;
mod heap;
mod list;
mod list_select;
mod map;
mod map_select;
mod number;
mod select;
mod value_list;

use crate::wire::consts::particle;
use crate::wire::msgpack::Value;
use crate::wire::particle::Particle;
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};
use args::Args;
use codes::list::SORT;
use codes::{FIRST_MAP_OP, OP_CONTEXT, OP_SELECT};
use context::Context;

/// What an operation leaves behind.
#[derive(Debug)]
pub struct Change {
    /// The bin's new value; `None` = as it was.
    pub value: Option<Particle>,
    pub result: Option<Particle>,
}

/// What an operation on one list or map comes to.
struct Effect {
    /// Whether the value given was changed, or created.
    changed: bool,
    result: Option<Value>,
}

impl Effect {
    /// Nothing happens and nothing is returned: removing from a bin that is not there.
    fn nothing() -> Outcome<Effect> {
        Ok(Effect {
            changed: false,
            result: None,
        })
    }

    /// Nothing happens, but something is returned.
    fn unchanged(result: Option<Value>) -> Outcome<Effect> {
        Ok(Effect {
            changed: false,
            result,
        })
    }

    fn changed(result: Option<Value>) -> Outcome<Effect> {
        Ok(Effect {
            changed: true,
            result,
        })
    }
}

/// An operation taken apart.
struct Operation {
    code: u64,
    args: Args,
    context: Option<Context>,
}

impl Operation {
    fn is_list_op(&self) -> bool {
        self.code < FIRST_MAP_OP
    }
}

/// Runs an operation that reads (`as_bin_cdt_read_tr()`).
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

/// Runs an operation of an expression. One that changes the value returns the value it comes to.
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
        // Variables can be put into themselves again and again: what grows beyond any record is no value.
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

/// Runs an operation that changes the bin, or creates it (`as_bin_cdt_modify_tr()`).
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
    // An operation that found nothing to do still leaves an empty list or map where no bin was; not below a context.
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
            // A list that would be made for it has nothing to sort; but a bin there must be.
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

/// Takes an operation apart. Whatever is wrong with the bytes is [`ResultCode::PARAMETER`].
fn parse(bytes: &[u8]) -> Outcome<Operation> {
    if let [0, code, rest @ ..] = bytes {
        // The form of old clients: a 16-bit code (the high byte is 0), then the arguments as a list, if any.
        let args = if rest.is_empty() {
            Vec::new()
        } else {
            parse_list(rest)?
        };
        return Ok(Operation {
            code: u64::from(*code),
            args: Args::new(args),
            context: None,
        });
    }
    let mut items = parse_list(bytes)?.into_iter();
    match take_code(&mut items)? {
        OP_SELECT => Err(ResultCode::UNSUPPORTED_FEATURE),
        OP_CONTEXT => {
            let (Some(Value::List(path)), Some(Value::List(inner)), None) =
                (items.next(), items.next(), items.next())
            else {
                return Err(ResultCode::PARAMETER);
            };
            let mut inner = inner.items.into_iter();
            let code = take_code(&mut inner)?;
            Ok(Operation {
                code,
                args: Args::new(inner.collect()),
                context: Some(Context::parse(path.items)?),
            })
        }
        code => Ok(Operation {
            code,
            args: Args::new(items.collect()),
            context: None,
        }),
    }
}

fn parse_list(bytes: &[u8]) -> Outcome<Vec<Value>> {
    let mut reader = Reader::new(bytes);
    match Value::parse(&mut reader) {
        Ok(Value::List(list)) if reader.is_empty() => Ok(list.items),
        Err(ResultCode::RECORD_TOO_BIG) => Err(ResultCode::RECORD_TOO_BIG),
        _ => Err(ResultCode::PARAMETER),
    }
}

fn take_code(items: &mut impl Iterator<Item = Value>) -> Outcome<u64> {
    match items.next() {
        Some(Value::Int(code)) => u64::try_from(code).map_err(|_| ResultCode::PARAMETER),
        _ => Err(ResultCode::PARAMETER),
    }
}

/// A value as a bin holds it; nil is no value.
pub fn into_particle(value: Value) -> Option<Particle> {
    Some(match value {
        Value::Nil | Value::Wildcard | Value::Infinity | Value::Ext(..) => return None,
        Value::Bool(value) => Particle::Bool(value),
        Value::Int(value) => Particle::Int(value),
        Value::BigUint(value) => Particle::Int(value as i64),
        Value::Float(value) => Particle::Float(value),
        Value::Bytes(bytes) => match bytes.split_first() {
            Some((kind, data)) => Particle::Bytes(*kind, data.into()),
            None => Particle::Bytes(particle::BLOB, Vec::new().into()),
        },
        list @ Value::List(_) => Particle::Bytes(particle::LIST, list.to_bytes().into()),
        map @ Value::Map(_) => Particle::Bytes(particle::MAP, map.to_bytes().into()),
    })
}

/// A bin's value taken apart.
pub fn from_particle(value: &Particle) -> Outcome<Value> {
    Ok(match value {
        Particle::Int(value) => Value::Int(*value),
        Particle::Float(value) => Value::Float(*value),
        Particle::Bool(value) => Value::Bool(*value),
        Particle::Bytes(particle::LIST | particle::MAP, data) => Value::from_bytes(data)?,
        Particle::Bytes(kind, data) => Value::Bytes([&[*kind], &data[..]].concat()),
    })
}
