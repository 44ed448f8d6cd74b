//! The state of a connection's info commands.

use std::net::SocketAddr;

use crate::cluster::NodeIdentity;

/// The state of a connection's info commands.
pub struct Session {
    /// The server address that the client connected to.
    pub local: SocketAddr,
    /// Whether the client has set its user agent, which is allowed once.
    pub has_user_agent: bool,
}

impl Session {
    pub fn new(local: SocketAddr) -> Session {
        Session {
            local,
            has_user_agent: false,
        }
    }

    /// Returns the address of another node for this client. Nodes differ only in their ports.
    pub fn address_of(&self, node: &NodeIdentity) -> SocketAddr {
        SocketAddr::new(self.local.ip(), node.port)
    }
}
