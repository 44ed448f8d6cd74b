//! Splits a request into commands, and passes each to its family.

use super::command::Command;
use super::error::{InfoError, InfoResult, error};
use super::session::Session;
use super::{
    cluster, config, log, maintenance, namespace, node, query, sindex, statistics, truncate, udf,
};
use crate::security::{Access, permission};
use crate::state::State;
use crate::wire::proto::{self, FrameType};
use crate::wire::result::ResultCode;

/// Handles the body of an info frame and appends the response.
pub fn handle(
    state: &State,
    session: &mut Session,
    access: &Access,
    body: &[u8],
    out: &mut Vec<u8>,
) {
    let start = proto::begin(out, FrameType::Info);
    if let Err(code) = access.require_login() {
        // One line for all commands, without their names (`authenticate()`).
        write_error(&error(code, "not authenticated"), out);
        out.push(b'\n');
        return proto::finish(out, start);
    }
    if body.is_empty() {
        for name in node::SUMMARY {
            write_response(state, session, access, name, out);
        }
    }
    // Text after the last line feed is not a command.
    let mut lines = body.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_some() && out.len() - start < proto::MAX_SIZE / 2 {
            // A command ends at a zero byte, because the server uses C strings.
            let text = line.split(|byte| *byte == 0).next().unwrap_or_default();
            write_response(state, session, access, &String::from_utf8_lossy(text), out);
        }
    }
    proto::finish(out, start);
}

fn write_response(
    state: &State,
    session: &mut Session,
    access: &Access,
    text: &str,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(text.as_bytes());
    out.push(b'\t');
    let command = Command::parse(text);
    match check(access, command).and_then(|()| dispatch(state, session, command)) {
        Ok(response) => out.extend_from_slice(response.as_bytes()),
        Err(error) => write_error(&error, out),
    }
    out.push(b'\n');
}

/// Writes an error. The number is left out for the code UNKNOWN (`info_respond_error_argp()`).
fn write_error(error: &InfoError, out: &mut Vec<u8>) {
    let text = if error.code == ResultCode::UNKNOWN {
        format!("ERROR::{}", error.text)
    } else {
        format!("ERROR:{}:{}", error.code.0, error.text)
    };
    out.extend_from_slice(text.as_bytes());
}

/// Checks whether a client may use a command (`handle_cmd()`).
fn check(access: &Access, command: Command<'_>) -> Result<(), InfoError> {
    let needed = Access::permission_of_info_command(command.name);
    let namespace = command.get("namespace").or_else(|| command.get("ns"));
    let allowed = match namespace {
        Some(name) => access.require_in(
            needed,
            name,
            command.get("set").unwrap_or_default().as_bytes(),
        ),
        None => access.require(needed),
    };
    allowed.map_err(|code| {
        let name = permission::name(needed);
        error(
            code,
            format!("role violation - requires permission '{name}'"),
        )
    })
}

fn dispatch(state: &State, session: &mut Session, command: Command<'_>) -> InfoResult {
    cluster::run(state, session, command)
        .or_else(|| node::run(session, command))
        .or_else(|| statistics::run(state, command))
        .or_else(|| namespace::run(state, command))
        .or_else(|| config::run(state, session, command))
        .or_else(|| truncate::run(state, command))
        .or_else(|| sindex::run(state, command))
        .or_else(|| query::run(state, command))
        .or_else(|| udf::run(command))
        .or_else(|| log::run(command))
        .or_else(|| maintenance::run(state, command))
        .unwrap_or_else(|| Err(error(ResultCode::PARAMETER, "unrecognized command")))
}
