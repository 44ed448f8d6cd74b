//! Brings lists and maps from a client into the form in which they are stored.

use super::value::Value;
use super::write::write_value;
use crate::wire::result::{Outcome, ResultCode};

/// A list from a client, in its stored form.
pub fn canonical_list(bytes: &[u8]) -> Outcome<Vec<u8>> {
    canonical(bytes, |value| matches!(value, Value::List(_)))
}

/// A map from a client, in its stored form.
pub fn canonical_map(bytes: &[u8]) -> Outcome<Vec<u8>> {
    canonical(bytes, |value| matches!(value, Value::Map(_)))
}

fn canonical(bytes: &[u8], is_wanted: fn(&Value) -> bool) -> Outcome<Vec<u8>> {
    let value = Value::from_bytes(bytes)?;
    if is_wanted(&value) && value.is_storable() {
        let mut out = Vec::with_capacity(bytes.len());
        write_value(&value, &mut out);
        Ok(out)
    } else {
        Err(ResultCode::UNKNOWN)
    }
}
