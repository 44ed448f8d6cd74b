//! Which thread watches the sockets of operations.
//!
//! A socket is watched by the runtime it was opened in, and what arrives on it wakes that runtime's thread first. So the
//! sockets of operations have to be opened where requests run: otherwise two threads take part in every operation.
//!
//! The crate opens most of them there by itself. But it introduces itself to a new node on a connection that it opens where
//! it looks after the cluster, leaves in the pool, and uses again and again (the pool is last-in first-out).

use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aerospike::{Client, IndexMap, Node};
use tokio::runtime::Handle;
use tokio::task::{coop, yield_now};
use tokio::time::{sleep, timeout, Instant};

use super::policy;
use crate::tasks;

/// What a task may do at one go, by tokio's count.
const BUDGET: usize = 128;

/// Idle connections of a node that are closed at the most: others may be using the node already.
const CLOSED_AT_MOST: usize = 16;
/// When the connections of a node are looked through, from when it is met: one that is in use, or being opened, the first
/// time is idle another time.
const LOOKS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(300),
    Duration::from_millis(2_000),
];
/// How long it is waited for connections of a new client that are being opened. The crate opens another one every 5 ms.
const OPENED_WITHIN: Duration = Duration::from_millis(250);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Opens sockets where requests run.
pub struct SocketAffinity {
    requests: Handle,
    known: Mutex<Vec<Tracked>>,
}

/// A node, when it was met, and how often its connections were looked through.
struct Tracked {
    node: Weak<Node>,
    met: Instant,
    looks: usize,
}

impl SocketAffinity {
    /// `requests`: the runtime that requests run in.
    pub fn new(requests: Handle) -> SocketAffinity {
        SocketAffinity {
            requests,
            known: Mutex::default(),
        }
    }

    /// Readies a client that nobody uses yet.
    pub async fn ready(&self, client: &Client) {
        let opened = async {
            for node in client.nodes() {
                while node.pool_gauges().in_pool < node.pool_gauges().total {
                    sleep(LOOK_AGAIN).await;
                }
            }
        };
        // An error is the end of attempt_timeout: then another look finds what is opened later.
        let _ = timeout(OPENED_WITHIN, opened).await;
        self.take_over(client).await;
    }

    /// Looks through the connections of nodes that are new. To be called again and again, since nodes join.
    pub async fn take_over(&self, client: &Client) {
        for node in self.due(client) {
            // An error means that it has panicked: the connections stay as they are.
            let _ = tasks::spawn_on(&self.requests, reopen(node)).await;
        }
    }

    /// The nodes that are to be looked through now.
    fn due(&self, client: &Client) -> Vec<Arc<Node>> {
        let now = Instant::now();
        // Nothing that holds this lock can panic half-way through a change.
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.node.strong_count() > 0);
        let mut nodes = client.nodes();
        nodes.retain(|node| {
            let is_this = |known: &Tracked| known.node.as_ptr() == Arc::as_ptr(node);
            let place = all.iter().position(is_this).unwrap_or_else(|| {
                all.push(Tracked {
                    node: Arc::downgrade(node),
                    met: now,
                    looks: 0,
                });
                all.len() - 1
            });
            let known = &mut all[place];
            let is_due = LOOKS
                .get(known.looks)
                .is_some_and(|after| now >= known.met + *after);
            known.looks += usize::from(is_due);
            is_due
        });
        nodes
    }

    /// Asks a node, where requests run: a question may open a connection. `None`: no answer in time, or a refusal.
    pub async fn info(
        &self,
        node: &Arc<Node>,
        commands: &'static [&'static str],
        within: Duration,
    ) -> Option<IndexMap<String, String>> {
        let node = node.clone();
        let asking = tasks::spawn_on(&self.requests, async move {
            let policy = policy::admin(within);
            timeout(within, node.info(&policy, commands)).await
        });
        // Who no longer waits gives up the question as well.
        let _asking = AbortOnDrop(asking.abort_handle());
        asking.await.ok()?.ok()?.ok()
    }
}

