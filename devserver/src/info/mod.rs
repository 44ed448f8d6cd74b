//! Text commands: what clients ask when they connect and tend, what tools ask, truncation.
//!
//! A request is commands, each ended by a line feed; each is answered by itself, a tab, the answer, a line feed.
//! A command is a name, then `/arg/arg` or `:key=value;key=value`. Source: `as/src/base/thr_info.c`.
//!
//! | file | commands |
//! |---|---|
//! | [`cluster`] | who the nodes are and which partitions they own |
//! | [`node`] | build, features, this connection |
//! | [`statistics`] | the node's numbers, histograms, health |
//! | [`namespace`] | namespaces, sets, their numbers |
//! | [`config`] | configuration |
//! | [`set_config`] | the settings of a namespace that can change |
//! | [`truncate`] | truncation |
//! | [`sindex`] | secondary indexes |
//! | [`query`] | background queries |
//! | [`udf`] | UDFs: there are none |
//! | [`log`] | the server's log |
//! | [`operator`] | dumps and repairs |
//!
//! [`template`] has the names of the long answers.

mod cluster;
mod config;
mod log;
mod namespace;
mod node;
mod operator;
mod query;
mod set_config;
mod sindex;
mod statistics;
mod template;
mod truncate;
mod udf;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::cluster::NodeIdentity;
use crate::security::{Access, permission};
use crate::state::State;
use crate::storage::namespace::Namespace;
use crate::wire::consts::MAX_NAMESPACE_NAME;
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

    /// Where this client reaches another node: nodes differ in their ports alone.
    fn address_of(&self, node: &NodeIdentity) -> SocketAddr {
        SocketAddr::new(self.local.ip(), node.port)
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

/// For what the server does and we do not.
fn not_made() -> InfoError {
    error(
        ResultCode::UNSUPPORTED_FEATURE,
        "not made by the development server",
    )
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
pub fn handle(
    state: &State,
    session: &mut Session,
    access: &Access,
    body: &[u8],
    out: &mut Vec<u8>,
) {
    let start = proto::begin(out, FrameType::Info);
    if let Err(code) = access.known() {
        // One line for all commands, none of which is repeated (`authenticate()`).
        write_error(&error(code, "not authenticated"), out);
        out.push(b'\n');
        return proto::finish(out, start);
    }
    if body.is_empty() {
        for name in node::SUMMARY {
            answer(state, session, access, name, out);
        }
    }
    // What follows the last line feed is not a command.
    let mut lines = body.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_some() && out.len() - start < proto::MAX_SIZE / 2 {
            // To the server a command ends at a zero byte, as all C text does.
            let text = line.split(|byte| *byte == 0).next().unwrap_or_default();
            answer(state, session, access, &String::from_utf8_lossy(text), out);
        }
    }
    proto::finish(out, start);
}

fn answer(state: &State, session: &mut Session, access: &Access, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
    out.push(b'\t');
    let command = Command::parse(text);
    match check(access, command).and_then(|()| dispatch(state, session, command)) {
        Ok(answer) => out.extend_from_slice(answer.as_bytes()),
        Err(error) => write_error(&error, out),
    }
    out.push(b'\n');
}

/// The number is left out for the code "unknown" (`info_respond_error_argp()`).
fn write_error(error: &InfoError, out: &mut Vec<u8>) {
    let text = if error.code == ResultCode::UNKNOWN {
        format!("ERROR::{}", error.text)
    } else {
        format!("ERROR:{}:{}", error.code.0, error.text)
    };
    out.extend_from_slice(text.as_bytes());
}

/// Whether a client may use a command (`handle_cmd()`).
fn check(access: &Access, command: Command<'_>) -> Result<(), InfoError> {
    let needed = Access::of_info_command(command.name);
    let namespace = command.get("namespace").or_else(|| command.get("ns"));
    let allowed = match namespace {
        Some(name) => access.allows_in(
            needed,
            name,
            command.get("set").unwrap_or_default().as_bytes(),
        ),
        None => access.allows(needed),
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
    cluster::answer(state, session, command)
        .or_else(|| node::answer(session, command))
        .or_else(|| statistics::answer(state, command))
        .or_else(|| namespace::answer(state, command))
        .or_else(|| config::answer(state, session, command))
        .or_else(|| truncate::answer(state, command))
        .or_else(|| sindex::answer(state, command))
        .or_else(|| query::answer(state, command))
        .or_else(|| udf::answer(command))
        .or_else(|| log::answer(command))
        .or_else(|| operator::answer(state, command))
        .unwrap_or_else(|| Err(error(ResultCode::PARAMETER, "unrecognized command")))
}

/// The name of a namespace that must be given, under `alias` if need be
/// (`as_info_param_get_namespace_ns()` and `as_info_param_get_namespace_id()`).
fn namespace_name<'a>(command: Command<'a>, alias: &str) -> Result<&'a str, InfoError> {
    let refuse = |text: &str| Err(error(ResultCode::NAMESPACE, text));
    match command.get("namespace").or_else(|| command.get(alias)) {
        None => refuse("missing 'namespace'"),
        Some("") => refuse("missing 'namespace' value"),
        Some(name) if name.len() > MAX_NAMESPACE_NAME => refuse("'namespace' value too long"),
        Some(name) => Ok(name),
    }
}

/// The namespace that must be given, and be here.
fn local_namespace<'s>(
    state: &'s State,
    command: Command<'_>,
    alias: &str,
) -> Result<&'s Arc<Namespace>, InfoError> {
    let name = namespace_name(command, alias)?;
    state
        .namespace(Some(name.as_bytes()))
        .map_err(|code| error(code, "namespace not found on node"))
}

/// Reads a number as C's `strtoul(text, &end, 0)` does: decimal, hex or octal. `None` when there is more, or nothing.
fn c_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}
