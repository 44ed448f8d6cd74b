//! UDFs and running queries: there are none, and no UDF can be made.

use super::{error, Command, InfoResult};
use crate::wire::result::ResultCode;

/// Answers a command of this family; `None` for any other.
pub fn answer(command: Command<'_>) -> Option<InfoResult> {
    match command.name {
        "udf-list" | "query-show" => Some(Ok(String::new())),
        "udf-put" | "udf-get" | "udf-remove" | "query-abort" | "query-abort-all" => {
            Some(Err(error(
                ResultCode::UNSUPPORTED_FEATURE,
                "not made by the development server",
            )))
        }
        _ => None,
    }
}
