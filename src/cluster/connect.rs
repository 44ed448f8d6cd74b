//! One task owns the connection to the cluster: it connects, connects again, and closes.
//!
//! Guards against the crate's defects: `Client::new` has no deadline of its own, so each attempt
//! gets one; a client that is dropped without `close` leaks its tend task and sockets, so this
//! task closes every client it made.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use aerospike::Client;
use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{watch, Notify};
use tokio::time::{timeout, timeout_at, Instant};

use super::lane::Common;
use super::routes::Routes;
use super::stats::NodeStats;
use super::trouble::Trouble;
use super::{execute, failure, policy, Options};
use crate::error::{Error, Result};
use crate::planted;

/// The pause after a failed attempt, unless somebody asks for the cluster.
const PAUSE: Duration = Duration::from_millis(1_000);
/// The shortest time between the starts of two attempts, however many ask.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// How long a client may be without any node before the seeds are asked again.
const LOST_FOR: Duration = Duration::from_millis(1_000);
/// How long the end of a client is waited for.
const ENDING: Duration = Duration::from_millis(1_000);
/// How often a connected client is asked whether it has any node left.
const HEALTH_CHECK: Duration = Duration::from_millis(200);

#[derive(Clone)]
enum State {
    /// An attempt is under way.
    Connecting,
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
    routes: Arc<Routes>,
}

/// What the task tells the others.
struct Publish {
    state: watch::Sender<State>,
    health: watch::Sender<Option<bool>>,
    routes: Arc<Routes>,
}

impl Connection {
    pub fn open(options: Arc<Options>, tending: &Handle) -> Connection {
        let (publish_state, state) = watch::channel(State::Connecting);
        let (publish_health, health) = watch::channel(None);
        let (closing, close) = watch::channel(false);
        let wanted = Arc::new(Notify::new());
        let routes = Arc::new(Routes::new(Common {
            trouble: Arc::new(Trouble::new()),
            counters: Arc::default(),
            patience: options.timeout / execute::SMALLEST_PART,
            closing: close.clone(),
        }));
        let publish = Publish {
            state: publish_state,
            health: publish_health,
            routes: routes.clone(),
        };
        tending.spawn(keep(options.clone(), publish, wanted.clone(), close));
        Connection {
            options,
            state,
            wanted,
            closing,
            health,
            routes,
        }
    }

    /// The lanes to the nodes, as far as they are known.
    pub fn routes(&self) -> &Routes {
        &self.routes
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

    pub fn health(&self) -> watch::Receiver<Option<bool>> {
        self.health.clone()
    }

    /// The client, as soon as there is one.
    ///
    /// While the cluster is down this starts an attempt, or joins the one under way, and returns
    /// its outcome: an operation fails at once when connections are refused, and succeeds as soon
    /// as the cluster is back.
    pub async fn client(&self, deadline: Instant) -> Result<Client> {
        if let State::Up(client) = &*self.state.borrow() {
            return Ok(client.clone());
        }
        // Rare, and not part of the future of every operation.
        Box::pin(self.next_client(deadline)).await
    }

    async fn next_client(&self, deadline: Instant) -> Result<Client> {
        let mut state = self.state.clone();
        let mut asked = false;
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Up(client) => return Ok(client),
                State::Closed => return Err(Error::closed()),
                State::Down(error) if asked => return Err(error),
                State::Down(_) => {
                    asked = true;
                    self.wanted.notify_one();
                }
                // An attempt that began before we came counts as well.
                State::Connecting => asked = true,
            }
            match timeout_at(deadline, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Error::closed()),
                Err(_) => return Err(failure::unreachable(&self.options, None)),
            }
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

/// Connects, again and again, until there is a client; looks after it until it is lost, and begins anew. Until the end.
async fn keep(
    options: Arc<Options>,
    publish: Publish,
    wanted: Arc<Notify>,
    mut close: watch::Receiver<bool>,
) {
    let mut client = None;
    let work = async {
        let mut found = first(&options, &publish, &wanted).await;
        loop {
            publish.state.send_replace(State::Up(found.clone()));
            let lost = client.replace(found.clone());
            end(lost).await;
            found = look_after(&found, &options, &publish).await;
        }
    };
    tokio::select! {
        () = work => {}
        // An error is the end of the store.
        _ = close.wait_for(|closing| *closing) => {}
    }
    end(client).await;
    publish.state.send_replace(State::Closed);
}

/// The first client there is.
async fn first(options: &Options, publish: &Publish, wanted: &Notify) -> Client {
    loop {
        publish.state.send_replace(State::Connecting);
        let started = Instant::now();
        let attempt = unwound(connect(options)).await;
        match attempt.unwrap_or_else(|| Err(Error::given_up())) {
            Ok(client) => return client,
            Err(error) => {
                publish.state.send_replace(State::Down(error));
                publish.is(false);
            }
        }
        tokio::time::sleep_until(started + SHORTEST_PAUSE).await;
        // An error of the timeout is the pause having passed with nobody asking.
        let _ = timeout(PAUSE, wanted.notified()).await;
    }
}

/// Keeps an eye on a client as long as it has nodes. The crate looks for lost ones where they were; but a whole cluster
/// that is gone may come back elsewhere, under the same names. So then this asks the seeds, and returns the client that
/// finds a cluster there.
async fn look_after(client: &Client, options: &Options, publish: &Publish) -> Client {
    let mut lost_at = None;
    loop {
        let is_connected = client.is_connected();
        publish.is(is_connected);
        if is_connected {
            lost_at = None;
            let routes = &publish.routes;
            // What came of it is in the routes; should it have panicked they are as they were.
            let _ = unwound(routes.refresh(client, options.connect_timeout)).await;
        } else {
            let lost_at = *lost_at.get_or_insert_with(Instant::now);
            if lost_at.elapsed() >= LOST_FOR {
                if let Some(Ok(found)) = unwound(connect(options)).await {
                    return found;
                }
            }
        }
        tokio::time::sleep(HEALTH_CHECK).await;
    }
}

async fn end(client: Option<Client>) {
    if let Some(client) = client {
        // Idempotent, and the only error it knows is that of having been closed. It waits for its tend task, and that for
        // nodes that may not answer: then both end later, by themselves.
        let _ = timeout(ENDING, client.close()).await;
    }
}

impl Publish {
    fn is(&self, healthy: bool) {
        self.health
            .send_if_modified(|before| before.replace(healthy) != Some(healthy));
    }
}

/// `None` of what panicked: this task is the only one that connects, and goes on.
async fn unwound<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// One attempt.
async fn connect(options: &Options) -> Result<Client> {
    if let Some(first) = options.hosts.first() {
        planted::panic_in("connect", &first.name);
    }
    let hosts: Vec<aerospike::Host> = options
        .hosts
        .iter()
        .map(|host| aerospike::Host {
            name: host.name.clone(),
            port: host.port,
            // The crate would not fall back on the seed's own name.
            tls_name: host.tls_name.clone().or_else(|| Some(host.name.clone())),
        })
        .collect();
    let policy = policy::client(options);
    match timeout(options.connect_timeout, Client::new(&policy, &hosts)).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(failure::connecting(options, &error)),
        Err(_) => Err(failure::unreachable(
            options,
            Some(format!(
                "no answer within {} ms",
                options.connect_timeout.as_millis()
            )),
        )),
    }
}
