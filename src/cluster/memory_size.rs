//! Estimates the size of a record from a sample of its values, so that the estimate is cheap for large records too.

use aerospike::{Record, Value};

/// Entries of a list or map in the sample. The other entries are assumed to be of the same size.
const SAMPLE: usize = 16;
/// Levels of nested lists and maps in the sample.
const DEPTH: usize = 3;
/// Bytes of a value without a size of its own.
const LEAST: usize = 8;

/// Returns the approximate size of a record, in bytes.
pub fn of_record(record: &Record) -> usize {
    record.bins.values().map(|value| of(value, DEPTH)).sum()
}

fn of(value: &Value, depth: usize) -> usize {
    let scaled = |length: usize, sample: usize| {
        let sampled = length.clamp(1, SAMPLE);
        LEAST + sample * length / sampled
    };
    match value {
        Value::String(text) => text.len(),
        Value::Blob(bytes) | Value::Unknown(_, bytes) => bytes.len(),
        _ if depth == 0 => LEAST,
        Value::List(list) => {
            let sample = list.iter().take(SAMPLE).map(|one| of(one, depth - 1));
            scaled(list.len(), sample.sum())
        }
        Value::SortedMap(map) => {
            let entry = |(key, value)| of(key, 0) + of(value, depth - 1);
            scaled(map.len(), map.iter().take(SAMPLE).map(entry).sum())
        }
        Value::OrderedMap(map) => {
            let entry = |(key, value)| of(key, 0) + of(value, depth - 1);
            scaled(map.len(), map.iter().take(SAMPLE).map(entry).sum())
        }
        _ => LEAST,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_sizes_of_nested_values_are_added_up() {
        let text = |length| Value::String("x".repeat(length));
        assert_eq!(of(&text(1_000), DEPTH), 1_000);
        let list = Value::List((0..100).map(|_| text(10)).collect());
        assert_eq!(of(&list, DEPTH), 1_008);
        let map: BTreeMap<_, _> = (0..100).map(|n| (Value::Int(n), text(10))).collect();
        assert_eq!(of(&Value::SortedMap(map), DEPTH), 1_808);
        assert_eq!(of(&Value::List(vec![list.clone(), list]), 1), 24);
    }
}
