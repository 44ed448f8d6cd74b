//! The server itself: starts, takes connections, stops.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{watch, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use crate::config::{Config, NamespaceConfig};
use crate::connection::{Connection, Limits};
use crate::state::{Connections, NodeIdentity, State};
use crate::storage::expiry;
use crate::storage::log::Log;
use crate::storage::namespace::Namespace;
use crate::wire::consts::MAX_NAMESPACE_NAME;

/// Connections the kernel may hold for us before we take them.
const BACKLOG: i32 = 1024;

/// A running server. Dropping it stops it without waiting; [`DevServer::stop`] also waits.
pub struct DevServer {
    addr: SocketAddr,
    state: Arc<State>,
    log: Option<Arc<Log>>,
    stopping: watch::Sender<bool>,
    accepting: Mutex<Option<JoinHandle<()>>>,
    stopped: watch::Receiver<bool>,
}

impl DevServer {
    /// Starts a server in the tokio runtime this is called in; it takes milliseconds.
    ///
    /// # Errors
    /// An address that cannot be listened on; a configuration that makes no sense (`InvalidInput`); a data file
    /// that cannot be used (`InvalidData` when it is not one of ours).
    pub async fn start(config: Config) -> io::Result<DevServer> {
        check_namespaces(&config.namespaces)?;
        let listener = listen(SocketAddr::new(config.host, config.port))?;
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
        let state = Arc::new(State {
            namespaces,
            node: NodeIdentity {
                id: node_id(addr),
                cluster_name: config.cluster_name.clone(),
            },
            started: Instant::now(),
            connections: Connections::default(),
        });
        let (stopping, is_stopping) = watch::channel(false);
        let (has_stopped, stopped) = watch::channel(false);
        let limits = Limits {
            idle: config.idle_timeout,
            transfer: config.transfer_timeout,
        };
        let accepting = tokio::spawn(accept(
            listener,
            Arc::clone(&state),
            log.clone(),
            limits,
            config.max_connections,
            is_stopping,
            has_stopped,
        ));
        Ok(DevServer {
            addr,
            state,
            log,
            stopping,
            accepting: Mutex::new(Some(accepting)),
            stopped,
        })
    }

    /// The address clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many records a namespace holds, expired ones that were not swept yet included.
    pub fn objects(&self, namespace: &str) -> Option<u64> {
        let namespace = self.state.namespace(Some(namespace.as_bytes())).ok()?;
        Some(namespace.objects.load(Ordering::Relaxed))
    }

    /// Closes the listener and every connection, writes out the data file, and waits until all of it is done.
    /// Calling it again does no harm.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        let accepting = self.accepting.lock().take();
        match accepting {
            Some(task) => {
                if let Err(error) = task.await {
                    log::error!("the accepting task ended badly: {error}");
                }
                if let Some(log) = &self.log {
                    log.close();
                }
            }
            // Another call is stopping, or has: wait for the same end.
            None => {
                let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
            }
        }
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
    }
}

/// Takes connections until told to stop, then closes them all.
async fn accept(
    listener: TcpListener,
    state: Arc<State>,
    log: Option<Arc<Log>>,
    limits: Limits,
    max_connections: usize,
    mut is_stopping: watch::Receiver<bool>,
    has_stopped: watch::Sender<bool>,
) {
    // What goes on besides connections: sweeping, compacting.
    let mut chores = JoinSet::new();
    for namespace in state
        .namespaces
        .iter()
        .filter(|namespace| namespace.config.nsup_period > 0)
    {
        chores.spawn(expiry::sweep_periodically(Arc::clone(namespace)));
    }
    if let Some(log) = log {
        chores.spawn(log.compact_when_wasteful(state.namespaces.clone()));
    }
    let room = Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = told_to_stop(&mut is_stopping) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Beyond the limit a connection is closed at once, as the server does.
                    let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
                    let state = Arc::clone(&state);
                    connections.spawn(async move {
                        serve(stream, state, limits).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file handles, most likely: leave those who have one the time to give it back.
                    log::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            // Keeps the set from growing with what is over.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
    chores.shutdown().await;
    has_stopped.send_replace(true);
}

async fn told_to_stop(is_stopping: &mut watch::Receiver<bool>) {
    // An error says that the server was dropped, which means the same.
    let _ = is_stopping.wait_for(|stopping| *stopping).await;
}

async fn serve(stream: TcpStream, state: Arc<State>, limits: Limits) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    if let Err(error) = stream.set_nodelay(true) {
        log::debug!("cannot set TCP_NODELAY: {error}");
    }
    state.connections.opened.fetch_add(1, Ordering::Relaxed);
    let _closing = CountClosed(Arc::clone(&state));
    if let Err(error) = Connection::new(stream, local, state, limits).run().await {
        log::debug!("connection closed: {error}");
    }
}

/// Counts a connection as closed however its task ends.
struct CountClosed(Arc<State>);

impl Drop for CountClosed {
    fn drop(&mut self) {
        self.0.connections.closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Listens with SO_REUSEADDR: the port of a server just stopped is free at once.
fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the option means something else: two servers could share a port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
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
