//! Converts lists and maps from a client into their stored form.

use super::value::Value;
use super::write::write_value;
use crate::wire::result::{Outcome, ResultCode};

/// Returns the stored form of a list from a client.
pub fn canonical_list(bytes: &[u8]) -> Outcome<Vec<u8>> {
    canonical(bytes, |value| matches!(value, Value::List(_)))
}

/// Returns the stored form of a map from a client.
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
