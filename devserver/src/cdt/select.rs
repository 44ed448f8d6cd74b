//! Selects elements by index, rank, key or value, one or a range of them.
//!
//! An index is a position in a list or, in a map, in the order of the keys. A rank is a position in the order of the
//! values. Source: the `packed_list_get_remove_by_*()` of `as/src/base/particle_list.c` and the
//! `packed_map_get_remove_by_*()` of `particle_map.c`.

use std::cmp::Ordering;

use super::heap;
use crate::wire::msgpack::{List, Map, Value};
use crate::wire::result::{Outcome, ResultCode};

/// The elements of a list or map.
pub struct Elements<'a> {
    /// The keys of a map in their order; `None` for a list.
    pub keys: Option<Vec<&'a Value>>,
    pub values: Vec<&'a Value>,
    /// Whether this is an ordered list, where index and rank are the same.
    pub is_sorted: bool,
}

/// The selector of an operation.
pub enum Selector<'a> {
    Index(i64, u64),
    Rank(i64, u64),
    /// From the first key, up to the second, which is excluded.
    Keys(&'a Value, Option<&'a Value>),
    Key(&'a Value),
    KeyList(&'a [Value]),
    /// From the first value, up to the second, which is excluded.
    Values(&'a Value, Option<&'a Value>),
    Value(&'a Value),
    ValueList(&'a [Value]),
    /// An index range relative to the position that the key has or would have.
    RelativeIndex(&'a Value, i64, u64),
    /// A rank range relative to the position that the value has or would have.
    RelativeRank(&'a Value, i64, u64),
}

/// How the selected elements are placed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Adjacent indexes from this one on.
    Indexes(usize),
    /// Adjacent ranks from this one on.
    Ranks(usize),
    /// All elements, because the excluded selection is empty.
    All,
    /// All but this many indexes from the first number on.
    AllButIndexes(usize, usize),
    /// All but this many ranks from the first number on.
    AllButRanks(usize, usize),
    Scattered,
}

/// The selected elements: their indexes, in the order of the result.
#[derive(Debug)]
pub struct Selection {
    pub indexes: Vec<usize>,
    pub placement: Placement,
}

impl<'a> Elements<'a> {
    pub fn of_list(list: &'a List) -> Self {
        Elements {
            keys: None,
            values: list.items.iter().collect(),
            is_sorted: list.is_ordered(),
        }
    }

    pub fn of_map(map: &'a Map) -> Self {
        Elements {
            keys: Some(map.pairs.iter().map(|(key, _)| key).collect()),
            values: map.pairs.iter().map(|(_, value)| value).collect(),
            is_sorted: false,
        }
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns the indexes of all elements in the order of their values. Equal values are in the order of their
    /// indexes.
    pub fn by_rank(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        if !self.is_sorted {
            order.sort_by(
                |left, right| match (self.values.get(*left), self.values.get(*right)) {
                    (Some(left), Some(right)) => left.compare(right),
                    _ => Ordering::Equal,
                },
            );
        }
        order
    }

    /// Selects elements. `is_multi`: the operation selects any number of elements, so an empty selection is not an
    /// error.
    pub fn select(
        &self,
        selector: &Selector<'_>,
        is_multi: bool,
        inverted: bool,
    ) -> Outcome<Selection> {
        if inverted && !is_multi {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        let selection = self.find(selector, is_multi)?;
        if !inverted {
            return Ok(selection);
        }
        let count = selection.indexes.len();
        let is_map = self.keys.is_some();
        let placement = match selection.placement {
            Placement::Ranks(start) if self.is_sorted => Placement::Indexes(start),
            placement => placement,
        };
        match placement {
            // The rest is adjacent if only one end was excluded.
            Placement::Indexes(_) if count == 0 => Ok(self.all_but(&selection, Placement::All)),
            Placement::Indexes(start) => match rest(start, count, self.len()) {
                Some((start, count)) => Ok(Selection {
                    indexes: (start..start + count).collect(),
                    placement: Placement::Indexes(start),
                }),
                None => Ok(self.all_but(&selection, Placement::AllButIndexes(start, count))),
            },
            Placement::Ranks(start) => match rest(start, count, self.len()) {
                Some((start, count)) if is_map && selector.is_rank_range() => {
                    self.rank_range(start as i64, count as u64, true)
                }
                Some(_)
                    if count == 0 && (is_map || (self.len() == 0 && selector.is_rank_range())) =>
                {
                    Ok(self.all_but(&selection, Placement::All))
                }
                _ => Ok(self.all_but(&selection, Placement::AllButRanks(start, count))),
            },
            // If a list of keys or values selects nothing, the inverse has all ranks.
            _ if count == 0 && self.len() != 0 => {
                Ok(self.all_but(&selection, Placement::AllButRanks(0, 0)))
            }
            _ => Ok(self.all_but(&selection, Placement::Scattered)),
        }
    }

    /// Returns the indexes of these keys, in the order of the given keys.
    pub fn indexes_of(&self, keys: &[Value]) -> Vec<usize> {
        let index_of = |wanted: &Value| {
            self.keys
                .iter()
                .flatten()
                .position(|key| key.compare(wanted).is_eq())
        };
        keys.iter().filter_map(index_of).collect()
    }

    fn find(&self, selector: &Selector<'_>, is_multi: bool) -> Outcome<Selection> {
        match *selector {
            Selector::Index(index, count) => {
                let (start, count) = clamp(index, count, self.len(), is_multi)?;
                Ok(Selection {
                    indexes: (start..start + count).collect(),
                    placement: Placement::Indexes(start),
                })
            }
            Selector::Rank(rank, count) => self.rank_range(rank, count, is_multi),
            Selector::Key(key) => Ok(self.key_range(|other| other.compare(key), is_multi)),
            Selector::Keys(start, end) => {
                Ok(self.key_range(|other| within(other, start, end), is_multi))
            }
            Selector::KeyList(keys) => {
                let is_listed =
                    |key: &&Value| keys.iter().any(|wanted| wanted.compare(key).is_eq());
                let listed = self
                    .keys
                    .iter()
                    .flatten()
                    .enumerate()
                    .filter(|(_, key)| is_listed(key));
                Ok(Selection {
                    indexes: listed.map(|(index, _)| index).collect(),
                    placement: Placement::Scattered,
                })
            }
            Selector::Value(value) => Ok(self.value_range(|other| other.compare(value), is_multi)),
            Selector::Values(start, end) => {
                Ok(self.value_range(|other| within(other, start, end), is_multi))
            }
            Selector::ValueList(values) => {
                let is_listed =
                    |value: &&Value| values.iter().any(|wanted| wanted.compare(value).is_eq());
                let listed = self
                    .values
                    .iter()
                    .enumerate()
                    .filter(|(_, value)| is_listed(value));
                Ok(Selection {
                    indexes: listed.map(|(index, _)| index).collect(),
                    placement: Placement::Scattered,
                })
            }
            Selector::RelativeIndex(key, index, count) => {
                let before = self
                    .keys
                    .iter()
                    .flatten()
                    .filter(|other| other.compare(key).is_lt())
                    .count();
                let (index, count) = relative(index, count, before);
                self.find(&Selector::Index(index, count), true)
            }
            Selector::RelativeRank(value, rank, count) => {
                let before = self
                    .values
                    .iter()
                    .filter(|other| other.compare(value).is_lt())
                    .count();
                let (rank, count) = relative(rank, count, before);
                self.find(&Selector::Rank(rank, count), true)
            }
        }
    }

    fn rank_range(&self, rank: i64, count: u64, is_multi: bool) -> Outcome<Selection> {
        let (start, count) = clamp(rank, count, self.len(), is_multi)?;
        let indexes = if self.keys.is_none() && !self.is_sorted {
            heap::rank_range(&self.values, start, count)
        } else {
            self.by_rank().into_iter().skip(start).take(count).collect()
        };
        Ok(Selection {
            indexes,
            placement: Placement::Ranks(start),
        })
    }

    /// Keys are sorted, so the keys of an interval are adjacent.
    fn key_range(&self, place: impl Fn(&Value) -> Ordering, is_multi: bool) -> Selection {
        let keys = self.keys.iter().flatten();
        let indexes: Vec<usize> = keys
            .clone()
            .enumerate()
            .filter(|(_, key)| place(key).is_eq())
            .map(|(index, _)| index)
            .collect();
        let start = indexes
            .first()
            .copied()
            .unwrap_or_else(|| keys.filter(|key| place(key).is_lt()).count());
        let indexes = if is_multi {
            indexes
        } else {
            indexes.into_iter().take(1).collect()
        };
        Selection {
            indexes,
            placement: Placement::Indexes(start),
        }
    }

    /// The values of an interval have adjacent ranks, but are returned in the order of their indexes.
    fn value_range(&self, place: impl Fn(&Value) -> Ordering, is_multi: bool) -> Selection {
        let start = self
            .values
            .iter()
            .filter(|value| place(value).is_lt())
            .count();
        let is_meant = |index: &usize| {
            self.values
                .get(*index)
                .is_some_and(|value| place(value).is_eq())
        };
        let mut indexes: Vec<usize> = (0..self.len()).filter(is_meant).collect();
        if !is_multi {
            indexes.truncate(1);
        }
        Selection {
            indexes,
            placement: Placement::Ranks(start),
        }
    }

    /// Returns all other elements, in the order of their indexes.
    fn all_but(&self, selection: &Selection, placement: Placement) -> Selection {
        let mut is_picked = vec![false; self.len()];
        for index in &selection.indexes {
            if let Some(slot) = is_picked.get_mut(*index) {
                *slot = true;
            }
        }
        let indexes = is_picked
            .iter()
            .enumerate()
            .filter(|(_, picked)| !**picked)
            .map(|(index, _)| index)
            .collect();
        Selection { indexes, placement }
    }
}

impl Selector<'_> {
    fn is_rank_range(&self) -> bool {
        matches!(self, Selector::Rank(..) | Selector::RelativeRank(..))
    }
}

/// Returns `len` elements without a run of them, or `None` if two runs are left.
fn rest(start: usize, count: usize, len: usize) -> Option<(usize, usize)> {
    match (start, count) {
        (_, 0) => Some((0, len)),
        (0, count) => Some((count, len - count)),
        (start, count) if start + count >= len => Some((0, start)),
        _ => None,
    }
}

/// Returns whether a value is before, in or after an interval.
fn within(value: &Value, start: &Value, end: Option<&Value>) -> Ordering {
    if value.compare(start).is_lt() {
        Ordering::Less
    } else if end.is_some_and(|end| value.compare(end).is_ge()) {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

/// Returns the existing part of a range (`calc_index_count()`).
///
/// # Errors
/// [`ResultCode::OP_NOT_APPLICABLE`] if a single element is selected and does not exist.
fn clamp(index: i64, count: u64, len: usize, is_multi: bool) -> Outcome<(usize, usize)> {
    let total = len as i64;
    let start = if index < 0 {
        index.saturating_add(total)
    } else {
        index
    };
    if !is_multi && !(0..total).contains(&start) {
        return Err(ResultCode::OP_NOT_APPLICABLE);
    }
    if index >= total {
        return Ok((len, 0));
    }
    // A range that begins before the first element loses that part.
    let lost = if start < 0 { start.unsigned_abs() } else { 0 };
    let start = start.max(0) as usize;
    let count = usize::try_from(count.saturating_sub(lost)).unwrap_or(usize::MAX);
    Ok((start, count.min(len - start)))
}

/// Converts a range relative to a position (`calc_rel_index_count()`).
fn relative(index: i64, count: u64, place: usize) -> (i64, u64) {
    let index = index.saturating_add(place as i64);
    if index < 0 {
        (0, count.saturating_sub(index.unsigned_abs()))
    } else {
        (index, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamps_ranges_to_the_existing_elements() {
        assert_eq!(clamp(1, 2, 5, true), Ok((1, 2)));
        assert_eq!(clamp(-2, 9, 5, true), Ok((3, 2)));
        assert_eq!(clamp(-7, 3, 5, true), Ok((0, 1)));
        assert_eq!(clamp(5, 3, 5, true), Ok((5, 0)));
        assert_eq!(clamp(5, 1, 5, false), Err(ResultCode::OP_NOT_APPLICABLE));
        assert_eq!(clamp(i64::MIN, u64::MAX, 5, true), Ok((0, 5)));
    }
}
