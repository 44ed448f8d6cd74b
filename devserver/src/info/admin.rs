//! What administrators ask of a server, as far as its answer is an error or nothing: the server's own words for what
//! is missing or unknown. What would be work is not made here, and told so by the others of this family.
//! Source: the `cmd_*()` of `as/src/base/thr_info.c`.

use super::{error, Command, InfoError, InfoResult};
use crate::state::State;
use crate::wire::consts::MAX_NAMESPACE_NAME;
use crate::wire::result::ResultCode;

/// Longest value that is looked at.
const MAX_VALUE: usize = 255;

/// Answers what it can; `None` for any other command.
pub fn answer(state: &State, command: Command<'_>) -> Option<InfoResult> {
    let missing = |key: &str| match command.require(key, MAX_VALUE) {
        Ok(_) => None,
        Err(refusal) => Some(Err(refusal)),
    };
    match command.name {
        "set-config" => missing("context").or_else(|| set_config(state, command)),
        "get-stats" | "log-set" if command.params.is_empty() => Some(Err(match command.name {
            "log-set" => parameter("missing id"),
            _ => parameter("missing 'context'"),
        })),
        "query-show" if id(command).is_some() => {
            Some(Err(error(ResultCode::NOT_FOUND, "job not found")))
        }
        "query-abort" => Some(Err(match id(command) {
            None => parameter("missing 'id'"),
            Some(_) => error(ResultCode::NOT_FOUND, "id not active"),
        })),
        "query-abort-all" => Some(Ok("number-of-queries-killed:0".into())),
        "latencies"
            if command
                .get("hist")
                .is_some_and(|name| !is_histogram(state, name)) =>
        {
            Some(Err(parameter("bad hist name")))
        }
        "histogram" => namespace(state, command)
            .err()
            .map(Err)
            .or_else(|| missing("type")),
        "truncate-undo" => namespace_name(command).err().map(Err),
        "eviction-reset" => match namespace_name(command) {
            Err(refusal) => Some(Err(refusal)),
            // A namespace that is not there is no error: the word is spread, and nobody takes it up.
            Ok(_) => namespace(state, command).is_err().then(|| Ok("ok".into())),
        },
        "smd-show" => missing("module"),
        "tip" => missing("host"),
        "tip-clear" => missing("host-port-list"),
        "physical-devices" => missing("path"),
        "udf-clear-cache" => Some(Ok("ok".into())),
        _ => udf(command),
    }
}

/// UDFs have errors in a form of their own (`as/src/base/udf_cask.c`).
fn udf(command: Command<'_>) -> Option<InfoResult> {
    let has_name = command.get("filename").is_some_and(|name| !name.is_empty());
    Some(Ok(match command.name {
        "udf-get" | "udf-remove" | "udf-put" if !has_name => "error=invalid_filename",
        "udf-get" => "error=not_found",
        "udf-remove" => "ok",
        "udf-put" if command.get("content-len").is_none() => "error=invalid_content_len",
        _ => return None,
    }
    .into()))
}

fn set_config(state: &State, command: Command<'_>) -> Option<InfoResult> {
    match command.get("context") {
        Some("service" | "network" | "security" | "xdr" | "logging") => None,
        Some("namespace") => namespace(state, command).err().map(Err),
        _ => Some(Err(parameter("invalid context"))),
    }
}

/// The number of a query, under either of its names.
fn id<'a>(command: Command<'a>) -> Option<&'a str> {
    command.get("id").or_else(|| command.get("trid"))
}

/// Whether a name is a histogram's, or `{NAMESPACE}-…`, a namespace's.
fn is_histogram(state: &State, name: &str) -> bool {
    match name.strip_prefix('{').and_then(|name| name.split_once('}')) {
        Some((namespace, _)) => state.namespace(Some(namespace.as_bytes())).is_ok(),
        None => matches!(name, "batch-index" | "info"),
    }
}

fn namespace(state: &State, command: Command<'_>) -> Result<(), InfoError> {
    let name = namespace_name(command)?;
    match state.namespace(Some(name.as_bytes())) {
        Ok(_) => Ok(()),
        Err(code) => Err(error(code, "namespace not found on node")),
    }
}

/// The namespace, under the keys of old if need be.
fn namespace_name<'a>(command: Command<'a>) -> Result<&'a str, InfoError> {
    let old = ["ns", "id"].into_iter().find_map(|key| command.get(key));
    match (command.get("namespace"), old) {
        (None, Some(name)) if !name.is_empty() && name.len() <= MAX_NAMESPACE_NAME => Ok(name),
        _ => command.require("namespace", MAX_NAMESPACE_NAME),
    }
}

fn parameter(text: &str) -> InfoError {
    error(ResultCode::PARAMETER, text)
}
