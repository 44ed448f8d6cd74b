//! Operations on lists. Source: `cdt_process_state_packed_list_{modify,read}_optype()` in `as/src/base/particle_list.c`.

use super::args::Args;
use super::codes::{PERSIST_INDEX, list as code, list_write, sort};
use super::effect::Effect;
use super::increment;
use super::list_select::{is_removal, parse_selection};
use super::results;
use super::select::Elements;
use crate::wire::msgpack::{List, MAX_BYTES, ORDERED, Value};
use crate::wire::result::{Outcome, ResultCode};

/// Maximum number of items, and largest index.
const MAX_ITEMS: usize = i32::MAX as usize;

/// Executes an operation that reads.
pub fn read(list: &List, code: u64, args: &Args) -> Outcome<Option<Value>> {
    if code == code::SIZE {
        return Ok(Some(size(list)));
    }
    let request = parse_selection(code, args)?.ok_or(ResultCode::PARAMETER)?;
    if is_removal(code) {
        return Err(ResultCode::PARAMETER);
    }
    results::run(&Elements::of_list(list), &request).map(|(_, result)| result)
}

/// Executes an operation that changes a missing bin or element. Operations that add create it.
pub fn modify_missing(place: &mut Option<Value>, code: u64, args: &Args) -> Outcome<Effect> {
    let order_argument = match code {
        code::SET_TYPE | code::INSERT | code::INSERT_ITEMS | code::SET => None,
        code::APPEND | code::APPEND_ITEMS => Some(1),
        code::INCREMENT => Some(2),
        code::SORT => return Err(ResultCode::INCOMPATIBLE_TYPE),
        code::CLEAR => return Effect::nothing(),
        _ if is_removal(code) => return Effect::nothing(),
        _ => return Err(ResultCode::PARAMETER),
    };
    let flags = order_argument.map_or(Ok(0), |at| args.unsigned(at, 0))?;
    let mut list = List {
        flags: flags as u8 & ORDERED,
        items: Vec::new(),
    };
    let effect = modify(&mut list, code, args)?;
    *place = Some(Value::List(list));
    Ok(effect)
}

/// Executes an operation that changes a list.
pub fn modify(list: &mut List, code: u64, args: &Args) -> Outcome<Effect> {
    match code {
        code::SET_TYPE => {
            args.check(1, 1)?;
            let flags = args.unsigned(0, 0)?;
            if flags & !(u64::from(ORDERED) | PERSIST_INDEX) != 0 {
                return Err(ResultCode::OP_NOT_APPLICABLE);
            }
            list.flags = (flags & !PERSIST_INDEX) as u8;
            restore_order(list);
            Effect::changed(None)
        }
        code::APPEND => {
            args.check(1, 3)?;
            append(
                list,
                std::slice::from_ref(args.storable(0)?),
                args.unsigned(2, 0)? & !list_write::DO_PARTIAL,
            )
        }
        code::APPEND_ITEMS => {
            args.check(1, 3)?;
            append(list, args.storable_items(0)?, args.unsigned(2, 0)?)
        }
        code::INSERT | code::INSERT_ITEMS if list.is_ordered() => {
            Err(ResultCode::OP_NOT_APPLICABLE)
        }
        code::INSERT => {
            args.check(2, 3)?;
            insert(
                list,
                args.index(0)?,
                std::slice::from_ref(args.storable(1)?),
                args.unsigned(2, 0)? & !list_write::DO_PARTIAL,
            )
        }
        code::INSERT_ITEMS => {
            args.check(2, 3)?;
            insert(
                list,
                args.index(0)?,
                args.storable_items(1)?,
                args.unsigned(2, 0)?,
            )
        }
        code::SET if list.is_ordered() => Err(ResultCode::OP_NOT_APPLICABLE),
        code::SET => {
            args.check(2, 3)?;
            let changed = set(
                list,
                args.index(0)?,
                args.storable(1)?,
                args.unsigned(2, 0)?,
            )?;
            Ok(Effect {
                changed,
                result: None,
            })
        }
        code::CLEAR => {
            list.items.clear();
            Effect::changed(None)
        }
        code::INCREMENT => {
            args.check(1, 4)?;
            increment(list, args)
        }
        code::SORT => {
            args.check(0, 1)?;
            sort(list, args.unsigned(0, 0)?)?;
            Effect::changed(None)
        }
        _ if is_removal(code) => {
            let request = parse_selection(code, args)?.ok_or(ResultCode::PARAMETER)?;
            let (mut indexes, result) = results::run(&Elements::of_list(list), &request)?;
            remove_indexes(&mut list.items, &mut indexes);
            Effect::changed(result)
        }
        _ => Err(ResultCode::PARAMETER),
    }
}

