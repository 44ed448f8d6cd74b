//! A filter expression: parsed once, then evaluated on records.

use super::build::{self, Node};
use super::eval;
use super::types::Type;
use super::view::View;
use crate::wire::msgpack::Value;
use crate::wire::result::{Outcome, ResultCode};

/// A checked expression that evaluates to true or false.
pub struct Expression(Node);

impl Expression {
    /// Parses a filter.
    pub fn parse(bytes: &[u8]) -> Outcome<Expression> {
        let (node, kind) = parse(bytes)?;
        if kind == Type::Bool {
            Ok(Expression(node))
        } else {
            Err(ResultCode::PARAMETER)
        }
    }

    /// Whether the record passes. It does not if the result is unknown (a bin is missing or has another type).
    pub fn matches(&self, view: &View<'_>) -> bool {
        matches!(eval::run(&self.0, view), Some(Value::Bool(true)))
    }
}

fn parse(bytes: &[u8]) -> Outcome<(Node, Type)> {
    if bytes.len() > build::MAX_SIZE {
        return Err(ResultCode::PARAMETER);
    }
    let value = Value::from_bytes(bytes).map_err(|_| ResultCode::PARAMETER)?;
    build::build(value)
}
