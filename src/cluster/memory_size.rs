//! About how many bytes a record holds, without a walk over all of it: what is large is handled a little at a time.

use aerospike::{Record, Value};

/// Entries of a list or map that are looked at; the others are taken to be like them.
const SAMPLE: usize = 16;
/// How deep it is looked.
const DEPTH: usize = 3;
/// What a value weighs that holds nothing of its own.
const LEAST: usize = 8;

pub fn of_record(record: &Record) -> usize {
    record.bins.values().map(|value| of(value, DEPTH)).sum()
}

fn of(value: &Value, depth: usize) -> usize {
    let sampled = |length: usize, sample: usize| {
        let looked_at = length.clamp(1, SAMPLE);
        LEAST + sample * length / looked_at
    };
    match value {
        Value::String(text) => text.len(),
        Value::Blob(bytes) | Value::Unknown(_, bytes) => bytes.len(),
        _ if depth == 0 => LEAST,
        Value::List(list) => {
            let sample = list.iter().take(SAMPLE).map(|one| of(one, depth - 1));
            sampled(list.len(), sample.sum())
        }
        Value::SortedMap(map) => {
            let entry = |(key, value)| of(key, 0) + of(value, depth - 1);
            sampled(map.len(), map.iter().take(SAMPLE).map(entry).sum())
        }
        Value::OrderedMap(map) => {
            let entry = |(key, value)| of(key, 0) + of(value, depth - 1);
            sampled(map.len(), map.iter().take(SAMPLE).map(entry).sum())
        }
        _ => LEAST,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn many_small_values_weigh_as_much_as_a_large_one() {
        let text = |length| Value::String("x".repeat(length));
        assert_eq!(of(&text(1_000), DEPTH), 1_000);
        let list = Value::List((0..100).map(|_| text(10)).collect());
        assert_eq!(of(&list, DEPTH), 1_008);
        let map: BTreeMap<_, _> = (0..100).map(|n| (Value::Int(n), text(10))).collect();
        assert_eq!(of(&Value::SortedMap(map), DEPTH), 1_808);
        assert_eq!(of(&Value::List(vec![list.clone(), list]), 1), 24);
    }
}
