//! One task owns the connection to the cluster: it connects, connects again, and closes.
//!
//! Guards against the crate's defects: a client that is dropped without `close` leaks its tend task and sockets, so
//! this task closes every client it made; a client that is not let in any more is replaced, see `doubt`.

use std::sync::Arc;
use std::time::Duration;

use aerospike::Client;
use tokio::runtime::Handle;
use tokio::sync::{watch, Notify};
use tokio::time::{timeout, timeout_at, Instant};

use super::connect_attempt::{connect, unwound, Connected};
use super::failure::Limit;
use super::node_queue::QueueContext;
use super::options::Options;
use super::peer_addresses::PeerAddresses;
use super::reconnect::{is_lost, AuthCheck, Probe};
use super::routing::Routing;
use super::socket_affinity::SocketAffinity;
use super::stats::NodeStats;
use super::transport::Transport;
use super::{failure, server_features};
use crate::bulk_runtime::Bulk;
use crate::error::{Code, Error, Result};

/// The pause after a failed attempt, unless somebody asks for the cluster.
const PAUSE: Duration = Duration::from_millis(1_000);
/// The shortest time between the starts of two attempts, however many ask.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The same after a login that was refused: servers count those.
const SHORTEST_PAUSE_REFUSED: Duration = Duration::from_millis(1_000);
/// How long the end of a client is waited for.
const ENDING: Duration = Duration::from_millis(1_000);
/// How often a connected client is asked whether it has any node left.
const HEALTH_CHECK: Duration = Duration::from_millis(200);

#[derive(Clone)]
enum State {
    /// An attempt is under way; why the one before has failed, if it has.
    Connecting(Option<Error>),
    /// The crate's client; it finds new nodes, and lost ones again, by itself.
    Up(Client),
    /// The last attempt failed.
    Down(Error),
    /// Closed for good.
    Closed,
}

pub struct Connection {
    options: Arc<Options>,
    state: watch::Receiver<State>,
    /// Somebody waits for a new attempt.
    wanted: Arc<Notify>,
    closing: watch::Sender<bool>,
    health: watch::Receiver<Option<bool>>,
    routing: Arc<Routing>,
    auth_check: Arc<AuthCheck>,
    peers: Arc<PeerAddresses>,
    #[cfg(test)]
    simulated: Option<Transport>,
}

/// What the task tells the others.
struct Publish {
    state: watch::Sender<State>,
    health: watch::Sender<Option<bool>>,
    routing: Arc<Routing>,
    auth_check: Arc<AuthCheck>,
    peers: Arc<PeerAddresses>,
    sockets: Arc<SocketAffinity>,
}

impl Connection {
    /// Must be called within the runtime that requests run in.
    pub fn open(options: Arc<Options>, tending: &Handle, bulk: Bulk) -> Connection {
        let (publish_state, state) = watch::channel(State::Connecting(None));
        let (publish_health, health) = watch::channel(None);
        let (closing, close) = watch::channel(false);
        let wanted = Arc::new(Notify::new());
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
        tending.spawn(keep(options.clone(), publish, wanted.clone(), close));
        Connection {
            options,
            state,
            wanted,
            closing,
            health,
            routing,
            auth_check,
            peers,
            #[cfg(test)]
            simulated: None,
        }
    }

    /// Of a simulated cluster, with these nodes.
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
            wanted: Arc::default(),
            closing,
            health: watch::channel(None).1,
            routing: Arc::new(routing),
            auth_check: Arc::default(),
            peers,
            simulated: Some(transport),
        }
    }

    /// The queues to the nodes, as far as they are known.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// Where operations tell that they get no connection, and learn why.
    pub fn auth_check(&self) -> &AuthCheck {
        &self.auth_check
    }

    /// Nodes that cannot be reached.
    pub fn peers(&self) -> &PeerAddresses {
        &self.peers
    }

    /// Whether the cluster is there, and its nodes.
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

    /// Whether every node supports read-touch (option `touchOnRead`). `true` as long as no node is known.
    pub fn touches_on_read(&self) -> bool {
        match &*self.state.borrow() {
            State::Up(client) => server_features::touch_on_read(client),
            _ => true,
        }
    }

    pub fn health(&self) -> watch::Receiver<Option<bool>> {
        self.health.clone()
    }

    /// The client, if there is one.
    pub fn present(&self) -> Option<Client> {
        match &*self.state.borrow() {
            State::Up(client) => Some(client.clone()),
            _ => None,
        }
    }

    /// What carries commands, as soon as it is there: see [`Connection::client`].
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

    /// The client, as soon as there is one.
    ///
    /// While the cluster is down this starts an attempt, or joins the one under way, and returns
    /// its outcome: an operation fails at once when connections are refused, and succeeds as soon
    /// as the cluster is back.
    pub async fn client(&self, deadline: Instant) -> Result<Client> {
        if let Some(client) = self.present() {
            return Ok(client);
        }
        // Rare, and not part of the future of every operation.
        Box::pin(self.next_client(deadline, Limit::Timeout)).await
    }

    /// The client, as soon as there is one; `limit` is the option that has decided the deadline.
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
                    self.wanted.notify_one();
                }
                // An attempt that began before we came counts as well.
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

    /// The attempt under way has not ended in time. What it will come to is most likely what the `last` one has.
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
        // An error means the task has ended, which is as closed as can be.
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

