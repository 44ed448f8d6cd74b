//! Expressions: filters sent with a command, and the operations that read or write what an expression comes to.
//!
//! An expression is msgpack: a literal, or a list of a code and its arguments. It is checked as a whole, types
//! included, before anything is evaluated; what is wrong, or not known here, is [`ResultCode::PARAMETER`].
//! Source: `as/src/base/exp.c`. Not made: geography, HyperLogLog and bit operations.
//!
//! | file | what |
//! |---|---|
//! | [`codes`] | the codes of expressions and types |
//! | [`build`] | from msgpack to a checked tree |
//! | [`types`] | the types of expressions |
//! | [`eval`] | from a tree and a record to a value |
//! | [`compare`] | which of two values is greater, if that can be told |
//! | [`math`] | numbers |
//! | [`pattern`] | regular expressions |
//! | [`op`] | the two operations |

mod build;
mod codes;
mod compare;
mod eval;
mod math;
pub mod op;
mod pattern;
mod types;

use crate::storage::namespace::Namespace;
use crate::storage::record::{Digest, Record};
use crate::wire::msgpack::Value;
use crate::wire::result::{Outcome, ResultCode};
use build::Node;
use types::Type;

/// Longest expression, in bytes (`EXP_MAX_SIZE`).
const MAX_SIZE: usize = 1024 * 1024;

/// A record and what is known about it: what an expression is evaluated on.
pub struct View<'a> {
    pub namespace: &'a Namespace,
    pub digest: &'a Digest,
    pub record: &'a Record,
}

impl<'a> View<'a> {
    pub fn new(namespace: &'a Namespace, digest: &'a Digest, record: &'a Record) -> Self {
        View {
            namespace,
            digest,
            record,
        }
    }
}

/// A checked expression that comes to true or false.
pub struct Expression(Node);

impl Expression {
    /// Reads a filter.
    pub fn parse(bytes: &[u8]) -> Outcome<Expression> {
        let (node, kind) = parse(bytes)?;
        if kind == Type::Bool {
            Ok(Expression(node))
        } else {
            Err(ResultCode::PARAMETER)
        }
    }

    /// Whether the record passes. What cannot be told (a bin missing or of another type) does not pass.
    pub fn matches(&self, view: &View<'_>) -> bool {
        matches!(eval::run(&self.0, view), Some(Value::Bool(true)))
    }
}

fn parse(bytes: &[u8]) -> Outcome<(Node, Type)> {
    if bytes.len() > MAX_SIZE {
        return Err(ResultCode::PARAMETER);
    }
    let value = Value::from_bytes(bytes).map_err(|_| ResultCode::PARAMETER)?;
    build::build(value)
}
