//! The server itself: what is started, and stopped, together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, MAX_NODES, NodeIdentity, Settings};
use crate::config::{Config, NamespaceConfig};
use crate::connection::Limits;
use crate::control::NodeInfo;
use crate::faults::Faults;
use crate::node::Node;
use crate::port;
use crate::security::Security;
use crate::state::{Protection, State};
use crate::storage::expiry;
use crate::storage::log::Log;
use crate::storage::namespace::Namespace;
use crate::tls::{Tls, TlsIdentity};
use crate::wire::consts::MAX_NAMESPACE_NAME;

/// A running server, of one node or several. Dropping it stops it without waiting; [`DevServer::stop`] also waits.
pub struct DevServer {
    seats: Vec<Seat>,
    cluster: Arc<Cluster>,
    protection: Protection,
    pub(crate) faults: Arc<Faults>,
    pub(crate) namespaces: Vec<Arc<Namespace>>,
    limits: Limits,
    max_connections: usize,
    log: Option<Arc<Log>>,
    /// What goes on besides connections: sweeping, compacting.
    chores: Mutex<JoinSet<()>>,
}

/// The place of a node, whether it runs or not.
struct Seat {
    addr: SocketAddr,
    node: tokio::sync::Mutex<Option<Node>>,
}

impl DevServer {
    /// Starts a server in the tokio runtime this is called in; it takes milliseconds.
    ///
    /// # Errors
    /// An address that cannot be listened on; a configuration that makes no sense (`InvalidInput`); a data file
    /// that cannot be used (`InvalidData` when it is not one of ours).
    pub async fn start(config: Config) -> io::Result<DevServer> {
        check_namespaces(&config.namespaces)?;
        let listeners = listen(&config)?;
        let namespaces: Vec<_> = config
            .namespaces
            .iter()
            .map(|namespace| {
                let data_size = config.memory.unwrap_or(namespace.data_size);
                let namespace = namespace.clone();
                Arc::new(Namespace::new(NamespaceConfig {
                    data_size,
                    ..namespace
                }))
            })
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
        let protection = protect(&config).await?;
        let mut chores = JoinSet::new();
        for namespace in &namespaces {
            chores.spawn(expiry::sweep_periodically(Arc::clone(namespace)));
        }
        if let Some(log) = &log {
            chores.spawn(Arc::clone(log).compact_when_wasteful(namespaces.clone()));
        }
        let settings = Settings {
            name: config.cluster_name,
            nodes: listeners
                .iter()
                .enumerate()
                .map(|(node, (_, addr))| NodeIdentity {
                    id: node_id(*addr),
                    port: addr.port(),
                    rack: config.racks.get(node).copied(),
                })
                .collect(),
            replication_factor: config.replication_factor,
            heartbeat_timeout: config.heartbeat_timeout,
            migration_time: config.migration_time,
            is_durable: log.is_some(),
        };
        let mut server = DevServer {
            seats: Vec::new(),
            cluster: Cluster::new(settings, namespaces.clone()),
            protection,
            faults: Faults::new(listeners.len()),
            namespaces,
            limits: Limits {
                idle: config.idle_timeout,
                transfer: config.transfer_timeout,
            },
            max_connections: config.max_connections,
            log,
            chores: Mutex::new(chores),
        };
        for (number, (listener, addr)) in listeners.into_iter().enumerate() {
            let node = server.serve(number, listener);
            server.seats.push(Seat {
                addr,
                node: tokio::sync::Mutex::new(Some(node)),
            });
        }
        Ok(server)
    }

    fn serve(&self, number: usize, listener: TcpListener) -> Node {
        let cluster = Arc::clone(&self.cluster);
        let protection = self.protection.clone();
        let faults = self.faults.at(number);
        let state = State::new(self.namespaces.clone(), cluster, faults, number, protection);
        let state = Arc::new(state);
        Node::start(listener, state, self.limits, self.max_connections)
    }

