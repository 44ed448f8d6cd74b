//! Queries that run: none outlives its connection, so there is never one to show or to abort.

use super::{error, Command, InfoError, InfoResult};
use crate::wire::result::ResultCode;

/// Answers a command of this family; `None` for any other.
pub fn answer(command: Command<'_>) -> Option<InfoResult> {
    Some(match command.name {
        "query-show" => show(command),
        "query-abort" => abort(command),
        "query-abort-all" => Ok("number-of-queries-killed:0".into()),
        _ => return None,
    })
}

fn show(command: Command<'_>) -> InfoResult {
    match id(command)? {
        None => Ok(String::new()),
        Some(_) => Err(error(ResultCode::NOT_FOUND, "job not found")),
    }
}

fn abort(command: Command<'_>) -> InfoResult {
    match id(command)? {
        None => Err(error(ResultCode::PARAMETER, "missing 'id'")),
        Some(_) => Err(error(ResultCode::NOT_FOUND, "id not active")),
    }
}

/// The query asked for, under the key of old if need be.
fn id(command: Command<'_>) -> Result<Option<u64>, InfoError> {
    let key = if command.get("id").is_some() {
        "id"
    } else {
        "trid"
    };
    let Some(text) = command.optional(key, 25)? else {
        return Ok(None);
    };
    match super::c_number(text) {
        Some(0) | None => Err(error(ResultCode::PARAMETER, "bad id")),
        some => Ok(some),
    }
}