/// Removes the elements at these indexes, which may be in any order.
pub fn remove_indexes<T>(items: &mut Vec<T>, indexes: &mut [usize]) {
    indexes.sort_unstable();
    let mut at = 0;
    items.retain(|_| {
        at += 1;
        indexes.binary_search(&(at - 1)).is_err()
    });
}

/// Sorts an ordered list after an element was changed.
pub fn restore_order(list: &mut List) {
    if list.is_ordered() {
        list.items.sort_by(Value::compare);
    }
}

fn size(list: &List) -> Value {
    Value::Int(list.items.len() as i64)
}

/// Converts an index that may count from the end. One before the first element is OP_NOT_APPLICABLE.
fn absolute(list: &List, index: i64) -> Outcome<usize> {
    let index = if index < 0 {
        index.saturating_add(list.items.len() as i64)
    } else {
        index
    };
    let index = usize::try_from(index).map_err(|_| ResultCode::OP_NOT_APPLICABLE)?;
    if index > MAX_ITEMS {
        return Err(ResultCode::OP_NOT_APPLICABLE);
    }
    Ok(index)
}

/// Returns the items that may be added, if items must be unique. `None`: nothing is added, without an error.
///
/// The error for a duplicate among the items differs from that for an item that is in the list already. `DO_PARTIAL`
/// only counts with `NO_FAIL`, and a single item is never left out (`mod_flags_is_do_partial()`,
/// `packed_list_insert()`, `packed_list_add_items_ordered()`).
fn admit<'v>(list: &List, items: &'v [Value], flags: u64) -> Outcome<Option<Vec<&'v Value>>> {
    if flags & list_write::ADD_UNIQUE == 0 {
        return Ok(Some(items.iter().collect()));
    }
    let no_fail = flags & list_write::NO_FAIL != 0;
    let partial = no_fail && flags & list_write::DO_PARTIAL != 0;
    let refuse = |code| if no_fail { Ok(None) } else { Err(code) };
    let mut admitted: Vec<&Value> = Vec::with_capacity(items.len());
    for item in items {
        let is_equal = |other: &&Value| other.compare(item).is_eq();
        if list.items.iter().any(|other| is_equal(&other)) {
            if !partial {
                return refuse(ResultCode::ELEMENT_EXISTS);
            }
        } else if !admitted.iter().any(is_equal) {
            admitted.push(item);
        } else if !partial {
            return refuse(ResultCode::OP_NOT_APPLICABLE);
        }
    }
    if admitted.is_empty() && !list.is_ordered() {
        return refuse(ResultCode::ELEMENT_EXISTS);
    }
    Ok(Some(admitted))
}

fn append(list: &mut List, items: &[Value], flags: u64) -> Outcome<Effect> {
    if !list.is_ordered() {
        let end = list.items.len() as i64;
        return insert(list, end, items, flags);
    }
    let Some(admitted) = admit(list, items, flags)? else {
        return Effect::unchanged(Some(size(list)));
    };
    list.items.extend(admitted.into_iter().cloned());
    restore_order(list);
    Effect::changed(Some(size(list)))
}

