//! Operations on maps. Source: `cdt_process_state_packed_map_{modify,read}_optype()` in `as/src/base/particle_map.c`.

use super::args::Args;
use super::codes::{PERSIST_INDEX, map as code, map_write};
use super::effect::Effect;
use super::increment;
use super::map_select::{is_removal, parse_selection};
use super::results;
use super::select::Elements;
use crate::wire::msgpack::{Map, ORDERED, VALUE_ORDERED, Value};
use crate::wire::result::{Outcome, ResultCode};

/// How a put treats existing and missing keys.
struct Policy {
    overwrite: bool,
    create: bool,
    no_fail: bool,
    partial: bool,
}

impl Policy {
    const ADD: Policy = Policy {
        overwrite: false,
        create: true,
        no_fail: false,
        partial: false,
    };
    const REPLACE: Policy = Policy {
        overwrite: true,
        create: false,
        no_fail: false,
        partial: false,
    };

    fn from_flags(flags: u64) -> Policy {
        Policy {
            overwrite: flags & map_write::NO_OVERWRITE == 0,
            create: flags & map_write::NO_CREATE == 0,
            no_fail: flags & map_write::NO_FAIL != 0,
            partial: flags & map_write::DO_PARTIAL != 0,
        }
    }

    /// Whether this policy allows to write the key.
    ///
    /// # Errors
    /// The error, unless the policy ignores it.
    fn admits(&self, exists: bool) -> Outcome<bool> {
        let refusal = match exists {
            true if !self.overwrite => ResultCode::ELEMENT_EXISTS,
            false if !self.create => ResultCode::ELEMENT_NOT_FOUND,
            _ => return Ok(true),
        };
        if self.no_fail {
            Ok(false)
        } else {
            Err(refusal)
        }
    }
}

/// Executes an operation that reads.
pub fn read(map: &Map, code: u64, args: &Args) -> Outcome<Option<Value>> {
    if code == code::SIZE {
        return Ok(Some(size(map)));
    }
    let request = parse_selection(code, args)?.ok_or(ResultCode::PARAMETER)?;
    if is_removal(code) {
        return Err(ResultCode::PARAMETER);
    }
    results::run(&Elements::of_map(map), &request).map(|(_, result)| result)
}

/// Executes an operation that changes a missing bin or element. Operations that put create it, in the order that they
/// name.
pub fn modify_missing(place: &mut Option<Value>, code: u64, args: &Args) -> Outcome<Effect> {
    let order_argument = match code {
        code::SET_TYPE | code::REPLACE => None,
        code::ADD | code::PUT | code::INCREMENT | code::DECREMENT => Some(2),
        code::ADD_ITEMS | code::PUT_ITEMS => Some(1),
        code::REPLACE_ITEMS => return Err(ResultCode::ELEMENT_NOT_FOUND),
        code::CLEAR => return Effect::nothing(),
        _ if is_removal(code) => return Effect::nothing(),
        _ => return Err(ResultCode::PARAMETER),
    };
    let flags = order_argument.map_or(Ok(0), |at| args.unsigned(at, 0))?;
    let mut map = Map {
        flags: order_flags(flags),
        pairs: Vec::new(),
    };
    let effect = modify(&mut map, code, args)?;
    *place = Some(Value::Map(map));
    Ok(effect)
}

