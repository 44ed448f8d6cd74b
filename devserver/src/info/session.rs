//! What a connection's info commands remember.

use std::net::SocketAddr;

use crate::cluster::NodeIdentity;

/// What a connection's info commands remember.
pub struct Session {
    /// The address the client reached us under.
    pub local: SocketAddr,
    /// Whether the client has named itself; it may only once.
    pub has_user_agent: bool,
}

impl Session {
    pub fn new(local: SocketAddr) -> Session {
        Session {
            local,
            has_user_agent: false,
        }
    }

    /// Where this client reaches another node: nodes differ in their ports alone.
    pub fn address_of(&self, node: &NodeIdentity) -> SocketAddr {
        SocketAddr::new(self.local.ip(), node.port)
    }
}
