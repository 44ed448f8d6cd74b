//! One node: its listener and its connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::connection::{Connection, Limits};
use crate::port::Port;
use crate::socket::Socket;
use crate::state::State;

/// How long to wait before a failed operation on the listener is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(10);

/// A node that accepts connections. Dropping it stops it without waiting; [`Node::stop`] also waits.
pub struct Node {
    stopping: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl Node {
    /// Starts a task that serves the connections to a listener.
    pub fn start(
        listener: TcpListener,
        state: Arc<State>,
        limits: Limits,
        max_connections: usize,
    ) -> Node {
        // Set before the task runs, because a caller that sets a fault waits for the port.
        state.faults.set_port_state(Some(true));
        let (stopping, is_stopping) = watch::channel(false);
        let (has_stopped, stopped) = watch::channel(false);
        let accepting = tokio::spawn(async move {
            accept(listener, state, limits, max_connections, is_stopping).await;
            has_stopped.send_replace(true);
        });
        Node {
            stopping,
            stopped,
            accepting: Mutex::new(Some(accepting)),
        }
    }

    /// Closes the listener and every connection, and waits until they are closed. May be called more than once.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        let accepting = self.accepting.lock().take();
        match accepting {
            Some(task) => {
                if let Err(error) = task.await {
                    log::error!("the accepting task ended badly: {error}");
                }
            }
            // Another call is stopping the node or has stopped it: wait for the same end.
            None => {
                let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
    }
}

/// Accepts connections until the node is stopped, then closes them all.
async fn accept(
    listener: TcpListener,
    state: Arc<State>,
    limits: Limits,
    max_connections: usize,
    mut is_stopping: watch::Receiver<bool>,
) {
    let mut port = match Port::new(listener) {
        Ok(port) => port,
        Err(error) => return log::error!("cannot tell the port listened on: {error}"),
    };
    let mut faults = state.faults.changes();
    let mut is_frozen = false;
    let slots = Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        let is_port_ready = apply_port_faults(&mut port, &state);
        if is_frozen != state.faults.is_frozen() {
            is_frozen = !is_frozen;
            update_membership(&state, is_frozen);
        }
        tokio::select! {
            () = stop_requested(&mut is_stopping) => break,
            _ = faults.changed() => {}
            () = tokio::time::sleep(RETRY_DELAY), if !is_port_ready => {}
            accepted = port.accept() => match accepted {
                Ok(stream) => {
                    // Beyond the limit, a connection is closed at once, as the server does.
                    let Ok(permit) = Arc::clone(&slots).try_acquire_owned() else { continue };
                    let state = Arc::clone(&state);
                    connections.spawn(async move {
                        serve(stream, state, limits).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Probably out of file descriptors. Wait until connections have released some.
                    log::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            },
            // Removes finished tasks from the set.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(port);
    state.faults.set_port_state(None);
    connections.shutdown().await;
}

/// Closes the port while a fault requires it, and opens it afterwards. Returns false if it could not be opened.
fn apply_port_faults(port: &mut Port, state: &State) -> bool {
    let is_refusing = state.faults.is_refusing();
    if is_refusing && port.is_open() {
        port.close();
        state.faults.count_refusal();
    } else if !is_refusing && let Err(error) = port.open() {
        log::warn!("cannot listen again: {error}");
        return false;
    }
    state.faults.set_port_state(Some(port.is_open()));
    true
}

/// Tells the cluster that the node is frozen or thawed. A frozen node sends no heartbeats; a thawed node still has its
/// records.
fn update_membership(state: &State, is_frozen: bool) {
    if state.cluster.size() == 1 {
        return;
    }
    if is_frozen {
        state.cluster.suspend(state.node);
    } else {
        state.cluster.resume(state.node);
    }
}

async fn stop_requested(is_stopping: &mut watch::Receiver<bool>) {
    // An error means that the server was dropped, which also stops the node.
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
    let outcome = match state.tls.clone() {
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => serve_stream(stream, local, state, limits).await,
            Err(error) => Err(error),
        },
        None => serve_stream(stream, local, state, limits).await,
    };
    if let Err(error) = outcome {
        log::debug!("connection closed: {error}");
    }
}

/// Serves a client until it disconnects or all connections are closed.
async fn serve_stream<S: AsyncRead + AsyncWrite + Socket + Unpin>(
    stream: S,
    local: SocketAddr,
    state: Arc<State>,
    limits: Limits,
) -> io::Result<()> {
    let closing = state.security.as_ref().map(|security| security.closing());
    let connection = Connection::new(stream, local, state, limits);
    let Some(mut closing) = closing else {
        return connection.run().await;
    };
    tokio::select! {
        outcome = connection.run() => outcome,
        _ = closing.changed() => Ok(()),
    }
}

/// Counts a connection as closed, however its task ends.
struct CountClosed(Arc<State>);

impl Drop for CountClosed {
    fn drop(&mut self) {
        self.0.connections.closed.fetch_add(1, Ordering::Relaxed);
    }
}
