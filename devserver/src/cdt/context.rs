//! The context of an operation: the path to a nested list or map, as pairs of a code and a value, one for each step.
//! Source: `cdt_context_dig()` in `as/src/base/cdt.c`. A path that does not exist is
//! [`ResultCode::OP_NOT_APPLICABLE`].

use super::codes::context as code;
use super::effect::Effect;
use super::list::restore_order;
use super::select::{Elements, Selector};
use crate::wire::msgpack::{List, MAX_BYTES, MAX_DEPTH, Map, ORDERED, VALUE_ORDERED, Value};
use crate::wire::result::{Outcome, ResultCode};

const NO_SUCH_ELEMENT: ResultCode = ResultCode::OP_NOT_APPLICABLE;

/// One step of a path.
struct Step {
    code: u64,
    value: Value,
}

/// A path of at least one step.
pub struct Context(Vec<Step>);

impl Context {
    /// Parses a path. The codes of its steps are checked when it is followed.
    pub fn parse(items: Vec<Value>) -> Outcome<Context> {
        if items.is_empty() || !items.len().is_multiple_of(2) || items.len() / 2 > MAX_DEPTH {
            return Err(ResultCode::PARAMETER);
        }
        let mut steps = Vec::with_capacity(items.len() / 2);
        let mut items = items.into_iter();
        while let (Some(code), Some(value)) = (items.next(), items.next()) {
            let Value::Int(code) = code else {
                return Err(ResultCode::PARAMETER);
            };
            steps.push(Step {
                code: u64::try_from(code).map_err(|_| ResultCode::PARAMETER)?,
                value,
            });
        }
        Ok(Context(steps))
    }

    /// Follows the path, and returns the value at its end.
    pub fn find<'v>(&self, root: &'v Value) -> Outcome<&'v Value> {
        self.0.iter().try_fold(root, |value, step| {
            let index = step.index_in(value)?.ok_or(NO_SUCH_ELEMENT)?;
            match value {
                Value::List(list) => list.items.get(index),
                Value::Map(map) => map.pairs.get(index).map(|(_, value)| value),
                _ => None,
            }
            .ok_or(NO_SUCH_ELEMENT)
        })
    }

    /// Follows the path, creates missing elements if its steps allow it, and changes the value at its end.
    pub fn change(
        &self,
        root: &mut Option<Value>,
        change: &mut dyn FnMut(&mut Option<Value>) -> Outcome<Effect>,
    ) -> Outcome<Effect> {
        change_below(root, &self.0, change, false)
    }
}

/// Changes the value at the end of a path.
type ChangeFn<'f> = dyn FnMut(&mut Option<Value>) -> Outcome<Effect> + 'f;

/// `is_creating`: a step above creates its element, so everything below is new.
fn change_below(
    place: &mut Option<Value>,
    steps: &[Step],
    change: &mut ChangeFn<'_>,
    is_creating: bool,
) -> Outcome<Effect> {
    let Some((step, rest)) = steps.split_first() else {
        return change(place);
    };
    step.check()?;
    let container = match place {
        Some(container) => container,
        None => {
            // The new container stays only if something is put into it.
            let container = place.insert(step.new_container(is_creating)?);
            return step.create_below(container, rest, change, true);
        }
    };
    let found = step.index_in(container)?;
    let index = match found {
        Some(index) => index,
        None => return step.create_below(container, rest, change, false),
    };
    let slot = match container {
        Value::List(list) => list.items.get_mut(index),
        Value::Map(map) => map.pairs.get_mut(index).map(|(_, value)| value),
        _ => None,
    };
    let slot = slot.ok_or(NO_SUCH_ELEMENT)?;
    let mut inner = Some(std::mem::replace(slot, Value::Nil));
    let effect = change_below(&mut inner, rest, change, false)?;
    *slot = inner.unwrap_or(Value::Nil);
    if let Value::List(list) = container {
        restore_order(list);
    }
    Ok(effect)
}

impl Step {
    fn base(&self) -> u64 {
        self.code & code::BASE
    }

    fn creates(&self) -> bool {
        self.code & code::CREATE != 0
    }

    /// Checks the code: the kind of step must be known, and a step that creates must name list or map.
    fn check(&self) -> Outcome<()> {
        let says_type = self.code & (code::LIST | code::MAP) != 0;
        if self.base() > code::VALUE || (self.creates() && !says_type) {
            return Err(NO_SUCH_ELEMENT);
        }
        Ok(())
    }

