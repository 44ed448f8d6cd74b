//! The task that owns the connection to the cluster: it connects, reconnects and closes.
//!
//! It guards against two defects of the crate. A client that is dropped without `close` leaks its tend task and sockets, so this task
//! closes every client that it made. A client that the cluster no longer accepts is replaced, see `reconnect`.

use std::sync::Arc;
use std::time::Duration;

use aerospike::Client;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::connect_attempt::{Connected, catch_panic, connect};
use super::failure::Limit;
use super::node_queue::QueueContext;
use super::options::Options;
use super::peer_addresses::PeerAddresses;
use super::reconnect::{AuthCheck, Probe, is_disconnected};
use super::routing::Routing;
use super::socket_affinity::SocketAffinity;
use super::stats::NodeStats;
use super::transport::Transport;
use super::{failure, server_features};
use crate::bulk_runtime::Bulk;
use crate::error::{Code, Error, Result};

/// The pause after a failed attempt, unless an operation needs the cluster.
const PAUSE: Duration = Duration::from_millis(1_000);
/// The shortest time between the starts of two attempts, however many operations wait.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The same after a refused login: servers count these.
const SHORTEST_PAUSE_REFUSED: Duration = Duration::from_millis(1_000);
/// How long to wait until a client is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(1_000);
/// How often to check whether a connected client has any node left.
const HEALTH_CHECK: Duration = Duration::from_millis(200);

#[derive(Clone)]
enum State {
    /// An attempt is in progress. The error is that of the attempt before, if there was one.
    Connecting(Option<Error>),
    /// The crate's client is connected. It finds new and returning nodes by itself.
    Up(Client),
    /// The last attempt failed.
    Down(Error),
    /// Closed for good.
    Closed,
}

pub struct Connection {
    options: Arc<Options>,
    state: watch::Receiver<State>,
    /// Notified when an operation waits for a new attempt.
    attempt_wanted: Arc<Notify>,
    closing: watch::Sender<bool>,
    health: watch::Receiver<Option<bool>>,
    routing: Arc<Routing>,
    auth_check: Arc<AuthCheck>,
    peers: Arc<PeerAddresses>,
    #[cfg(test)]
    simulated: Option<Transport>,
}

/// Where the task publishes the state of the connection.
struct Publish {
    state: watch::Sender<State>,
    health: watch::Sender<Option<bool>>,
    routing: Arc<Routing>,
    auth_check: Arc<AuthCheck>,
    peers: Arc<PeerAddresses>,
    sockets: Arc<SocketAffinity>,
}

impl Connection {
    /// Starts the task in the runtime `tending`. Must be called within the runtime of the requests.
    pub fn open(options: Arc<Options>, tending: &Handle, bulk: Bulk) -> Connection {
        let (publish_state, state) = watch::channel(State::Connecting(None));
        let (publish_health, health) = watch::channel(None);
        let (closing, close) = watch::channel(false);
        let attempt_wanted = Arc::new(Notify::new());
        let context = QueueContext::new(&options, close.clone(), bulk);
        let routing = Arc::new(Routing::new(context));
        let auth_check = Arc::new(AuthCheck::default());
        let sockets = Arc::new(SocketAffinity::new(Handle::current()));
        let peers = Arc::new(PeerAddresses::new(options.clone(), sockets.clone()));
        let publish = Publish {
            state: publish_state,
            health: publish_health,
            routing: routing.clone(),
            auth_check: auth_check.clone(),
            peers: peers.clone(),
            sockets,
        };
        tending.spawn(run(options.clone(), publish, attempt_wanted.clone(), close));
        Connection {
            options,
            state,
            attempt_wanted,
            closing,
            health,
            routing,
            auth_check,
            peers,
            #[cfg(test)]
            simulated: None,
        }
    }

    /// Returns the connection to a simulated cluster with these nodes.
    #[cfg(test)]
    pub fn simulated(
        options: Arc<Options>,
        transport: Transport,
        nodes: &[(String, Vec<u16>)],
    ) -> Connection {
        let state = watch::channel(State::Connecting(None)).1;
        let (closing, close) = watch::channel(false);
        let routing = Routing::new(QueueContext::new(&options, close, Bulk::default()));
        routing.simulate(nodes);
        let sockets = Arc::new(SocketAffinity::new(Handle::current()));
        let peers = Arc::new(PeerAddresses::new(options.clone(), sockets));
        Connection {
            options,
            state,
            attempt_wanted: Arc::default(),
            closing,
            health: watch::channel(None).1,
            routing: Arc::new(routing),
            auth_check: Arc::default(),
            peers,
            simulated: Some(transport),
        }
    }

