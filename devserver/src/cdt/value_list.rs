//! What list operations that select by a list of values return: indexes and ranks, value by value
//! (`packed_list_get_remove_all_by_value_list*()` in `as/src/base/particle_list.c`).

use super::codes::result;
use super::positions::{from_numbers, from_runs};
use super::select::{Elements, Selection};
use crate::wire::msgpack::{List, Value};

/// Returns the result if it depends on the order of the values, or `None` if it is that of any other selection.
pub fn by_values(
    elements: &Elements<'_>,
    asked: &[Value],
    selection: &Selection,
    kind: u64,
    inverted: bool,
) -> Option<Value> {
    if elements.keys.is_some() || asked.is_empty() {
        return None;
    }
    let len = elements.len();
    let is_reverse = matches!(kind, result::REVERSE_INDEX | result::REVERSE_RANK);
    let is_rank = matches!(kind, result::RANK | result::REVERSE_RANK);
    let is_index = matches!(kind, result::INDEX | result::REVERSE_INDEX);
    match (elements.is_sorted, inverted) {
        (true, false) if is_rank || is_index => {
            Some(from_runs(&ranges(elements, asked), len, is_reverse, true))
        }
        (true, false) if kind == result::VALUE => {
            let found = ranges(elements, asked)
                .into_iter()
                .flat_map(|(start, count)| elements.values.iter().skip(start).take(count));
            Some(Value::List(List {
                flags: 0,
                items: found.map(|value| (*value).clone()).collect(),
            }))
        }
        (true, true) if is_rank || is_index => Some(from_numbers(
            selection.indexes.clone(),
            len,
            is_reverse,
            true,
        )),
        (false, false) if is_rank => {
            let ranks = once_each(elements, asked)
                .into_iter()
                .flat_map(|(rank, count)| rank..rank + count);
            Some(from_numbers(ranks.collect(), len, is_reverse, true))
        }
        (false, true) if is_rank => {
            let mut found = once_each(elements, asked);
            found.sort_unstable();
            found.retain(|(_, count)| *count != 0);
            found.push((len, 0));
            let mut end = 0;
            let gaps = found.into_iter().map(|(rank, count)| {
                let gap = (end, rank - end);
                end = rank + count;
                gap
            });
            Some(from_runs(&gaps.collect::<Vec<_>>(), len, is_reverse, true))
        }
        _ => None,
    }
}

/// Returns the lowest rank of each value, and how many elements have it.
fn ranges(elements: &Elements<'_>, asked: &[Value]) -> Vec<(usize, usize)> {
    let count = |wanted: &Value, is: fn(std::cmp::Ordering) -> bool| {
        let values = elements.values.iter();
        values.filter(|value| is(value.compare(wanted))).count()
    };
    asked
        .iter()
        .map(|wanted| {
            (
                count(wanted, std::cmp::Ordering::is_lt),
                count(wanted, std::cmp::Ordering::is_eq),
            )
        })
        .collect()
}

/// The same, but with several equal values, the elements count for the last one only.
fn once_each(elements: &Elements<'_>, asked: &[Value]) -> Vec<(usize, usize)> {
    let mut ranges = ranges(elements, asked);
    for (at, range) in ranges.iter_mut().enumerate() {
        let wanted = asked.get(at);
        let mut later = asked.iter().skip(at + 1);
        if later.any(|other| wanted.is_some_and(|wanted| wanted.compare(other).is_eq())) {
            range.1 = 0;
        }
    }
    ranges
}
