//! Executes the control commands of a running server.

use std::io;
use std::sync::Arc;

use super::dev_server::DevServer;
use crate::control_commands::{Command, Response, execute};
use crate::invalid_input::invalid_input;
use crate::security::Security;

impl DevServer {
    /// Executes a command.
    ///
    /// # Errors
    /// `InvalidInput`: the command is invalid, or it names something that does not exist.
    pub async fn control(&self, command: Command) -> io::Result<Response> {
        match command {
            Command::Nodes => return Ok(Response::Nodes(self.nodes().await)),
            Command::Warnings => return Ok(Response::Warnings(self.warnings())),
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
        Ok(Response::Done(()))
    }

    fn secured(&self) -> io::Result<Arc<Security>> {
        self.security()
            .ok_or_else(|| invalid_input("the server was started without security"))
    }
}