    /// Returns the queues of the known nodes.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// Returns where operations report that they get no connection, and find the reason.
    pub fn auth_check(&self) -> &AuthCheck {
        &self.auth_check
    }

    /// Returns what is known of nodes that cannot be reached.
    pub fn peers(&self) -> &PeerAddresses {
        &self.peers
    }

    /// Returns whether the cluster is connected, and its nodes.
    pub fn nodes(&self) -> (bool, Vec<NodeStats>) {
        let State::Up(client) = &*self.state.borrow() else {
            return (false, Vec::new());
        };
        let nodes = client.nodes().into_iter().map(|node| NodeStats {
            name: node.name().to_owned(),
            address: node.address().to_owned(),
            active: node.is_active(),
        });
        (client.is_connected(), nodes.collect())
    }

    /// Returns whether every node supports read-touch (option `touchOnRead`). `true` as long as no node is known.
    pub fn touches_on_read(&self) -> bool {
        match &*self.state.borrow() {
            State::Up(client) => server_features::touch_on_read(client),
            _ => true,
        }
    }

    pub fn health(&self) -> watch::Receiver<Option<bool>> {
        self.health.clone()
    }

    /// Returns the client, if it is connected now.
    pub fn present(&self) -> Option<Client> {
        match &*self.state.borrow() {
            State::Up(client) => Some(client.clone()),
            _ => None,
        }
    }

    /// Waits for the transport of commands, see [`Connection::client`].
    pub async fn transport(&self, deadline: Instant) -> Result<Transport> {
        #[cfg(test)]
        if let Some(simulated) = &self.simulated {
            return match self.is_closed() {
                true => Err(Error::closed()),
                false => Ok(simulated.clone()),
            };
        }
        self.client(deadline).await.map(Transport::Client)
    }

    /// Waits for the client.
    ///
    /// While the cluster is down this starts an attempt, or joins the one in progress, and returns its outcome. So an operation fails at
    /// once if connections are refused, and succeeds as soon as the cluster is back.
    pub async fn client(&self, deadline: Instant) -> Result<Client> {
        if let Some(client) = self.present() {
            return Ok(client);
        }
        // Rare, so it is boxed and not part of the future of every operation.
        Box::pin(self.next_client(deadline, Limit::Timeout)).await
    }

    /// Waits for the client. `limit`: the option that decides the deadline.
    pub async fn next_client(&self, deadline: Instant, limit: Limit) -> Result<Client> {
        let mut state = self.state.clone();
        let mut asked = false;
        let mut last = None;
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Up(client) => return Ok(client),
                State::Closed => return Err(Error::closed()),
                State::Down(error) if asked => return Err(error),
                State::Down(error) => {
                    asked = true;
                    last = Some(error);
                    self.attempt_wanted.notify_one();
                }
                // An attempt that is already in progress counts as well.
                State::Connecting(before) => {
                    asked = true;
                    last = before.or(last);
                }
            }
            match timeout_at(deadline, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Error::closed()),
                Err(_) => return Err(self.unanswered(last, limit)),
            }
        }
    }

    /// Returns the error if the attempt in progress has not ended in time. It will most likely fail with the error of the `last` one.
    fn unanswered(&self, last: Option<Error>, limit: Limit) -> Error {
        let waited = failure::unanswered(&self.options, limit);
        match last {
            None => self.peers.error().unwrap_or(waited),
            Some(last) if last.code == Code::Unavailable && last.cause.is_some() => {
                let causes = [waited.cause, last.cause].map(Option::unwrap_or_default);
                let cause = causes.join("; the last attempt to connect: ");
                Error::new(last.code, last.message).caused_by(cause)
            }
            Some(last) => last,
        }
    }

    pub async fn close(&self) {
        self.closing.send_replace(true);
        let mut state = self.state.clone();
        // An error means that the task has ended, so the connection is closed.
        let _ = state.wait_for(|state| matches!(state, State::Closed)).await;
    }

    pub fn is_closed(&self) -> bool {
        *self.closing.borrow()
    }

    pub async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        let _ = closing.wait_for(|closing| *closing).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.closing.send_replace(true);
    }
}

