//! Finds a range of ranks in an unordered list. Equal elements are chosen and ordered as by the server's heap
//! (`order_heap_*()` in `as/src/base/cdt.c`).

use std::cmp::Ordering;

use crate::wire::msgpack::Value;

/// Indexes of the list's elements. The first `filled` of them form a heap.
struct Heap<'a> {
    values: &'a [&'a Value],
    indexes: Vec<usize>,
    filled: usize,
    /// How an element at the top compares with those below: less or greater.
    top: Ordering,
}

/// Returns the indexes of `count` elements from rank `start` on. The range must be within the list.
///
/// Elements are taken off the heap from the nearer end of the ranks. From the low end, the highest element of the
/// range comes first.
pub fn rank_range(values: &[&Value], start: usize, count: usize) -> Vec<usize> {
    let tail = values.len().saturating_sub(start + count);
    let (top, discard) = if start <= tail {
        (Ordering::Less, start)
    } else {
        (Ordering::Greater, tail)
    };
    let mut heap = Heap {
        values,
        indexes: (0..values.len()).collect(),
        filled: values.len(),
        top,
    };
    for at in (0..heap.filled / 2).rev() {
        heap.sift_down(at);
    }
    for _ in 0..count + discard {
        heap.take_top();
    }
    heap.indexes
        .into_iter()
        .skip(heap.filled)
        .take(count)
        .collect()
}

impl Heap<'_> {
    /// Moves the top element behind the heap.
    fn take_top(&mut self) {
        let Some(last) = self.filled.checked_sub(1) else {
            return;
        };
        self.indexes.swap(0, last);
        self.filled = last;
        self.sift_down(0);
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= self.filled {
                return;
            }
            let is_left = right >= self.filled || self.compare(left, right) != self.top.reverse();
            let child = if is_left { left } else { right };
            if self.compare(child, at) != self.top {
                return;
            }
            self.indexes.swap(at, child);
            at = child;
        }
    }

    /// Compares the elements at two positions of the heap.
    fn compare(&self, left: usize, right: usize) -> Ordering {
        let value = |place: usize| self.indexes.get(place).and_then(|at| self.values.get(*at));
        match (value(left), value(right)) {
            (Some(left), Some(right)) => left.compare(right),
            _ => Ordering::Equal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of a real server.
    #[test]
    fn returns_ranks_near_the_low_end_in_descending_order() {
        let items = [5, 1, 3, 2, 9, 7].map(Value::Int);
        let values: Vec<&Value> = items.iter().collect();
        let range = |start, count| {
            let indexes = rank_range(&values, start, count).into_iter();
            indexes
                .filter_map(|at| items.get(at).cloned())
                .collect::<Vec<_>>()
        };
        assert_eq!(range(0, 3), [3, 2, 1].map(Value::Int));
        assert_eq!(range(1, 3), [5, 3, 2].map(Value::Int));
        assert_eq!(range(3, 3), [5, 7, 9].map(Value::Int));
        assert_eq!(range(4, 2), [7, 9].map(Value::Int));
    }
}
