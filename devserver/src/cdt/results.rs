//! What an operation returns of the selected elements (`result_data_*()` in `as/src/base/cdt.c`).

use super::codes::result;
use super::positions::{from_numbers, from_runs, int, list};
use super::select::{Elements, Placement, Selection, Selector};
use super::value_list;
use crate::wire::msgpack::{Map, ORDERED, PRESERVE_ORDER, Value};
use crate::wire::result::{Outcome, ResultCode};

/// The request of an operation that selects elements.
pub struct Request<'a> {
    /// The argument with the kind of result and the flag that inverts the selection.
    pub result: u64,
    pub selector: Selector<'a>,
    /// Whether the operation selects any number of elements, and returns lists.
    pub is_multi: bool,
}

/// Selects elements and builds the result. Also returns the indexes of the elements, for operations that remove them.
pub fn run(elements: &Elements<'_>, request: &Request<'_>) -> Outcome<(Vec<usize>, Option<Value>)> {
    let inverted = request.result & result::INVERTED != 0;
    let kind = request.result & result::MASK;
    if inverted && elements.keys.is_none() && matches!(request.selector, Selector::ValueList([])) {
        // The inverse of an empty list of values selects all (`packed_list_get_remove_all_by_value_list()`).
        let all = Request {
            result: request.result & !result::INVERTED,
            selector: Selector::Index(0, elements.len() as u64),
            is_multi: true,
        };
        return run(elements, &all);
    }
    if matches!(request.selector, Selector::KeyList(_))
        && matches!(kind, result::RANK | result::REVERSE_RANK)
    {
        return Err(ResultCode::OP_NOT_APPLICABLE);
    }
    let mut selection = elements.select(&request.selector, request.is_multi, inverted)?;
    if let (Selector::KeyList(keys), false, result::INDEX | result::REVERSE_INDEX) =
        (&request.selector, inverted, kind)
    {
        // Indexes are returned in the order of the requested keys, values in the order of the map.
        selection.indexes = elements.indexes_of(keys);
    }
    let by_values = match request.selector {
        Selector::ValueList(asked) => {
            value_list::by_values(elements, asked, &selection, kind, inverted)
        }
        _ => None,
    };
    let result = match by_values {
        Some(result) => Some(result),
        None => build(elements, &selection, kind, request.is_multi)?,
    };
    Ok((selection.indexes, result))
}

fn build(
    elements: &Elements<'_>,
    selection: &Selection,
    kind: u64,
    is_multi: bool,
) -> Outcome<Option<Value>> {
    let count = selection.indexes.len();
    Ok(Some(match kind {
        result::NONE => return Ok(None),
        result::COUNT => int(count),
        // For an inverted selection, the server returns whether the excluded elements are none
        // (`result_data_set_index_rank_count()`).
        result::EXISTS => match selection.placement {
            Placement::AllButRanks(_, skipped) => Value::Bool(skipped == 0),
            _ => Value::Bool(count != 0),
        },
        result::INDEX | result::REVERSE_INDEX => {
            indexes(elements, selection, kind == result::REVERSE_INDEX, is_multi)
        }
        result::RANK | result::REVERSE_RANK => {
            ranks(elements, selection, kind == result::REVERSE_RANK, is_multi)
        }
        result::KEY => {
            let keys = elements
                .keys
                .as_ref()
                .ok_or(ResultCode::OP_NOT_APPLICABLE)?;
            return Ok(values(keys, selection, is_multi));
        }
        result::VALUE => return Ok(values(&elements.values, selection, is_multi)),
        result::KEY_VALUE_MAP => pairs(elements, selection, PRESERVE_ORDER)?,
        result::UNORDERED_MAP => pairs(elements, selection, 0)?,
        result::ORDERED_MAP => pairs(elements, selection, ORDERED)?,
        result::INDEX_RANGE
        | result::REVERSE_INDEX_RANGE
        | result::RANK_RANGE
        | result::REVERSE_RANK_RANGE => {
            let is_rank = matches!(kind, result::RANK_RANGE | result::REVERSE_RANK_RANGE);
            let is_reverse = matches!(
                kind,
                result::REVERSE_INDEX_RANGE | result::REVERSE_RANK_RANGE
            );
            // In an ordered list, an index and a rank are the same.
            let start = match selection.placement {
                Placement::Indexes(start) if !is_rank || elements.is_sorted => start,
                Placement::Ranks(start) if is_rank || elements.is_sorted => start,
                _ => return Err(ResultCode::OP_NOT_APPLICABLE),
            };
            range(start, count, elements.len(), is_reverse)
        }
        _ => return Err(ResultCode::OP_NOT_APPLICABLE),
    }))
}

