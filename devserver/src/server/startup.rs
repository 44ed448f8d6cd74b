//! Checks a configuration, and prepares listeners, users and certificates.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::cluster::MAX_NODES;
use crate::config::{Config, NamespaceConfig};
use crate::invalid_input::invalid_input;
use crate::port;
use crate::security::Security;
use crate::state::ConnectionSecurity;
use crate::tls::Tls;
use crate::wire::consts::MAX_NAMESPACE_NAME;

pub fn check_namespaces(namespaces: &[NamespaceConfig]) -> io::Result<()> {
    if namespaces.is_empty() {
        return refuse("at least one namespace is needed".into());
    }
    if namespaces.len() > 32 {
        return refuse(format!(
            "{} namespaces are too many: 32 is the limit",
            namespaces.len()
        ));
    }
    for (index, namespace) in namespaces.iter().enumerate() {
        let name = &namespace.name;
        let is_plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if name.is_empty() || name.len() > MAX_NAMESPACE_NAME || !is_plain {
            return refuse(format!(
                "namespace name {name:?}: 1 to 31 of the characters A-Z a-z 0-9 _ - are needed"
            ));
        }
        if namespaces
            .iter()
            .take(index)
            .any(|other| other.name == *name)
        {
            return refuse(format!("namespace {name:?} is there twice"));
        }
    }
    Ok(())
}

/// Returns a listener for each node, and its address.
pub fn listen(config: &Config) -> io::Result<Vec<(TcpListener, SocketAddr)>> {
    if !(1..=MAX_NODES).contains(&config.nodes) {
        return refuse(format!(
            "{} nodes: 1 to {MAX_NODES} can be had",
            config.nodes
        ));
    }
    if config.replication_factor == 0 {
        return refuse("a replication factor of 0 keeps nothing".into());
    }
    let mut listeners = Vec::with_capacity(config.nodes);
    for offset in 0..config.nodes as u16 {
        let port = match config.port {
            0 => 0,
            port => match port.checked_add(offset) {
                Some(port) => port,
                None => return refuse(format!("no port is left for node {offset}")),
            },
        };
        let listener = port::listen(SocketAddr::new(config.host, port))?;
        let addr = listener.local_addr()?;
        listeners.push((listener, addr));
    }
    Ok(listeners)
}

/// Returns a node ID in the server's format: the port, then a part that names the machine. Here this is the address.
pub fn node_id(addr: SocketAddr) -> String {
    let host = match addr {
        SocketAddr::V4(v4) => u32::from_be_bytes(v4.ip().octets()),
        SocketAddr::V6(v6) => v6.ip().octets().chunks(4).fold(0, |sum, part| {
            part.iter()
                .fold(sum, |sum, byte| (sum << 8) ^ u32::from(*byte))
        }),
    };
    format!("BB9{:04X}{host:08X}", addr.port())
}

/// Hashes passwords and creates certificates, if the configuration has any.
pub async fn start_connection_security(config: &Config) -> io::Result<ConnectionSecurity> {
    let security = match config.security.clone() {
        Some(config) => {
            let hashing = tokio::task::spawn_blocking(move || Security::new(&config));
            Some(Arc::new(hashing.await.map_err(io::Error::other)??))
        }
        None => None,
    };
    let tls = match &config.tls {
        Some(tls) => Some(Arc::new(Tls::new(tls, config.host)?)),
        None => None,
    };
    Ok(ConnectionSecurity { security, tls })
}

fn refuse<T>(reason: String) -> io::Result<T> {
    Err(invalid_input(reason))
}