/// Keeps a client connected, until the end.
async fn keep(
    options: Arc<Options>,
    publish: Publish,
    wanted: Arc<Notify>,
    mut close: watch::Receiver<bool>,
) {
    let work = async {
        loop {
            let connected = connect_at_last(&options, &publish, &wanted).await;
            let refusal = look_after(connected, &options, &publish).await;
            publish.down(refusal);
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
        shut(client).await;
    }
    publish.state.send_replace(State::Closed);
}

/// Connects, again and again, until there is a client.
async fn connect_at_last(options: &Options, publish: &Publish, wanted: &Notify) -> Connected {
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
        publish.down(error);
        tokio::time::sleep_until(started + shortest).await;
        // An error of the timeout is the pause having passed with nobody asking.
        let _ = timeout(PAUSE, wanted.notified()).await;
    }
}

/// Looks after a client that is connected, until the cluster will not have us any more: returns why.
async fn look_after(mut connected: Connected, options: &Options, publish: &Publish) -> Error {
    let mut probe = Probe::new(options, &publish.peers);
    publish.up(&connected.client).await;
    let mut routing = Box::pin(keep_routes(publish, options, connected.client.clone()));
    loop {
        let client = &connected.client;
        if let Err(error) = server_features::check(client) {
            publish.state.send_replace(State::Connecting(None));
            shut(connected.client).await;
            return error;
        }
        publish.is(client.is_connected());
        probe.consider(&publish.auth_check, client);
        let probed = tokio::select! {
            () = &mut routing => continue,
            () = tokio::time::sleep(HEALTH_CHECK) => continue,
            probed = probe.done() => probed,
        };
        match probed.outcome {
            // The same login as before: what the old client has not got is not to be had.
            Ok(new)
                if new.auth == connected.auth && !probed.renews_login && client.is_connected() =>
            {
                publish.auth_check.clear();
                tokio::spawn(shut(new.client));
            }
            Ok(new) => {
                publish.auth_check.clear();
                publish.up(&new.client).await;
                routing = Box::pin(keep_routes(publish, options, new.client.clone()));
                let old = std::mem::replace(&mut connected, new);
                tokio::spawn(shut(old.client));
            }
            // Nobody there: the crate goes on looking.
            Err(error) if error.code == Code::Unavailable => {}
            Err(error) if is_lost(client) => {
                publish.state.send_replace(State::Connecting(None));
                shut(connected.client).await;
                return error;
            }
            // The connections there are may still be of use.
            Err(error) => publish.auth_check.found(error),
        }
    }
}

/// Keeps the routes up to date, without end. A node that does not answer holds up nothing else.
async fn keep_routes(publish: &Publish, options: &Options, client: Client) {
    let routing = async {
        loop {
            // What came of it is in the routes; should it have panicked they are as they were.
            let _ = unwound(publish.routing.refresh(&client, options, &publish.sockets)).await;
            tokio::time::sleep(HEALTH_CHECK).await;
        }
    };
    let peers = async {
        loop {
            let _ = unwound(publish.peers.watch(&client)).await;
            tokio::time::sleep(HEALTH_CHECK).await;
        }
    };
    tokio::select! {
        () = routing => {}
        () = peers => {}
    }
}

/// Closes a client. What is under way on it is repeated with the next one.
async fn shut(client: Client) {
    // Idempotent, and the only error it knows is that of having been closed. It waits for its tend task, and that for
    // nodes that may not answer: then both end later, by themselves.
    let _ = timeout(ENDING, client.close()).await;
}

impl Publish {
    async fn up(&self, client: &Client) {
        self.sockets.ready(client).await;
        self.state.send_replace(State::Up(client.clone()));
    }

    fn down(&self, error: Error) {
        self.state.send_replace(State::Down(error));
        self.is(false);
    }

    fn is(&self, healthy: bool) {
        self.health
            .send_if_modified(|before| before.replace(healthy) != Some(healthy));
    }
}
