//! The server's log. Its levels cannot be changed by commands: it has one sink, which receives what the process logs.

use super::command::Command;
use super::error::{InfoResult, error, not_implemented};
use super::template::LOG_LEVELS;
use crate::wire::result::ResultCode;

/// Runs a command of this family. Returns `None` for any other.
pub fn run(command: Command<'_>) -> Option<InfoResult> {
    Some(match command.name {
        "logs" => Ok("0:stderr".into()),
        "log" => levels(command),
        "log-set" | "set-log" => set(command),
        "log-message" => message(command),
        _ => return None,
    })
}

/// Responds to `log/SINK` and `log/SINK/CONTEXT` (`cmd_log()`).
fn levels(command: Command<'_>) -> InfoResult {
    let (sink, context) = match command.params.split_once('/') {
        Some((sink, context)) => (sink, Some(context)),
        None => (command.params, None),
    };
    // A missing number is 0, as for `atoi()`.
    let sink = if sink.is_empty() { "0" } else { sink };
    match (sink.parse::<i32>(), context) {
        (Ok(0), None) => Ok(LOG_LEVELS.lines().collect::<Vec<_>>().join(";")),
        (Ok(0), Some(context)) => LOG_LEVELS
            .lines()
            .find(|line| line.split(':').next() == Some(context))
            .map(str::to_owned)
            .ok_or_else(|| error(ResultCode::UNKNOWN, "bad-context")),
        (Ok(_), _) => Err(error(ResultCode::UNKNOWN, "bad-id")),
        (Err(_), _) => Err(error(ResultCode::PARAMETER, "bad sink-id")),
    }
}

/// Responds to `log-set:id=SINK;CONTEXT=LEVEL` (`cmd_log_set()`).
fn set(command: Command<'_>) -> InfoResult {
    let refuse = |text: &str| Err(error(ResultCode::PARAMETER, text));
    let Some(rest) = command.params.strip_prefix("id=") else {
        return refuse("missing id");
    };
    let (id, rest) = rest.split_once(';').unwrap_or((rest, ""));
    match id.parse::<u32>() {
        Err(_) => refuse("bad id"),
        Ok(_) if rest.is_empty() => refuse("missing context"),
        Ok(_) if !rest.contains('=') => refuse("bad level"),
        Ok(0) => Err(not_implemented()),
        Ok(_) => refuse("bad parameter"),
    }
}

/// Logs a message. The response is empty, without "ok" (`cmd_log_message()`).
fn message(command: Command<'_>) -> InfoResult {
    let who = command.optional("who", 127)?.unwrap_or("unknown");
    let text = command.require("message", 2047)?;
    log::info!("{who}: {text}");
    Ok(String::new())
}
