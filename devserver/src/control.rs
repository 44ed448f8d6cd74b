//! What a running server can be told: one door for programs, tests and the command line.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::security::{Password, Security};
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
    /// Gives a user another password. Tokens and connections he has stay good.
    SetPassword { user: String, password: Password },
    /// Lets all session tokens given out so far expire; new connections have to log in with a password again.
    ExpireSessions {
        /// Close all connections too, so that clients have to make new ones at once.
        disconnect: bool,
    },
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
            Command::SetPassword { user, password } => {
                let security = self.secured()?;
                let change =
                    tokio::task::spawn_blocking(move || security.set_password(&user, &password));
                change.await.map_err(io::Error::other)??;
            }
            Command::ExpireSessions { disconnect } => {
                let security = self.secured()?;
                security.expire_sessions();
                if disconnect {
                    security.disconnect();
                }
            }
        }
        Ok(Answer::Done(()))
    }

    fn secured(&self) -> io::Result<Arc<Security>> {
        self.security().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "the server was started without security",
            )
        })
    }
}
