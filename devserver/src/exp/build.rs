//! Builds a checked tree from msgpack: all codes must be known, and all arguments must have the right types (the
//! `build_*()` of `as/src/base/exp.c`).

use regex::bytes::Regex;

use super::codes::{self as code, CALL_CDT, CALL_MODIFY};
use super::posix_regex;
use super::types::{Type, signature};
use crate::storage::record::BinName;
use crate::wire::msgpack::Value;
use crate::wire::result::{Outcome, ResultCode};

/// Longest expression, in bytes (`EXP_MAX_SIZE`).
pub const MAX_SIZE: usize = 1024 * 1024;

/// A checked expression.
pub enum Node {
    Literal(Value),
    /// The value "unknown".
    Unknown,
    Remove,
    /// A code of [`super::codes`] with expressions as arguments.
    Apply(i64, Vec<Node>),
    /// A code of [`super::codes`] for metadata of the record, and its number, if it has one.
    Meta(i64, i64),
    Key(Type),
    Bin(Type, Vec<u8>),
    BinType(Vec<u8>),
    /// Conditions with their results, and the result if none is true.
    Cond(Vec<(Node, Node)>, Box<Node>),
    /// The variable of this number.
    Var(usize),
    /// The number of the first variable, the values of the variables, and the expression that uses them.
    Let(usize, Vec<Node>, Box<Node>),
    /// A regular expression, and the text to match.
    Match(Box<Regex>, Box<Node>),
    Call(Box<Call>),
}

/// An operation on a list or map.
pub struct Call {
    pub returns: Type,
    pub is_modify: bool,
    pub code: u64,
    pub args: Vec<Node>,
    pub context: Option<Vec<Value>>,
    pub target: Node,
}

/// The variables in scope: their names and types.
type Scope = Vec<(Vec<u8>, Type)>;

/// Checks an expression, and returns it with its type.
pub fn build(value: Value) -> Outcome<(Node, Type)> {
    Builder {
        scope: Scope::new(),
    }
    .node(value)
}

struct Builder {
    scope: Scope,
}

const INVALID: ResultCode = ResultCode::PARAMETER;

impl Builder {
    fn node(&mut self, value: Value) -> Outcome<(Node, Type)> {
        let Value::List(list) = value else {
            let kind = Type::of(&value).ok_or(INVALID)?;
            return Ok((Node::Literal(value), kind));
        };
        let mut args = list.items.into_iter();
        let Some(Value::Int(code)) = args.next() else {
            return Err(INVALID);
        };
        let args: Vec<Value> = args.collect();
        match code {
            code::QUOTE => match take(args)? {
                [list @ Value::List(_)] => Ok((Node::Literal(list), Type::List)),
                _ => Err(INVALID),
            },
            code::UNKNOWN if args.is_empty() => Ok((Node::Unknown, Type::Bool)),
            code::REMOVE if args.is_empty() => Ok((Node::Remove, Type::Remove)),
            code::DIGEST_MODULO..=code::RECORD_SIZE => meta(code, &args),
            code::KEY => {
                let [kind] = take(args)?;
                let kind = Type::from_code(&kind)?;
                if matches!(kind, Type::Int | Type::Text | Type::Blob) {
                    Ok((Node::Key(kind), kind))
                } else {
                    Err(INVALID)
                }
            }
            code::BIN => {
                let [kind, name] = take(args)?;
                let kind = Type::from_code(&kind)?;
                Ok((Node::Bin(kind, bin_name(name)?), kind))
            }
            code::BIN_TYPE => {
                let [name] = take(args)?;
                Ok((Node::BinType(bin_name(name)?), Type::Int))
            }
            code::REGEX => {
                let [Value::Int(options), Value::Bytes(pattern), text] = take(args)? else {
                    return Err(INVALID);
                };
                match self.node(text)? {
                    (text, Type::Text) => {
                        let regex = posix_regex::compile(&pattern, options)?;
                        Ok((Node::Match(Box::new(regex), Box::new(text)), Type::Bool))
                    }
                    _ => Err(INVALID),
                }
            }
            code::COND => self.cond(args),
            code::LET => self.define(args),
            code::VAR => {
                let [Value::Bytes(name)] = take(args)? else {
                    return Err(INVALID);
                };
                let at = self
                    .scope
                    .iter()
                    .position(|(other, _)| *other == name)
                    .ok_or(INVALID)?;
                let kind = self.scope.get(at).ok_or(INVALID)?.1;
                Ok((Node::Var(at), kind))
            }
            code::CALL => self.call(args),
            code => self.apply(code, args),
        }
    }

    /// Builds a code with expressions as arguments.
    fn apply(&mut self, code: i64, args: Vec<Value>) -> Outcome<(Node, Type)> {
        let mut nodes = Vec::with_capacity(args.len());
        let mut types = Vec::with_capacity(args.len());
        for arg in args {
            let (node, kind) = self.node(arg)?;
            nodes.push(node);
            types.push(kind);
        }
        let returns = signature(code, &types).ok_or(INVALID)?;
        Ok((Node::Apply(code, nodes), returns))
    }

