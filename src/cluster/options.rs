//! Options of the connection to a cluster.

use std::sync::Arc;
use std::time::Duration;

use super::credentials::Auth;

/// How to connect to a cluster. Already validated.
#[derive(Clone)]
pub struct Options {
    /// Seeds, at least one.
    pub hosts: Vec<Host>,
    /// How to log in, if the cluster requires a login.
    pub auth: Auth,
    /// The TLS configuration, see [`tls::config`](super::tls::config). `None`: connections are not encrypted.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The longest an operation may take, with all its attempts.
    pub timeout: Duration,
    /// The longest an attempt to connect may take, TLS and login included.
    pub connect_timeout: Duration,
    /// The most connections to each node.
    pub max_conns_per_node: usize,
    /// The name the cluster must have. `None`: any name.
    pub cluster_name: Option<String>,
    /// Use the alternate addresses that the nodes announce.
    pub services_alternate: bool,
    /// The racks to read from, in order of preference. Empty: read from the master.
    pub rack_ids: Vec<usize>,
}

/// One seed.
#[derive(Debug, Clone)]
pub struct Host {
    pub name: String,
    pub port: u16,
    /// The name in the node's certificate.
    pub tls_name: Option<String>,
}

impl Host {
    /// Returns the name that its certificate must be for.
    pub fn certified_name(&self) -> &str {
        self.tls_name.as_deref().unwrap_or(&self.name)
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}
