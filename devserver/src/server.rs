//! The server itself: what is started, and stopped, together.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::config::{Config, NamespaceConfig};
use crate::connection::Limits;
use crate::control::NodeInfo;
use crate::node::{self, Node};
use crate::state::{Connections, NodeIdentity, State};
use crate::storage::expiry;
use crate::storage::log::Log;
use crate::storage::namespace::Namespace;
use crate::wire::consts::MAX_NAMESPACE_NAME;

/// A running server. Dropping it stops it without waiting; [`DevServer::stop`] also waits.
pub struct DevServer {
    addr: SocketAddr,
    state: Arc<State>,
    node: Node,
    log: Option<Arc<Log>>,
    /// What goes on besides connections: sweeping, compacting.
    chores: Mutex<JoinSet<()>>,
}

impl DevServer {
    /// Starts a server in the tokio runtime this is called in; it takes milliseconds.
    ///
    /// # Errors
    /// An address that cannot be listened on; a configuration that makes no sense (`InvalidInput`); a data file
    /// that cannot be used (`InvalidData` when it is not one of ours).
    pub async fn start(config: Config) -> io::Result<DevServer> {
        check_namespaces(&config.namespaces)?;
        let listener = node::listen(SocketAddr::new(config.host, config.port))?;
        let addr = listener.local_addr()?;
        let namespaces: Vec<_> = config
            .namespaces
            .iter()
            .map(|config| Arc::new(Namespace::new(config.clone())))
            .collect();
        let log = match config.data_file.clone() {
            Some(path) => {
                let namespaces = namespaces.clone();
                let opened =
                    tokio::task::spawn_blocking(move || Log::open(&path, &namespaces)).await;
                Some(opened.map_err(io::Error::other)??)
            }
            None => None,
        };
        let mut chores = JoinSet::new();
        for namespace in &namespaces {
            if namespace.config.nsup_period > 0 {
                chores.spawn(expiry::sweep_periodically(Arc::clone(namespace)));
            }
        }
        if let Some(log) = &log {
            chores.spawn(Arc::clone(log).compact_when_wasteful(namespaces.clone()));
        }
        let state = Arc::new(State {
            namespaces,
            node: NodeIdentity {
                id: node_id(addr),
                cluster_name: config.cluster_name,
            },
            started: Instant::now(),
            connections: Connections::default(),
        });
        let limits = Limits {
            idle: config.idle_timeout,
            transfer: config.transfer_timeout,
        };
        let node = Node::start(listener, Arc::clone(&state), limits, config.max_connections);
        Ok(DevServer {
            addr,
            state,
            node,
            log,
            chores: Mutex::new(chores),
        })
    }

    /// The address clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The nodes, in the order of their numbers.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        vec![NodeInfo {
            address: self.addr.to_string(),
            name: self.state.node.id.clone(),
            is_running: true,
        }]
    }

    /// How many records a namespace holds, expired ones that were not swept yet included.
    pub fn objects(&self, namespace: &str) -> Option<u64> {
        let namespace = self.state.namespace(Some(namespace.as_bytes())).ok()?;
        Some(namespace.objects.load(Ordering::Relaxed))
    }

    /// Closes the listener and every connection, writes out the data file, and waits until all of it is done.
    /// Calling it again does no harm.
    pub async fn stop(&self) {
        self.node.stop().await;
        let mut chores = std::mem::take(&mut *self.chores.lock());
        chores.shutdown().await;
        if let Some(log) = &self.log {
            log.close();
        }
    }
}

/// A node id as the server makes them: the port, then something of the machine; here the address.
fn node_id(addr: SocketAddr) -> String {
    let host = match addr {
        SocketAddr::V4(v4) => u32::from_be_bytes(v4.ip().octets()),
        SocketAddr::V6(v6) => v6.ip().octets().chunks(4).fold(0, |sum, part| {
            part.iter()
                .fold(sum, |sum, byte| (sum << 8) ^ u32::from(*byte))
        }),
    };
    format!("BB9{:04X}{host:08X}", addr.port())
}

fn check_namespaces(namespaces: &[NamespaceConfig]) -> io::Result<()> {
    let refuse = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
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
