//! The server itself: what is started, and stopped, together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::startup::{check_namespaces, listen, node_id, protect};
use crate::cluster::{Cluster, ClusterConfig, NodeIdentity};
use crate::config::{Config, NamespaceConfig};
use crate::connection::Limits;
use crate::control_commands::NodeInfo;
use crate::faults::{Faults, NodeFaults};
use crate::invalid_input::invalid_input;
use crate::node::Node;
use crate::port;
use crate::security::Security;
use crate::state::{Protection, State};
use crate::storage::log::Log;
use crate::storage::namespace::Namespace;
use crate::storage::nsup;
use crate::tls::TlsIdentity;

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
            chores.spawn(nsup::sweep_periodically(Arc::clone(namespace)));
        }
        if let Some(log) = &log {
            chores.spawn(Arc::clone(log).compact_when_wasteful(namespaces.clone()));
        }
        let settings = ClusterConfig {
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
        let faults = NodeFaults::new(Arc::clone(&self.faults), number);
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
            None => Err(invalid_input(format!(
                "there is no node {number}: the nodes are 0 to {}",
                self.seats.len() - 1
            ))),
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
