//! Evaluates a tree on a record. `None` is "unknown": the bin is missing or has another type, or a division by zero.
//! An expression with an unknown part is unknown, except "and" and "or" if another part decides them (the `eval_*()`
//! of `as/src/base/exp.c`).

use super::build::{Call, Node};
use super::codes as code;
use super::types::Type;
use super::view::View;
use super::{compare, math, posix_regex};
use crate::cdt;
use crate::storage::clock;
use crate::wire::consts::particle;
use crate::wire::msgpack::{List, Value};

/// Evaluates an expression on a record.
pub fn run(node: &Node, view: &View<'_>) -> Option<Value> {
    Evaluation {
        view,
        vars: Vec::new(),
    }
    .eval(node)
}

struct Evaluation<'a> {
    view: &'a View<'a>,
    vars: Vec<Option<Value>>,
}

impl Evaluation<'_> {
    fn eval(&mut self, node: &Node) -> Option<Value> {
        match node {
            Node::Literal(value) => Some(value.clone()),
            Node::Unknown | Node::Remove => None,
            Node::Meta(code, number) => Some(self.meta(*code, *number)),
            Node::Key(kind) => {
                let key = self.view.record.key.as_deref()?;
                let value = match key {
                    [particle::INTEGER, digits @ ..] => {
                        Value::Int(i64::from_be_bytes(digits.try_into().ok()?))
                    }
                    bytes => Value::Bytes(bytes.to_vec()),
                };
                of_type(value, *kind)
            }
            Node::Bin(kind, name) => of_type(
                cdt::from_particle(self.view.record.bins.get(name)?).ok()?,
                *kind,
            ),
            Node::BinType(name) => {
                let kind = self
                    .view
                    .record
                    .bins
                    .get(name)
                    .map_or(particle::NULL, |value| value.kind());
                Some(Value::Int(i64::from(kind)))
            }
            Node::Cond(cases, last) => {
                for (condition, result) in cases {
                    match self.eval(condition)? {
                        Value::Bool(true) => return self.eval(result),
                        _ => continue,
                    }
                }
                self.eval(last)
            }
            Node::Let(first, values, body) => {
                for value in values {
                    let value = self.eval(value);
                    self.vars.push(value);
                }
                let result = self.eval(body);
                self.vars.truncate(*first);
                result
            }
            Node::Var(at) => self.vars.get(*at).cloned().flatten(),
            Node::Apply(code, args) => self.apply(*code, args),
            Node::Match(regex, text) => match self.eval(text)? {
                Value::Bytes(bytes) => {
                    let (_, text) = bytes.split_first()?;
                    Some(Value::Bool(posix_regex::is_match(regex, text)))
                }
                _ => None,
            },
            Node::Call(call) => self.call(call),
        }
    }

    fn apply(&mut self, code: i64, args: &[Node]) -> Option<Value> {
        match (code, args) {
            (code::AND, args) => self.logic(args, false),
            (code::OR, args) => self.logic(args, true),
            (code::EXCLUSIVE, args) => {
                // Exactly one is true, and none is unknown.
                let mut count = 0;
                for arg in args {
                    if self.eval(arg)? == Value::Bool(true) {
                        count += 1;
                    }
                    if count > 1 {
                        break;
                    }
                }
                Some(Value::Bool(count == 1))
            }
            (code::NOT, [arg]) => match self.eval(arg)? {
                Value::Bool(value) => Some(Value::Bool(!value)),
                _ => None,
            },
            (code::EQ..=code::LE, [left, right]) => {
                let order = compare::compare(&self.eval(left)?, &self.eval(right)?)?;
                Some(Value::Bool(match code {
                    code::EQ => order.is_eq(),
                    code::NE => order.is_ne(),
                    code::GT => order.is_gt(),
                    code::GE => order.is_ge(),
                    code::LT => order.is_lt(),
                    _ => order.is_le(),
                }))
            }
            (code::IN_LIST, [value, list]) => {
                let value = self.eval(value)?;
                match self.eval(list)? {
                    Value::List(list) => Some(Value::Bool(
                        list.items.iter().any(|item| item.compare(&value).is_eq()),
                    )),
                    _ => None,
                }
            }
            (code::MAP_KEYS | code::MAP_VALUES, [map]) => match self.eval(map)? {
                Value::Map(map) => {
                    let items = map
                        .pairs
                        .into_iter()
                        .map(|(key, value)| if code == code::MAP_KEYS { key } else { value });
                    Some(Value::List(List {
                        flags: 0,
                        items: items.collect(),
                    }))
                }
                _ => None,
            },
            (code::INT_LSCAN | code::INT_RSCAN, [number, bit]) => {
                let number = self.eval(number)?;
                let bit = self.eval(bit)? == Value::Bool(true);
                math::scan(&number, bit, code == code::INT_LSCAN)
            }
            (code, args) => {
                let values = args
                    .iter()
                    .map(|arg| self.eval(arg))
                    .collect::<Option<Vec<_>>>()?;
                math::apply(code, &values)
            }
        }
    }

    /// Evaluates "and", which the first false decides, or "or", which the first true decides, even if other parts are
    /// unknown.
    fn logic(&mut self, args: &[Node], decisive: bool) -> Option<Value> {
        let mut all_known = true;
        for arg in args {
            match self.eval(arg) {
                Some(Value::Bool(value)) if value == decisive => {
                    return Some(Value::Bool(decisive));
                }
                Some(_) => {}
                None => all_known = false,
            }
        }
        all_known.then_some(Value::Bool(!decisive))
    }

    fn call(&mut self, call: &Call) -> Option<Value> {
        let target = self.eval(&call.target)?;
        let args = call
            .args
            .iter()
            .map(|arg| self.eval(arg))
            .collect::<Option<Vec<_>>>()?;
        let result = cdt::call(
            target,
            call.code,
            args,
            call.context.clone(),
            call.is_modify,
        )
        .ok()??;
        of_type(result, call.returns)
    }

    fn meta(&self, code: i64, number: i64) -> Value {
        let (record, namespace) = (self.view.record, self.view.namespace);
        Value::Int(match code {
            code::DIGEST_MODULO => {
                let [.., a, b, c, d] = *self.view.digest;
                i64::from(u32::from_le_bytes([a, b, c, d])) % number
            }
            code::LAST_UPDATE => clock::to_unix_nanos(record.last_update),
            code::SINCE_UPDATE => clock::now_ms().saturating_sub(record.last_update) as i64,
            code::VOID_TIME if record.void_time == 0 => -1,
            code::VOID_TIME => clock::to_unix_nanos(u64::from(record.void_time) * 1000),
            code::TTL if record.void_time == 0 => -1,
            code::TTL => i64::from(record.void_time.saturating_sub(clock::now_seconds())),
            code::SET_NAME => {
                return Value::text(
                    namespace
                        .sets
                        .name(record.set_id)
                        .as_deref()
                        .unwrap_or_default(),
                );
            }
            code::KEY_EXISTS => return Value::Bool(record.key.is_some()),
            // Only the Enterprise Edition leaves tombstones.
            code::IS_TOMBSTONE => return Value::Bool(false),
            // A namespace in memory uses no device (`eval_meta_device_size()`).
            code::DEVICE_SIZE => 0,
            _ => record.stored_size(namespace.sets.name(record.set_id).as_deref()) as i64,
        })
    }
}

fn of_type(value: Value, kind: Type) -> Option<Value> {
    (Type::of(&value) == Some(kind)).then_some(value)
}
