//! Text commands: what clients ask when they connect and tend, what tools ask, truncation.
//!
//! A request is commands, each ended by a line feed; each is answered by itself, a tab, the answer, a line feed.
//! A command is a name, then `/arg/arg` or `:key=value;key=value`. Source: `as/src/base/thr_info.c`.
//!
//! | file | commands |
//! |---|---|
//! | [`admin`] | what administrators get wrong |
//! | [`cluster`] | who the nodes are and which partitions they own |
//! | [`node`] | build, features, statistics, this connection |
//! | [`namespace`] | namespaces, sets, their numbers and configuration |
//! | [`truncate`] | truncation |
//! | [`sindex`] | secondary indexes |
//! | [`udf`] | UDFs and running queries: there are none |

mod admin;
mod cluster;
mod namespace;
mod node;
mod sindex;
mod truncate;
mod udf;

use std::net::SocketAddr;

use crate::state::State;
use crate::wire::proto::{self, FrameType};
use crate::wire::result::ResultCode;

/// What a connection's info commands remember.
pub struct Session {
    /// The address the client reached us under.
    local: SocketAddr,
    /// Whether the client has named itself; it may only once.
    has_user_agent: bool,
}

impl Session {
    pub fn new(local: SocketAddr) -> Session {
        Session {
            local,
            has_user_agent: false,
        }
    }
}

/// A command that failed: the code and the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoError {
    code: ResultCode,
    text: String,
}

/// The text after the tab.
pub type InfoResult = Result<String, InfoError>;

fn error(code: ResultCode, text: impl Into<String>) -> InfoError {
    InfoError {
        code,
        text: text.into(),
    }
}

/// One command taken apart.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    name: &'a str,
    /// What follows the name and the character after it.
    params: &'a str,
}

impl<'a> Command<'a> {
    /// The name ends at the first `:`, `/` or `;` (`parse_cmd()`).
    fn parse(text: &'a str) -> Command<'a> {
        match text.find([':', '/', ';']) {
            Some(at) => Command {
                name: &text[..at],
                params: &text[at + 1..],
            },
            None => Command {
                name: text,
                params: "",
            },
        }
    }

    /// The value of `key`, if the key is there. The value may be empty.
    fn get(&self, key: &str) -> Option<&'a str> {
        self.params
            .split(';')
            .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
    }

    /// The value of a key that must be there and not be empty (`as_info_required_param_is_ok()`).
    fn require(&self, key: &str, max: usize) -> Result<&'a str, InfoError> {
        let code = if key == "namespace" {
            ResultCode::NAMESPACE
        } else {
            ResultCode::PARAMETER
        };
        match self.get(key) {
            None => Err(error(code, format!("missing '{key}'"))),
            Some("") => Err(error(code, format!("missing '{key}' value"))),
            Some(value) if value.len() > max => Err(error(code, format!("'{key}' value too long"))),
            Some(value) => Ok(value),
        }
    }

    /// The value of a key that may be missing, but not be empty.
    fn optional(&self, key: &str, max: usize) -> Result<Option<&'a str>, InfoError> {
        self.get(key).map(|_| self.require(key, max)).transpose()
    }
}

/// Handles the body of an info frame and appends the answer.
pub fn handle(state: &State, session: &mut Session, body: &[u8], out: &mut Vec<u8>) {
    let start = proto::begin(out, FrameType::Info);
    if body.is_empty() {
        for name in node::SUMMARY {
            answer(state, session, name, out);
        }
    }
    // What follows the last line feed is not a command.
    let mut lines = body.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_some() && out.len() - start < proto::MAX_SIZE / 2 {
            // To the server a command ends at a zero byte, as all C text does.
            let text = line.split(|byte| *byte == 0).next().unwrap_or_default();
            answer(state, session, &String::from_utf8_lossy(text), out);
        }
    }
    proto::finish(out, start);
}

fn answer(state: &State, session: &mut Session, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
    out.push(b'\t');
    match dispatch(state, session, Command::parse(text)) {
        Ok(answer) => out.extend_from_slice(answer.as_bytes()),
        // The number is left out for the code "unknown" (`info_respond_error_argp()`).
        Err(error) if error.code == ResultCode::UNKNOWN => {
            out.extend_from_slice(format!("ERROR::{}", error.text).as_bytes())
        }
        Err(error) => {
            out.extend_from_slice(format!("ERROR:{}:{}", error.code.0, error.text).as_bytes())
        }
    }
    out.push(b'\n');
}

fn dispatch(state: &State, session: &mut Session, command: Command<'_>) -> InfoResult {
    admin::answer(state, command)
        .or_else(|| cluster::answer(state, session, command))
        .or_else(|| node::answer(state, session, command))
        .or_else(|| namespace::answer(state, command))
        .or_else(|| truncate::answer(state, command))
        .or_else(|| sindex::answer(state, command))
        .or_else(|| udf::answer(command))
        .unwrap_or_else(|| Err(error(ResultCode::PARAMETER, "unrecognized command")))
}