/// Keeps a client connected until the store is closed.
async fn run(
    options: Arc<Options>,
    publish: Publish,
    attempt_wanted: Arc<Notify>,
    mut close: watch::Receiver<bool>,
) {
    let work = async {
        loop {
            let connected = connect_until_success(&options, &publish, &attempt_wanted).await;
            let refusal = supervise(connected, &options, &publish).await;
            publish.failure(refusal);
            tokio::time::sleep(SHORTEST_PAUSE_REFUSED).await;
        }
    };
    tokio::select! {
        () = work => {}
        _ = close.wait_for(|closing| *closing) => {}
    }
    let client = match &*publish.state.borrow() {
        State::Up(client) => Some(client.clone()),
        _ => None,
    };
    if let Some(client) = client {
        close_client(client).await;
    }
    publish.state.send_replace(State::Closed);
}

/// Repeats attempts to connect until one succeeds.
async fn connect_until_success(
    options: &Options,
    publish: &Publish,
    attempt_wanted: &Notify,
) -> Connected {
    let mut last = None;
    loop {
        publish.state.send_replace(State::Connecting(last));
        let started = Instant::now();
        let error = match connect(options, &publish.peers).await {
            Ok(connected) => return connected,
            Err(error) => error,
        };
        let shortest = match error.code {
            Code::Auth => SHORTEST_PAUSE_REFUSED,
            _ => SHORTEST_PAUSE,
        };
        last = Some(error.clone());
        publish.failure(error);
        tokio::time::sleep_until(started + shortest).await;
        // An error means that the pause has passed and no operation wants an attempt.
        let _ = timeout(PAUSE, attempt_wanted.notified()).await;
    }
}

/// Checks a connected client and keeps its routing up to date, until the cluster no longer accepts it. Returns the reason.
async fn supervise(mut connected: Connected, options: &Options, publish: &Publish) -> Error {
    let mut probe = Probe::new(options, &publish.peers);
    publish.client(&connected.client).await;
    let mut routing = Box::pin(refresh_routing(publish, options, connected.client.clone()));
    loop {
        let client = &connected.client;
        if let Err(error) = server_features::check(client) {
            publish.state.send_replace(State::Connecting(None));
            close_client(connected.client).await;
            return error;
        }
        publish.health(client.is_connected());
        probe.consider(&publish.auth_check, client);
        let probed = tokio::select! {
            () = &mut routing => continue,
            () = tokio::time::sleep(HEALTH_CHECK) => continue,
            probed = probe.done() => probed,
        };
        match probed.outcome {
            // The login is the same as before, so the new client would have no more connections than the old one.
            Ok(new)
                if new.auth == connected.auth && !probed.renews_login && client.is_connected() =>
            {
                publish.auth_check.clear();
                tokio::spawn(close_client(new.client));
            }
            Ok(new) => {
                publish.auth_check.clear();
                publish.client(&new.client).await;
                routing = Box::pin(refresh_routing(publish, options, new.client.clone()));
                let old = std::mem::replace(&mut connected, new);
                tokio::spawn(close_client(old.client));
            }
            // No node could be reached. The crate keeps trying.
            Err(error) if error.code == Code::Unavailable => {}
            Err(error) if is_disconnected(client) => {
                publish.state.send_replace(State::Connecting(None));
                close_client(connected.client).await;
                return error;
            }
            // The open connections may still work.
            Err(error) => publish.auth_check.found(error),
        }
    }
}

/// Keeps the routing and the list of unreachable nodes up to date. Never ends. A node that does not answer does not delay anything else.
async fn refresh_routing(publish: &Publish, options: &Options, client: Client) {
    let routing = async {
        loop {
            // If it panics, the routing stays as it was.
            let _ = catch_panic(publish.routing.refresh(&client, options, &publish.sockets)).await;
            tokio::time::sleep(HEALTH_CHECK).await;
        }
    };
    let peers = async {
        loop {
            let _ = catch_panic(publish.peers.watch(&client)).await;
            tokio::time::sleep(HEALTH_CHECK).await;
        }
    };
    tokio::select! {
        () = routing => {}
        () = peers => {}
    }
}

/// Closes a client. Commands in flight on it are repeated with the next client.
async fn close_client(client: Client) {
    // `close` is idempotent. Its only error is that the client is already closed. It waits for the client's tend task, which may wait for
    // nodes that do not answer. After the timeout both end later, by themselves.
    let _ = timeout(CLOSE_TIMEOUT, client.close()).await;
}

impl Publish {
    async fn client(&self, client: &Client) {
        self.sockets.prepare(client).await;
        self.state.send_replace(State::Up(client.clone()));
    }

    fn failure(&self, error: Error) {
        self.state.send_replace(State::Down(error));
        self.health(false);
    }

    fn health(&self, is_healthy: bool) {
        self.health
            .send_if_modified(|before| before.replace(is_healthy) != Some(is_healthy));
    }
}
