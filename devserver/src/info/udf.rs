//! UDFs, which this server does not have. Their errors have a format of their own (`as/src/base/udf_cask.c`).

use super::command::Command;
use super::error::{InfoResult, not_implemented};

/// Runs a command of this family. Returns `None` for any other.
pub fn run(command: Command<'_>) -> Option<InfoResult> {
    Some(match command.name {
        "udf-list" => Ok(String::new()),
        "udf-get" if has_file_name(command) => Ok("error=not_found".into()),
        "udf-remove" if has_file_name(command) => Ok("ok".into()),
        "udf-clear-cache" => Ok("ok".into()),
        "udf-put" if has_module_name(command) => put(command),
        "udf-get" | "udf-put" | "udf-remove" => Ok("error=invalid_filename".into()),
        _ => return None,
    })
}

fn put(command: Command<'_>) -> InfoResult {
    match command.get("content-len") {
        None => Ok("error=invalid_content_len".into()),
        Some(_) => Err(not_implemented()),
    }
}

fn has_file_name(command: Command<'_>) -> bool {
    command.get("filename").is_some()
}

/// A module needs a name and an extension.
fn has_module_name(command: Command<'_>) -> bool {
    let name = command
        .get("filename")
        .and_then(|name| name.rsplit_once('.'));
    name.is_some_and(|(stem, extension)| !stem.is_empty() && !extension.is_empty())
}
