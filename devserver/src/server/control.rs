//! Carries out commands for a running server.

use std::io;
use std::sync::Arc;

use super::dev_server::DevServer;
use crate::control_commands::{Answer, Command, execute};
use crate::invalid_input::invalid_input;
use crate::security::Security;

impl DevServer {
    /// Carries out a command.
    ///
    /// # Errors
    /// `InvalidInput`: it makes no sense, or what it names is not there.
    pub async fn control(&self, command: Command) -> io::Result<Answer> {
        match command {
            Command::Nodes => return Ok(Answer::Nodes(self.nodes().await)),
            Command::Warnings => return Ok(Answer::Warnings(self.warnings())),
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
            command => return execute(&self.faults, &self.namespaces, command).await,
        }
        Ok(Answer::Done(()))
    }

    fn secured(&self) -> io::Result<Arc<Security>> {
        self.security()
            .ok_or_else(|| invalid_input("the server was started without security"))
    }
}
