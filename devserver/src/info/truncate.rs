//! `truncate:namespace=NS;set=SET[;lut=NANOS]` and `truncate-namespace:namespace=NS[;lut=NANOS]`.

use std::sync::Arc;

use super::command::Command;
use super::error::{InfoError, InfoResult, error};
use crate::state::State;
use crate::storage::bulk_work;
use crate::storage::truncate::{self, TruncateError, Truncation};
use crate::wire::consts::{MAX_NAMESPACE_NAME, MAX_SET_NAME};
use crate::wire::result::ResultCode;

/// Runs a command of this family. Returns `None` for any other.
pub fn run(state: &State, command: Command<'_>) -> Option<InfoResult> {
    match command.name {
        "truncate" => Some(truncate_set(state, command)),
        "truncate-namespace" => Some(truncate_namespace(state, command)),
        "truncate-undo" => Some(undo_set(state, command)),
        "truncate-namespace-undo" => Some(undo_namespace(state, command)),
        _ => None,
    }
}

fn truncate_set(state: &State, command: Command<'_>) -> InfoResult {
    let name = command.require("namespace", MAX_NAMESPACE_NAME)?;
    let set = command.require("set", MAX_SET_NAME)?;
    truncate(state, name, Some(set), command)
}

fn truncate_namespace(state: &State, command: Command<'_>) -> InfoResult {
    let name = command.require("namespace", MAX_NAMESPACE_NAME)?;
    if command.get("set").is_some() {
        return Err(error(ResultCode::PARAMETER, "unexpected set name"));
    }
    truncate(state, name, None, command)
}

fn truncate(state: &State, name: &str, set: Option<&str>, command: Command<'_>) -> InfoResult {
    let lut = command.optional("lut", 23)?.map(parse_nanos);
    let lut = truncate::threshold(lut).map_err(to_info_error)?;
    // A missing namespace is not an error: the server forwards the command to all nodes and responds "ok".
    if let Ok(namespace) = state.namespace(Some(name.as_bytes()))
        && let Some(truncation) = Truncation::begin(namespace, set, lut)
    {
        let truncated = Arc::clone(namespace);
        bulk_work::run(namespace, move || {
            truncation.finish(&truncated);
        });
    }
    Ok("ok".into())
}

/// Undoes a truncation for records that were not removed yet.
fn undo_set(state: &State, command: Command<'_>) -> InfoResult {
    let name = command.require("namespace", MAX_NAMESPACE_NAME)?;
    let set = command.require("set", MAX_SET_NAME)?;
    if let Ok(namespace) = state.namespace(Some(name.as_bytes())) {
        truncate::undo(namespace, Some(set));
    }
    Ok("ok".into())
}

fn undo_namespace(state: &State, command: Command<'_>) -> InfoResult {
    let name = command.require("namespace", MAX_NAMESPACE_NAME)?;
    if command.get("set").is_some() {
        return Err(error(ResultCode::PARAMETER, "unexpected set name"));
    }
    if let Ok(namespace) = state.namespace(Some(name.as_bytes())) {
        truncate::undo(namespace, None);
    }
    Ok("ok".into())
}

fn to_info_error(cause: TruncateError) -> InfoError {
    match cause {
        TruncateError::ToZero => error(ResultCode::PARAMETER, "would truncate to 0"),
        TruncateError::InTheFuture => error(ResultCode::PARAMETER, "would truncate in the future"),
    }
}

/// Parses a number like C's `strtoul(text, NULL, 0)`: decimal, hexadecimal or octal. Text that is not a number is 0.
fn parse_nanos(text: &str) -> u64 {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let end = digits
        .find(|character: char| !character.is_digit(radix))
        .unwrap_or(digits.len());
    match digits.get(..end) {
        Some("") | None => 0,
        Some(digits) => u64::from_str_radix(digits, radix).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_nanos;

    #[test]
    fn parses_numbers_like_strtoul() {
        assert_eq!(
            parse_nanos("1700000000000000000"),
            1_700_000_000_000_000_000
        );
        assert_eq!(parse_nanos("0x10"), 16);
        assert_eq!(parse_nanos("017"), 15);
        assert_eq!(parse_nanos("12junk"), 12);
        assert_eq!(parse_nanos("junk"), 0);
    }
}
