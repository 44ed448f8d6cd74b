//! Commands for a running server, and those that need only what all nodes share.

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
    /// [`DevServer::warnings`].
    Warnings,
    /// [`DevServer::stop_node`].
    StopNode { node: usize },
    /// [`DevServer::start_node`].
    StartNode { node: usize },
    /// [`DevServer::settled`].
    Settled,
    /// Gives a user another password. Tokens and connections he has stay good.
    SetPassword { user: String, password: Password },
    /// Lets all session tokens given out so far expire; new connections have to log in with a password again.
    ExpireSessions {
        /// Close all connections too, so that clients have to make new ones at once.
        disconnect: bool,
    },
    /// Sets a fault.
    Inject { fault: Spec },
    /// The faults that are set, those that are over included.
    Faults,
    /// How often a fault struck, as soon as that is as often as `at_least`, or the fault is over.
    Struck {
        id: u64,
        #[serde(default)]
        at_least: u64,
    },
    /// Takes a fault back.
    ClearFault { id: u64 },
    /// Takes all faults back, or those of a kind, or those set for one node.
    ClearFaults {
        kind: Option<Kind>,
        node: Option<usize>,
    },
    /// Changes the settings of a namespace, on all nodes.
    Configure { namespace: String, settings: Change },
}

/// What a command answers, as JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Nodes(Vec<NodeInfo>),
    Warnings(Vec<String>),
    Fault(Box<FaultInfo>),
    Faults(Vec<FaultInfo>),
    Struck(u64),
    /// There is nothing to say: it is done.
    Done(()),
}

/// One node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeInfo {
    /// Where clients connect to: `127.0.0.1:3000`.
    pub address: String,
    /// The name clients know it by: sixteen hex digits.
    pub name: String,
    /// Whether it takes connections.
    pub is_running: bool,
}

/// Carries out a command that takes no more than what all nodes share.
///
/// # Errors
/// `InvalidInput`: it makes no sense, or what it names is not there.
pub async fn execute(
    faults: &Faults,
    namespaces: &[Arc<Namespace>],
    command: Command,
) -> io::Result<Answer> {
    match command {
        Command::Inject { fault } => {
            let fault = faults.inject(fault).await.map_err(invalid_input)?;
            Ok(Answer::Fault(Box::new(fault)))
        }
        Command::Faults => Ok(Answer::Faults(faults.list())),
        Command::Struck { id, at_least } => {
            let struck = faults.struck(id, at_least).await;
            struck.map(Answer::Struck).ok_or_else(|| no_fault(id))
        }
        Command::ClearFault { id } => {
            let gone = faults.clear(|fault| fault.id == id).await.pop();
            let gone = gone.ok_or_else(|| no_fault(id))?;
            Ok(Answer::Fault(Box::new(gone)))
        }
        Command::ClearFaults { kind, node } => {
            let goes = |fault: &FaultInfo| {
                kind.is_none_or(|kind| fault.spec.kind == kind)
                    && (node.is_none() || fault.spec.node == node)
            };
            Ok(Answer::Faults(faults.clear(goes).await))
        }
        Command::Configure {
            namespace,
            settings,
        } => {
            let found = namespaces.iter().find(|known| known.name() == namespace);
            let found = found
                .ok_or_else(|| invalid_input(format!("there is no namespace '{namespace}'")))?;
            found.settings.change(&settings).map_err(invalid_input)?;
            Ok(Answer::Done(()))
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

/// What is wrong with a command's JSON, without the place: commands are written by programs.
pub fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
