//! The server: starts and stops nodes, data file and background tasks together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::startup::{check_namespaces, listen, node_id, start_connection_security};
use crate::cluster::{Cluster, ClusterConfig, NodeIdentity};
use crate::config::{Config, NamespaceConfig};
use crate::connection::Limits;
use crate::control_commands::NodeInfo;
use crate::faults::{Faults, NodeFaults};
use crate::invalid_input::invalid_input;
use crate::node::Node;
use crate::port;
use crate::security::Security;
use crate::state::{ConnectionSecurity, State};
use crate::storage::log::Log;
use crate::storage::namespace::Namespace;
use crate::storage::nsup;
use crate::tls::TlsIdentity;

/// A running server, of one node or several. Dropping it stops it without waiting; [`DevServer::stop`] also waits.
pub struct DevServer {
    slots: Vec<NodeSlot>,
    cluster: Arc<Cluster>,
    connection_security: ConnectionSecurity,
    pub(crate) faults: Arc<Faults>,
    pub(crate) namespaces: Vec<Arc<Namespace>>,
    limits: Limits,
    max_connections: usize,
    log: Option<Arc<Log>>,
    /// Tasks besides connections: expiry and compaction.
    background_tasks: Mutex<JoinSet<()>>,
}

/// A node of the cluster, whether it runs or not.
struct NodeSlot {
    addr: SocketAddr,
    node: tokio::sync::Mutex<Option<Node>>,
}

impl DevServer {
    /// Starts a server in the current Tokio runtime. This takes milliseconds.
    ///
    /// # Errors
    /// An address that is not available. An invalid configuration (`InvalidInput`). A data file that cannot be used
    /// (`InvalidData` if it is not a data file of this server).
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
        let connection_security = start_connection_security(&config).await?;
        let mut background_tasks = JoinSet::new();
        for namespace in &namespaces {
            background_tasks.spawn(nsup::sweep_periodically(Arc::clone(namespace)));
        }
        if let Some(log) = &log {
            background_tasks.spawn(Arc::clone(log).compact_when_needed(namespaces.clone()));
        }
        let cluster_config = ClusterConfig {
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
            slots: Vec::new(),
            cluster: Cluster::new(cluster_config, namespaces.clone()),
            connection_security,
            faults: Faults::new(listeners.len()),
            namespaces,
            limits: Limits {
                idle: config.idle_timeout,
                transfer: config.transfer_timeout,
            },
            max_connections: config.max_connections,
            log,
            background_tasks: Mutex::new(background_tasks),
        };
        for (number, (listener, addr)) in listeners.into_iter().enumerate() {
            let node = server.start_node_task(number, listener);
            server.slots.push(NodeSlot {
                addr,
                node: tokio::sync::Mutex::new(Some(node)),
            });
        }
        Ok(server)
    }

    fn start_node_task(&self, number: usize, listener: TcpListener) -> Node {
        let cluster = Arc::clone(&self.cluster);
        let connection_security = self.connection_security.clone();
        let faults = NodeFaults::new(Arc::clone(&self.faults), number);
        let state = State::new(
            self.namespaces.clone(),
            cluster,
            faults,
            number,
            connection_security,
        );
        let state = Arc::new(state);
        Node::start(listener, state, self.limits, self.max_connections)
    }

    /// Returns the address of the first node.
    pub fn addr(&self) -> SocketAddr {
        self.slots[0].addr
    }

    /// Returns the nodes in the order of their numbers.
    pub async fn nodes(&self) -> Vec<NodeInfo> {
        let mut nodes = Vec::with_capacity(self.slots.len());
        for (number, slot) in self.slots.iter().enumerate() {
            nodes.push(NodeInfo {
                address: slot.addr.to_string(),
                name: self.cluster.node_id(number).to_owned(),
                is_running: slot.node.lock().await.is_some(),
            });
        }
        nodes
    }

    /// Stops a node as `kill -9` does: its connections are closed and its records are lost. The other nodes notice
    /// after the heartbeat timeout. Does nothing if the node is stopped.
    ///
    /// # Errors
    /// `InvalidInput`: there is no such node.
    pub async fn stop_node(&self, number: usize) -> io::Result<()> {
        let mut node = self.slot(number)?.node.lock().await;
        if let Some(node) = node.take() {
            self.cluster.leave(number);
            node.stop().await;
        }
        Ok(())
    }

    /// Starts a node again on its old port. It joins the cluster without records, and receives its part of them. Does
    /// nothing if the node runs.
    ///
    /// # Errors
    /// `InvalidInput`: there is no such node. Another error if the port is in use.
    pub async fn start_node(&self, number: usize) -> io::Result<()> {
        let slot = self.slot(number)?;
        let mut node = slot.node.lock().await;
        if node.is_none() {
            let listener = port::listen(slot.addr)?;
            self.cluster.join(number);
            *node = Some(self.start_node_task(number, listener));
        }
        Ok(())
    }

    fn slot(&self, number: usize) -> io::Result<&NodeSlot> {
        match self.slots.get(number) {
            Some(slot) => Ok(slot),
            None => Err(invalid_input(format!(
                "there is no node {number}: the nodes are 0 to {}",
                self.slots.len() - 1
            ))),
        }
    }

    /// Waits until all nodes agree on the members of the cluster, and all migrations are done.
    pub async fn settled(&self) {
        self.cluster.settled().await;
    }

    /// Returns what clients need for TLS, if it is on.
    pub fn tls(&self) -> Option<&TlsIdentity> {
        Some(&self.connection_security.tls.as_deref()?.identity)
    }

    /// Returns the users, if security is on.
    pub(crate) fn security(&self) -> Option<Arc<Security>> {
        self.connection_security.security.clone()
    }

    /// Returns warnings for the person who started the server: that the data file was damaged.
    pub fn warnings(&self) -> Vec<String> {
        let warning = self.log.as_ref().and_then(|log| log.warning());
        warning.map(str::to_owned).into_iter().collect()
    }

    /// Returns the number of records of a namespace, including expired records that were not removed yet.
    pub fn objects(&self, namespace: &str) -> Option<u64> {
        let mut namespaces = self.namespaces.iter();
        let namespace = namespaces.find(|known| known.name() == namespace)?;
        Some(namespace.objects.load(Ordering::Relaxed))
    }

    /// Closes the listeners and every connection, writes the data file to disk, and waits until all of this is done.
    /// May be called more than once.
    pub async fn stop(&self) {
        for slot in &self.slots {
            if let Some(node) = slot.node.lock().await.take() {
                node.stop().await;
            }
        }
        // Ends every wait for a fault, which cannot strike any more.
        self.faults.clear(|_| true).await;
        let mut background_tasks = std::mem::take(&mut *self.background_tasks.lock());
        background_tasks.shutdown().await;
        if let Some(log) = &self.log {
            log.close();
        }
    }
}
