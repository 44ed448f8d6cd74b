//! Where the cluster is and how to speak to it. Already validated.

use std::sync::Arc;
use std::time::Duration;

use super::credentials::Auth;

/// Where the cluster is and how to speak to it. Already validated.
#[derive(Clone)]
pub struct Options {
    /// Seeds, at least one.
    pub hosts: Vec<Host>,
    /// Who we are, where the cluster asks for it.
    pub auth: Auth,
    /// How to shake hands, where connections are to be encrypted, see [`tls::config`](super::tls::config).
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The longest an operation may take, everything included.
    pub timeout: Duration,
    /// The longest an attempt to connect may take, TLS and login included.
    pub connect_timeout: Duration,
    /// Connections kept per node, at the most.
    pub max_conns_per_node: usize,
    /// The name the cluster must have; any, if `None`.
    pub cluster_name: Option<String>,
    /// Use the addresses that nodes announce as their alternate ones.
    pub services_alternate: bool,
    /// The racks to read from, the best first; none: read wherever the record is.
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
    /// The name that its certificate has to be for.
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