fn indexes(
    elements: &Elements<'_>,
    selection: &Selection,
    is_reverse: bool,
    is_multi: bool,
) -> Value {
    let (len, count) = (elements.len(), selection.indexes.len());
    match selection.placement {
        Placement::All => from_runs(&[(0, len)], len, is_reverse, is_multi),
        Placement::Indexes(start) => from_runs(&[(start, count)], len, is_reverse, is_multi),
        Placement::Ranks(start) if elements.is_sorted => {
            from_runs(&[(start, count)], len, is_reverse, is_multi)
        }
        Placement::AllButIndexes(start, skipped) => {
            from_runs(&around(start, skipped, len), len, is_reverse, is_multi)
        }
        _ => {
            let mut indexes = selection.indexes.clone();
            if elements.keys.is_none() {
                // For lists, indexes are returned in ascending order, even if they were found by rank.
                indexes.sort_unstable();
            }
            from_numbers(indexes, len, is_reverse, is_multi)
        }
    }
}

fn ranks(
    elements: &Elements<'_>,
    selection: &Selection,
    is_reverse: bool,
    is_multi: bool,
) -> Value {
    let (len, count) = (elements.len(), selection.indexes.len());
    match selection.placement {
        Placement::Ranks(start) => from_runs(&[(start, count)], len, is_reverse, is_multi),
        Placement::Indexes(start) if elements.is_sorted => {
            from_runs(&[(start, count)], len, is_reverse, is_multi)
        }
        // All elements together have all ranks.
        Placement::All => from_runs(&[(0, len)], len, is_reverse, is_multi),
        Placement::Indexes(_) if count == len => from_runs(&[(0, len)], len, is_reverse, is_multi),
        Placement::AllButRanks(start, skipped) => {
            from_runs(&around(start, skipped, len), len, is_reverse, is_multi)
        }
        Placement::AllButIndexes(start, skipped) if elements.is_sorted => {
            from_runs(&around(start, skipped, len), len, is_reverse, is_multi)
        }
        _ => {
            let rank_of = rank_of_each(elements);
            let found = selection
                .indexes
                .iter()
                .filter_map(|index| rank_of.get(*index).copied())
                .collect();
            from_numbers(found, len, is_reverse, is_multi)
        }
    }
}

/// Returns the rank of every element. In a map each has its own; in a list equal elements share the lowest
/// (`packed_list_find_rank_range_by_value_interval_unordered()`).
fn rank_of_each(elements: &Elements<'_>) -> Vec<usize> {
    let mut rank_of = vec![0; elements.len()];
    let mut before: Option<(&Value, usize)> = None;
    for (place, index) in elements.by_rank().into_iter().enumerate() {
        let (Some(value), Some(slot)) = (elements.values.get(index), rank_of.get_mut(index)) else {
            continue;
        };
        *slot = match before {
            Some((other, rank)) if elements.keys.is_none() && other.compare(value).is_eq() => rank,
            _ => place,
        };
        before = Some((value, *slot));
    }
    rank_of
}

/// Returns the two runs before and after a run.
fn around(start: usize, count: usize, len: usize) -> [(usize, usize); 2] {
    [
        (0, start),
        (start + count, len.saturating_sub(start + count)),
    ]
}

fn values(all: &[&Value], selection: &Selection, is_multi: bool) -> Option<Value> {
    let mut found = selection
        .indexes
        .iter()
        .filter_map(|index| all.get(*index))
        .map(|value| (*value).clone());
    if is_multi {
        Some(list(found.collect()))
    } else {
        found.next()
    }
}

fn pairs(elements: &Elements<'_>, selection: &Selection, flags: u8) -> Outcome<Value> {
    let keys = elements
        .keys
        .as_ref()
        .ok_or(ResultCode::OP_NOT_APPLICABLE)?;
    let mut indexes = selection.indexes.clone();
    if flags == ORDERED {
        indexes.sort_unstable();
    }
    let pair = |index: usize| {
        Some((
            (*keys.get(index)?).clone(),
            (*elements.values.get(index)?).clone(),
        ))
    };
    Ok(Value::Map(Map {
        flags,
        pairs: indexes.into_iter().filter_map(pair).collect(),
    }))
}

fn range(start: usize, count: usize, len: usize, is_reverse: bool) -> Value {
    let start = if is_reverse {
        len.saturating_sub(start + count)
    } else {
        start
    };
    list(vec![int(start), int(count)])
}