/// Executes an operation that changes a map.
pub fn modify(map: &mut Map, code: u64, args: &Args) -> Outcome<Effect> {
    match code {
        code::SET_TYPE => {
            args.check(1, 1)?;
            let flags = args.unsigned(0, 0)?;
            if flags & !(u64::from(ORDERED | VALUE_ORDERED) | PERSIST_INDEX) != 0 {
                return Err(ResultCode::OP_NOT_APPLICABLE);
            }
            map.flags = (flags & !PERSIST_INDEX) as u8;
            Effect::changed(None)
        }
        code::ADD => {
            args.check(2, 3)?;
            put(map, args, &Policy::ADD)
        }
        code::PUT => {
            args.check(2, 4)?;
            put(map, args, &Policy::from_flags(args.unsigned(3, 0)?))
        }
        code::REPLACE => {
            args.check(2, 2)?;
            put(map, args, &Policy::REPLACE)
        }
        code::ADD_ITEMS => {
            args.check(1, 2)?;
            put_items(map, args, &Policy::ADD)
        }
        code::PUT_ITEMS => {
            args.check(1, 3)?;
            put_items(map, args, &Policy::from_flags(args.unsigned(2, 0)?))
        }
        code::REPLACE_ITEMS => {
            args.check(1, 1)?;
            put_items(map, args, &Policy::REPLACE)
        }
        code::INCREMENT | code::DECREMENT => {
            args.check(1, 3)?;
            increment(map, args, code == code::DECREMENT)
        }
        code::CLEAR => {
            map.pairs.clear();
            Effect::changed(None)
        }
        _ if is_removal(code) => {
            let request = parse_selection(code, args)?.ok_or(ResultCode::PARAMETER)?;
            let (mut indexes, result) = results::run(&Elements::of_map(map), &request)?;
            super::list::remove_indexes(&mut map.pairs, &mut indexes);
            Effect::changed(result)
        }
        _ => Err(ResultCode::PARAMETER),
    }
}

/// Returns the order of a new map (`map_flags_to_static_ix()`): 0 none, 1 keys, 3 keys and values.
fn order_flags(flags: u64) -> u8 {
    match flags & u64::from(ORDERED | VALUE_ORDERED) {
        0 => 0,
        1 => ORDERED,
        _ => ORDERED | VALUE_ORDERED,
    }
}

fn size(map: &Map) -> Value {
    Value::Int(map.pairs.len() as i64)
}

fn find(map: &Map, key: &Value) -> Result<usize, usize> {
    map.pairs.binary_search_by(|(other, _)| other.compare(key))
}

fn write(map: &mut Map, key: &Value, value: &Value) {
    match find(map, key) {
        Ok(at) => {
            if let Some(pair) = map.pairs.get_mut(at) {
                pair.1 = value.clone();
            }
        }
        Err(at) => map.pairs.insert(at, (key.clone(), value.clone())),
    }
}

fn put(map: &mut Map, args: &Args, policy: &Policy) -> Outcome<Effect> {
    let (key, value) = (args.storable(0)?, args.storable(1)?);
    if !key.is_key() {
        return Err(ResultCode::PARAMETER);
    }
    if !policy.admits(find(map, key).is_ok())? {
        return Effect::unchanged(Some(size(map)));
    }
    write(map, key, value);
    Effect::changed(Some(size(map)))
}

fn put_items(map: &mut Map, args: &Args, policy: &Policy) -> Outcome<Effect> {
    let Value::Map(items) = args.storable(0)? else {
        return Err(ResultCode::PARAMETER);
    };
    // In an empty map, NO_CREATE with NO_FAIL and DO_PARTIAL still creates (`map_add_items_ordered()`).
    let is_overruled = map.pairs.is_empty() && policy.no_fail && policy.partial;
    let mut admitted = Vec::with_capacity(items.pairs.len());
    for (key, value) in &items.pairs {
        if is_overruled || policy.admits(find(map, key).is_ok())? {
            admitted.push((key, value));
        } else if !policy.partial {
            // NO_FAIL without DO_PARTIAL: nothing is written.
            return Effect::unchanged(Some(size(map)));
        }
    }
    if map.pairs.is_empty() {
        map.pairs = admitted
            .into_iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
    } else {
        admitted
            .into_iter()
            .for_each(|(key, value)| write(map, key, value));
    }
    Effect::changed(Some(size(map)))
}

/// Adds to a value, or puts the delta if there is none. Returns the sum.
fn increment(map: &mut Map, args: &Args, is_decrement: bool) -> Outcome<Effect> {
    let key = args.value(0)?;
    let old = find(map, key)
        .ok()
        .and_then(|at| map.pairs.get(at))
        .map(|(_, value)| value);
    let sum = increment::add(old, args.optional_value(1), is_decrement)?;
    if !key.is_key() {
        return Err(ResultCode::PARAMETER);
    }
    write(map, key, &sum);
    Effect::changed(Some(sum))
}
