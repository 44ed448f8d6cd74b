//! What a running server can be told: one door for programs, tests and the command line.

use std::io;

use serde::{Deserialize, Serialize};

use crate::server::DevServer;

/// A command, as JSON: `{ "command": "stopNode", "node": 1 }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase", deny_unknown_fields)]
pub enum Command {
    /// The nodes, see [`NodeInfo`].
    Nodes,
}

/// What a command answers, as JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Nodes(Vec<NodeInfo>),
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

impl DevServer {
    /// Carries out a command.
    ///
    /// # Errors
    /// `InvalidInput`: what it names is not there.
    pub async fn control(&self, command: Command) -> io::Result<Answer> {
        match command {
            Command::Nodes => Ok(Answer::Nodes(self.nodes())),
        }
    }
}