    fn cond(&mut self, args: Vec<Value>) -> Outcome<(Node, Type)> {
        if args.len() < 3 || args.len().is_multiple_of(2) {
            return Err(INVALID);
        }
        let mut args = args.into_iter();
        let mut cases = Vec::new();
        let mut kind: Option<Type> = None;
        // "Unknown" matches any type.
        let mut agree = |node: &Node, found: Type| match kind {
            _ if matches!(node, Node::Unknown) => Ok(()),
            None => {
                kind = Some(found);
                Ok(())
            }
            Some(kind) if kind == found => Ok(()),
            Some(_) => Err(INVALID),
        };
        let mut next = args.next().ok_or(INVALID)?;
        while let Some(result) = args.next() {
            let (condition, condition_type) = self.node(next)?;
            if condition_type != Type::Bool {
                return Err(INVALID);
            }
            let (result, result_type) = self.node(result)?;
            agree(&result, result_type)?;
            cases.push((condition, result));
            next = args.next().ok_or(INVALID)?;
        }
        let (last, last_type) = self.node(next)?;
        agree(&last, last_type)?;
        Ok((Node::Cond(cases, Box::new(last)), kind.unwrap_or(last_type)))
    }

    fn define(&mut self, args: Vec<Value>) -> Outcome<(Node, Type)> {
        if args.len() < 3 || args.len().is_multiple_of(2) {
            return Err(INVALID);
        }
        let first = self.scope.len();
        let mut args = args.into_iter();
        let mut values = Vec::new();
        let mut next = args.next().ok_or(INVALID)?;
        while let Some(value) = args.next() {
            let Value::Bytes(name) = next else {
                return Err(INVALID);
            };
            let starts_well = name
                .first()
                .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
            let is_plain = name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            if !starts_well || !is_plain || self.scope.iter().any(|(other, _)| *other == name) {
                return Err(INVALID);
            }
            let (value, kind) = self.node(value)?;
            values.push(value);
            self.scope.push((name, kind));
            next = args.next().ok_or(INVALID)?;
        }
        let (body, kind) = self.node(next)?;
        self.scope.truncate(first);
        Ok((Node::Let(first, values, Box::new(body)), kind))
    }

    /// Builds `[type, system, [code, args...], target]` or, with a context, `[type, system, [0xff, context, [code,
    /// args...]], target]`.
    fn call(&mut self, args: Vec<Value>) -> Outcome<(Node, Type)> {
        let [returns, Value::Int(system), Value::List(operation), target] = take(args)? else {
            return Err(INVALID);
        };
        let returns = Type::from_code(&returns)?;
        let (target, target_type) = self.node(target)?;
        if system & !CALL_MODIFY != CALL_CDT || !matches!(target_type, Type::List | Type::Map) {
            return Err(INVALID);
        }
        let mut items = operation.items.into_iter();
        let mut code = items.next();
        let mut context = None;
        if code == Some(Value::Int(0xff)) {
            let (Some(Value::List(path)), Some(Value::List(inner)), None) =
                (items.next(), items.next(), items.next())
            else {
                return Err(INVALID);
            };
            context = Some(path.items);
            items = inner.items.into_iter();
            code = items.next();
        }
        let Some(Value::Int(code)) = code else {
            return Err(INVALID);
        };
        let args = items
            .map(|item| self.argument(item))
            .collect::<Outcome<Vec<Node>>>()?;
        let code = u64::try_from(code).map_err(|_| INVALID)?;
        let is_modify = system & CALL_MODIFY != 0;
        Ok((
            Node::Call(Box::new(Call {
                returns,
                is_modify,
                code,
                args,
                context,
                target,
            })),
            returns,
        ))
    }

    /// Builds an argument of a call. A list is an expression; anything else, including wildcards, is a literal.
    fn argument(&mut self, value: Value) -> Outcome<Node> {
        match value {
            list @ Value::List(_) => self.node(list).map(|(node, _)| node),
            literal => Ok(Node::Literal(literal)),
        }
    }
}

fn take<const N: usize>(args: Vec<Value>) -> Outcome<[Value; N]> {
    args.try_into().map_err(|_| INVALID)
}

fn bin_name(name: Value) -> Outcome<Vec<u8>> {
    match name {
        Value::Bytes(name) if BinName::new(&name).is_ok() => Ok(name),
        _ => Err(INVALID),
    }
}

fn meta(code: i64, args: &[Value]) -> Outcome<(Node, Type)> {
    let kind = match code {
        code::SET_NAME => Type::Text,
        code::KEY_EXISTS | code::IS_TOMBSTONE => Type::Bool,
        _ => Type::Int,
    };
    match (code, args) {
        (code::DIGEST_MODULO, [Value::Int(modulus)])
            if *modulus != 0 && i32::try_from(*modulus).is_ok() =>
        {
            Ok((Node::Meta(code, *modulus), kind))
        }
        (code::DIGEST_MODULO, _) => Err(INVALID),
        (_, []) => Ok((Node::Meta(code, 0), kind)),
        _ => Err(INVALID),
    }
}