/// While it is there, others open sockets outside of where requests run.
pub struct ForeignSockets {
    requests: Handle,
    /// The nodes, and how many connections there were to each.
    nodes: Vec<(Arc<Node>, u64)>,
}

impl ForeignSockets {
    /// Must be called within the runtime that requests run in.
    pub fn begin(client: &Client) -> ForeignSockets {
        let nodes = client.nodes().into_iter();
        ForeignSockets {
            requests: Handle::current(),
            nodes: nodes
                .map(|node| (node.clone(), node.pool_gauges().total))
                .collect(),
        }
    }
}

impl Drop for ForeignSockets {
    fn drop(&mut self) {
        for (node, before) in self.nodes.drain(..) {
            // Where there are no more than before none was opened, most likely.
            if node.pool_gauges().total > before {
                drop(tasks::spawn_on(&self.requests, reopen(node)));
            }
        }
    }
}

/// Closes the idle connections of a node, and opens one, in the runtime this is called in. It is a task of its own, since it
/// counts what a task may do.
///
/// The crate has no function for that. But a question that is given up before it is answered closes its connection
/// (`PooledConnection::drop`), and where the pool is empty, a question opens one in the runtime that asks.
async fn reopen(node: Arc<Node>) {
    let policy = policy::admin(Duration::from_secs(1));
    for _ in 0..CLOSED_AT_MOST {
        let idle = node.pool_gauges().in_pool;
        poll_fn(|context| {
            // Enough is left to send the question. An answer may be there at once: it must not be read.
            for _ in 1..BUDGET {
                if let Poll::Ready(spent) = coop::poll_proceed(context) {
                    spent.made_progress();
                }
            }
            let mut nobody = Context::from_waker(Waker::noop());
            let _ = pin!(node.info(&policy, &["build"])).poll(&mut nobody);
            Poll::Ready(())
        })
        .await;
        if idle == 0 {
            return;
        }
        yield_now().await;
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Needs a server, which the bridge starts: see `src/bridge/dev_server.rs`.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub mod tests {
    use std::net::SocketAddr;

    use aerospike::{as_val, Bins, ClientPolicy, Key};
    use futures::future::join_all;

    use super::*;

    /// Waits until the connections of a node are as they should be: how many are idle, and how many there are.
    async fn until(node: &Node, are: impl Fn(u64, u64) -> bool) {
        for _ in 0..500 {
            let gauges = node.pool_gauges();
            if are(gauges.in_pool, gauges.total) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        let gauges = node.pool_gauges();
        panic!(
            "{} of {} connections are idle",
            gauges.in_pool, gauges.total
        );
    }

    /// Connections that were opened elsewhere are replaced by one that is opened here.
    pub async fn replaces_what_was_opened_elsewhere(server: SocketAddr) {
        let seed = aerospike::Host::new(&server.ip().to_string(), server.port());
        let client = Client::new(&ClientPolicy::default(), &vec![seed])
            .await
            .unwrap();
        let node = client.nodes().remove(0);
        until(&node, |idle, all| idle == all).await;
        let before = node.pool_gauges().total;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let elsewhere = runtime.worker_threads(1).enable_all().build().unwrap();

        let opened = ForeignSockets::begin(&client);
        while node.pool_gauges().total <= before + 1 {
            // Many at once: not all of them find a connection that is idle.
            let client = client.clone();
            let reads = async move {
                let key = Key::new("test", "sessions", as_val!("a")).unwrap();
                let policy = policy::read(None, Instant::now() + Duration::from_secs(5));
                join_all((0..8).map(|_| client.get(&policy, &key, Bins::All))).await
            };
            elsewhere.spawn(reads).await.unwrap();
        }
        until(&node, |idle, all| idle == all).await;
        drop(opened);
        until(&node, |idle, all| (idle, all) == (1, 1)).await;

        client.close().await.unwrap();
        elsewhere.shutdown_background();
    }
}