    /// Returns the index of the element of this step, or `None` if there is none.
    fn index_in(&self, container: &Value) -> Outcome<Option<usize>> {
        self.check()?;
        let elements = match container {
            Value::List(list) if self.code & code::MAP == 0 => Elements::of_list(list),
            Value::Map(map) if self.code & code::LIST == 0 => Elements::of_map(map),
            _ => return Err(NO_SUCH_ELEMENT),
        };
        let selector = match (self.base(), &self.value) {
            (code::INDEX, Value::Int(index)) => Selector::Index(*index, 1),
            (code::RANK, Value::Int(rank)) => Selector::Rank(*rank, 1),
            (code::KEY, key) if elements.keys.is_some() => Selector::Key(key),
            (code::VALUE, value) => Selector::Value(value),
            _ => return Err(NO_SUCH_ELEMENT),
        };
        match elements.select(&selector, false, false) {
            Ok(selection) => Ok(selection.indexes.first().copied()),
            Err(ResultCode::OP_NOT_APPLICABLE) => Ok(None),
            Err(code) => Err(code),
        }
    }

    /// Creates the list or map for this step (`map_get_ext_flags()`, `list_get_ext_flags()`). Below a step that
    /// creates, a step need not have the flag (`cdt_context_count_create_sz()`).
    fn new_container(&self, is_creating: bool) -> Outcome<Value> {
        if !self.creates() && !is_creating {
            return Err(NO_SUCH_ELEMENT);
        }
        let order = self.code & code::CREATE;
        match self.code & (code::BASE | code::LIST | code::MAP) {
            kind if kind == code::KEY | code::MAP => {
                let flags = match order {
                    code::CREATE_UNBOUND_OR_K_ORDERED => ORDERED,
                    code::CREATE_ORDERED => ORDERED | VALUE_ORDERED,
                    _ => 0,
                };
                Ok(Value::Map(Map {
                    flags,
                    pairs: Vec::new(),
                }))
            }
            kind if kind == code::INDEX | code::LIST => Ok(Value::List(List {
                flags: if order == code::CREATE_ORDERED {
                    ORDERED
                } else {
                    0
                },
                items: Vec::new(),
            })),
            _ => Err(NO_SUCH_ELEMENT),
        }
    }

    /// Returns the index at which the missing element will be created. Checks everything before anything below is
    /// changed.
    fn place_for_new(&self, container: &Value, is_creating: bool) -> Outcome<usize> {
        if !self.creates() && !is_creating {
            return Err(NO_SUCH_ELEMENT);
        }
        match (container, self.base(), &self.value) {
            (Value::Map(map), code::KEY, key) if key.is_key() => Ok(map
                .pairs
                .partition_point(|(other, _)| other.compare(key).is_lt())),
            (Value::List(list), code::INDEX, Value::Int(index)) => {
                let len = list.items.len();
                let index = if *index == -1 && len == 0 {
                    0
                } else {
                    usize::try_from(*index).map_err(|_| NO_SUCH_ELEMENT)?
                };
                if index <= len || list.is_ordered() {
                    return Ok(index.min(len));
                }
                // Only an unbounded list is padded with nils up to the new element.
                if self.code & code::CREATE == code::CREATE_UNBOUND_OR_K_ORDERED
                    && index <= MAX_BYTES
                {
                    Ok(index)
                } else {
                    Err(NO_SUCH_ELEMENT)
                }
            }
            _ => Err(NO_SUCH_ELEMENT),
        }
    }

    /// Creates the element of this step, if the step allows it, and continues below it.
    fn create_below(
        &self,
        container: &mut Value,
        rest: &[Step],
        change: &mut ChangeFn<'_>,
        is_creating: bool,
    ) -> Outcome<Effect> {
        let at = self.place_for_new(container, is_creating)?;
        let mut inner = None;
        let effect = change_below(&mut inner, rest, change, true)?;
        // If the operation does not create anything, as a removal, the element stays missing.
        let Some(inner) = inner.filter(|_| effect.changed) else {
            return Ok(effect);
        };
        match container {
            Value::Map(map) => map.pairs.insert(at, (self.value.clone(), inner)),
            Value::List(list) => {
                if at > list.items.len() {
                    list.items.resize(at, Value::Nil);
                }
                list.items.insert(at, inner);
                restore_order(list);
            }
            _ => return Err(NO_SUCH_ELEMENT),
        }
        Ok(effect)
    }
}
