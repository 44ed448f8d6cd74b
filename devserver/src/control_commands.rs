//! Control commands for a running server: their JSON, and the execution of those that need only what all nodes share.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::faults::{FaultInfo, Faults, Kind, Spec};
use crate::invalid_input::invalid_input;
use crate::security::Password;
use crate::storage::namespace::Namespace;
use crate::storage::settings::Change;

/// A command, as JSON: `{ "command": "inject", "fault": { "kind": "latency", "ms": 20 } }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    tag = "command",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Command {
    /// The nodes, see [`NodeInfo`].
    Nodes,
    /// [`crate::DevServer::warnings`].
    Warnings,
    /// [`crate::DevServer::stop_node`].
    StopNode { node: usize },
    /// [`crate::DevServer::start_node`].
    StartNode { node: usize },
    /// [`crate::DevServer::settled`].
    Settled,
    /// Changes the password of a user. Tokens and connections stay valid.
    SetPassword { user: String, password: Password },
    /// Expires all session tokens issued so far. New connections need a password.
    ExpireSessions {
        /// Also close all connections, so that clients reconnect at once.
        disconnect: bool,
    },
    /// Sets a fault.
    Inject { fault: Spec },
    /// The faults that are set, including those that are over.
    Faults,
    /// Waits until a fault has struck `at_least` times or is over, and returns how often it struck.
    Struck {
        id: u64,
        #[serde(default)]
        at_least: u64,
    },
    /// Removes a fault.
    ClearFault { id: u64 },
    /// Removes all faults, or those of one kind or of one node.
    ClearFaults {
        kind: Option<Kind>,
        node: Option<usize>,
    },
    /// Changes the settings of a namespace, on all nodes.
    Configure { namespace: String, settings: Change },
}

/// The response to a command, as JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    Nodes(Vec<NodeInfo>),
    Warnings(Vec<String>),
    Fault(Box<FaultInfo>),
    Faults(Vec<FaultInfo>),
    Struck(u64),
    /// The command has no result.
    Done(()),
}

/// One node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeInfo {
    /// The address that clients connect to: `127.0.0.1:3000`.
    pub address: String,
    /// The node ID: sixteen hexadecimal digits.
    pub name: String,
    /// Whether the node runs.
    pub is_running: bool,
}

/// Executes a command that needs only what all nodes share.
///
/// # Errors
/// `InvalidInput`: the command is invalid, or it names something that does not exist.
pub async fn execute(
    faults: &Faults,
    namespaces: &[Arc<Namespace>],
    command: Command,
) -> io::Result<Response> {
    match command {
        Command::Inject { fault } => {
            let fault = faults.inject(fault).await.map_err(invalid_input)?;
            Ok(Response::Fault(Box::new(fault)))
        }
        Command::Faults => Ok(Response::Faults(faults.list())),
        Command::Struck { id, at_least } => {
            let struck = faults.struck(id, at_least).await;
            struck.map(Response::Struck).ok_or_else(|| no_fault(id))
        }
        Command::ClearFault { id } => {
            let gone = faults.clear(|fault| fault.id == id).await.pop();
            let gone = gone.ok_or_else(|| no_fault(id))?;
            Ok(Response::Fault(Box::new(gone)))
        }
        Command::ClearFaults { kind, node } => {
            let goes = |fault: &FaultInfo| {
                kind.is_none_or(|kind| fault.spec.kind == kind)
                    && (node.is_none() || fault.spec.node == node)
            };
            Ok(Response::Faults(faults.clear(goes).await))
        }
        Command::Configure {
            namespace,
            settings,
        } => {
            let found = namespaces.iter().find(|known| known.name() == namespace);
            let found = found
                .ok_or_else(|| invalid_input(format!("there is no namespace '{namespace}'")))?;
            found.settings.change(&settings).map_err(invalid_input)?;
            Ok(Response::Done(()))
        }
        Command::Nodes
        | Command::Warnings
        | Command::StopNode { .. }
        | Command::StartNode { .. }
        | Command::Settled
        | Command::SetPassword { .. }
        | Command::ExpireSessions { .. } => Err(invalid_input(
            "only the program that started the server can do that",
        )),
    }
}

fn no_fault(id: u64) -> io::Error {
    invalid_input(format!("there is no fault {id}"))
}

/// Describes an error in a command's JSON. The position is left out, because commands are written by programs.
pub fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