    /// The address clients connect to: that of the first node.
    pub fn addr(&self) -> SocketAddr {
        self.seats[0].addr
    }

    /// The nodes, in the order of their numbers.
    pub async fn nodes(&self) -> Vec<NodeInfo> {
        let mut nodes = Vec::with_capacity(self.seats.len());
        for (number, seat) in self.seats.iter().enumerate() {
            nodes.push(NodeInfo {
                address: seat.addr.to_string(),
                name: self.cluster.node_id(number).to_owned(),
                is_running: seat.node.lock().await.is_some(),
            });
        }
        nodes
    }

    /// Stops a node as a kill would: its connections are closed and its records are lost. The others notice after
    /// the heartbeat timeout. Does nothing to a node that is stopped.
    ///
    /// # Errors
    /// `InvalidInput`: there is no such node.
    pub async fn stop_node(&self, number: usize) -> io::Result<()> {
        let mut node = self.seat(number)?.node.lock().await;
        if let Some(node) = node.take() {
            self.cluster.leave(number);
            node.stop().await;
        }
        Ok(())
    }

    /// Starts a node again, on the port it had. It joins the others empty, and is sent its share of the records.
    /// Does nothing to a node that runs.
    ///
    /// # Errors
    /// `InvalidInput`: there is no such node. An address that somebody else has taken.
    pub async fn start_node(&self, number: usize) -> io::Result<()> {
        let seat = self.seat(number)?;
        let mut node = seat.node.lock().await;
        if node.is_none() {
            let listener = port::listen(seat.addr)?;
            self.cluster.join(number);
            *node = Some(self.serve(number, listener));
        }
        Ok(())
    }

    fn seat(&self, number: usize) -> io::Result<&Seat> {
        match self.seats.get(number) {
            Some(seat) => Ok(seat),
            None => refuse(format!(
                "there is no node {number}: the nodes are 0 to {}",
                self.seats.len() - 1
            )),
        }
    }

    /// Waits until the nodes know of each other who runs, and the records are where they are to be.
    pub async fn settled(&self) {
        self.cluster.settled().await;
    }

    /// What clients need for TLS, if it is on.
    pub fn tls(&self) -> Option<&TlsIdentity> {
        Some(&self.protection.tls.as_deref()?.identity)
    }

    /// Those who may log in, if anybody has to.
    pub(crate) fn security(&self) -> Option<Arc<Security>> {
        self.protection.security.clone()
    }

    /// What the person who started the server should know, in words: that the data file was damaged.
    pub fn warnings(&self) -> Vec<String> {
        let warning = self.log.as_ref().and_then(|log| log.warning());
        warning.map(str::to_owned).into_iter().collect()
    }

    /// How many records a namespace holds, expired ones that were not swept yet included.
    pub fn objects(&self, namespace: &str) -> Option<u64> {
        let mut namespaces = self.namespaces.iter();
        let namespace = namespaces.find(|known| known.name() == namespace)?;
        Some(namespace.objects.load(Ordering::Relaxed))
    }

    /// Closes the listeners and every connection, writes out the data file, and waits until all of it is done.
    /// Calling it again does no harm.
    pub async fn stop(&self) {
        for seat in &self.seats {
            if let Some(node) = seat.node.lock().await.take() {
                node.stop().await;
            }
        }
        // Nobody waits for a fault that can strike no more.
        self.faults.clear(|_| true).await;
        let mut chores = std::mem::take(&mut *self.chores.lock());
        chores.shutdown().await;
        if let Some(log) = &self.log {
            log.close();
        }
    }
}

/// Hashes passwords and makes certificates, if there are to be any.
async fn protect(config: &Config) -> io::Result<Protection> {
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
    Ok(Protection { security, tls })
}

/// A listener for each node, and its address.
fn listen(config: &Config) -> io::Result<Vec<(TcpListener, SocketAddr)>> {
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

fn refuse<T>(text: String) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

fn check_namespaces(namespaces: &[NamespaceConfig]) -> io::Result<()> {
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