/// Inserts into an unordered list. A gap after the end is filled with nils (`packed_list_insert()`).
fn insert(list: &mut List, index: i64, items: &[Value], flags: u64) -> Outcome<Effect> {
    if items.is_empty() {
        return Effect::changed(Some(size(list)));
    }
    let index = absolute(list, index)?;
    if flags & list_write::INSERT_BOUNDED != 0 && index > list.items.len() {
        if flags & list_write::NO_FAIL != 0 {
            return Effect::unchanged(Some(size(list)));
        }
        return Err(ResultCode::OP_NOT_APPLICABLE);
    }
    let Some(admitted) = admit(list, items, flags)? else {
        return Effect::unchanged(Some(size(list)));
    };
    if index >= list.items.len() {
        match index.saturating_add(admitted.len()) {
            // The limit of `packed_list_op_insert()`.
            len if len >= MAX_ITEMS => return Err(ResultCode::PARAMETER),
            // A list padded this far does not fit into any record.
            len if len > MAX_BYTES => return Err(ResultCode::RECORD_TOO_BIG),
            _ => list.items.resize(index, Value::Nil),
        }
    }
    list.items
        .splice(index..index, admitted.into_iter().cloned());
    Effect::changed(Some(size(list)))
}

/// Replaces an element, or inserts after the end. Returns whether it did.
fn set(list: &mut List, index: i64, value: &Value, flags: u64) -> Outcome<bool> {
    let index = absolute(list, index)?;
    if index >= list.items.len() {
        return insert(list, index as i64, std::slice::from_ref(value), flags)
            .map(|effect| effect.changed);
    }
    let is_double = |(at, other): (usize, &Value)| at != index && other.compare(value).is_eq();
    if flags & list_write::ADD_UNIQUE != 0 && list.items.iter().enumerate().any(is_double) {
        return if flags & list_write::NO_FAIL != 0 {
            Ok(false)
        } else {
            Err(ResultCode::ELEMENT_EXISTS)
        };
    }
    if let Some(slot) = list.items.get_mut(index) {
        *slot = value.clone();
    }
    Ok(true)
}

/// Adds to an element. Returns the sum.
fn increment(list: &mut List, args: &Args) -> Outcome<Effect> {
    let index = absolute(list, args.index(0)?)?;
    let flags = args.unsigned(3, 0)?;
    let sum = increment::add(list.items.get(index), args.optional_value(1), false)?;
    if !list.is_ordered() {
        let changed = set(list, index as i64, &sum, flags)?;
        return Ok(Effect {
            changed,
            result: Some(sum),
        });
    }
    // In an ordered list, the sum is sorted in (`packed_list_replace_ordered()`).
    if index > list.items.len() {
        return Err(ResultCode::OP_NOT_APPLICABLE);
    }
    let is_equal = |item: &Value| item.compare(&sum).is_eq();
    if flags & list_write::ADD_UNIQUE != 0 && list.items.iter().any(is_equal) {
        let is_itself = list.items.iter().position(is_equal) == Some(index);
        if !is_itself && flags & list_write::NO_FAIL == 0 {
            return Err(ResultCode::ELEMENT_EXISTS);
        }
        return Effect::unchanged(Some(sum));
    }
    match list.items.get_mut(index) {
        Some(slot) => *slot = sum.clone(),
        None => list.items.push(sum.clone()),
    }
    restore_order(list);
    Effect::changed(Some(sum))
}

fn sort(list: &mut List, flags: u64) -> Outcome<()> {
    let is_descending = flags & sort::DESCENDING != 0 && !list.is_ordered();
    if list.items.len() <= 1 {
        return Ok(());
    }
    list.items.sort_by(|left, right| {
        if is_descending {
            right.compare(left)
        } else {
            left.compare(right)
        }
    });
    if flags & sort::DROP_DUPLICATES != 0 {
        // The server looks for duplicates in ascending order only (`order_index_sorted_mark_dup_eles()`).
        if is_descending
            && list
                .items
                .windows(2)
                .any(|pair| matches!(pair, [left, right] if left.compare(right).is_gt()))
        {
            return Err(ResultCode::PARAMETER);
        }
        list.items
            .dedup_by(|left, right| left.compare(right).is_eq());
    }
    Ok(())
}
