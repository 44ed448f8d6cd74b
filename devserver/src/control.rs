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
    /// [`DevServer::stop_node`].
    StopNode { node: usize },
    /// [`DevServer::start_node`].
    StartNode { node: usize },
    /// [`DevServer::settled`].
    Settled,
}

/// What a command answers, as JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Nodes(Vec<NodeInfo>),
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

impl DevServer {
    /// Carries out a command.
    ///
    /// # Errors
    /// `InvalidInput`: what it names is not there.
    pub async fn control(&self, command: Command) -> io::Result<Answer> {
        match command {
            Command::Nodes => return Ok(Answer::Nodes(self.nodes().await)),
            Command::StopNode { node } => self.stop_node(node).await?,
            Command::StartNode { node } => self.start_node(node).await?,
            Command::Settled => self.settled().await,
        }
        Ok(Answer::Done(()))
    }
}
