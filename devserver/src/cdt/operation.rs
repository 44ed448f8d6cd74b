//! Parses an operation: its code, its arguments and its context.

use super::args::Args;
use super::codes::{FIRST_MAP_OP, OP_CONTEXT, OP_SELECT};
use super::context::Context;
use crate::wire::msgpack::Value;
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

/// A parsed operation.
pub struct Operation {
    pub code: u64,
    pub args: Args,
    pub context: Option<Context>,
}

impl Operation {
    pub fn is_list_op(&self) -> bool {
        self.code < FIRST_MAP_OP
    }
}

/// Parses an operation. Every error is [`ResultCode::PARAMETER`].
pub fn parse(bytes: &[u8]) -> Outcome<Operation> {
    if let [0, code, rest @ ..] = bytes {
        // The format of old clients: a 16-bit code (the high byte is 0), then the arguments as a list, if any.
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
