//! Ensures that the sockets of operations are watched by the thread that runs requests.
//!
//! A socket is watched by the runtime that opened it, and incoming data wakes that runtime's thread first. So the sockets of operations
//! have to be opened in the runtime of the requests. Otherwise two threads take part in every operation.
//!
//! The crate opens most sockets there by itself. But its first connection to a new node is opened in the runtime where it tends the
//! cluster. The crate leaves that connection in the pool, and reuses it often because the pool is last-in first-out.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aerospike::{Client, IndexMap, Node};
use tokio::runtime::Handle;
use tokio::task::{coop, yield_now};
use tokio::time::{Instant, sleep, timeout};

use super::policy;
use crate::tasks;

/// tokio's budget of a task.
const BUDGET: usize = 128;

/// The most idle connections of a node that are closed: operations may already use the node.
const MAX_CLOSED: usize = 16;
/// When the connections of a node are checked, after the node was first seen. A connection that is in use or being opened at the first
/// check is idle at a later one.
const CHECK_AFTER: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(300),
    Duration::from_millis(2_000),
];
/// How long to wait for connections of a new client that are being opened. The crate opens another one every 5 ms.
const OPEN_TIMEOUT: Duration = Duration::from_millis(250);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Opens sockets in the runtime of the requests.
pub struct SocketAffinity {
    requests: Handle,
    known: Mutex<Vec<Tracked>>,
}

/// A node, when it was first seen, and how often its connections were checked.
struct Tracked {
    node: Weak<Node>,
    first_seen: Instant,
    checks: usize,
}

impl SocketAffinity {
    /// `requests`: the runtime of the requests.
    pub fn new(requests: Handle) -> SocketAffinity {
        SocketAffinity {
            requests,
            known: Mutex::default(),
        }
    }

    /// Prepares a new client that is not in use yet.
    pub async fn prepare(&self, client: &Client) {
        let opened = async {
            for node in client.nodes() {
                while node.pool_gauges().in_pool < node.pool_gauges().total {
                    sleep(POLL_INTERVAL).await;
                }
            }
        };
        // An error means that the timeout has passed. A later check finds the connections that are opened after it.
        let _ = timeout(OPEN_TIMEOUT, opened).await;
        self.check_new_nodes(client).await;
    }

    /// Reopens the connections of new nodes. To be called regularly, because nodes join.
    pub async fn check_new_nodes(&self, client: &Client) {
        for node in self.due_nodes(client) {
            // An error means that the task has panicked. The connections then stay as they are.
            let _ = tasks::spawn_on(&self.requests, reopen(node)).await;
        }
    }

    /// Returns the nodes whose connections have to be checked now.
    fn due_nodes(&self, client: &Client) -> Vec<Arc<Node>> {
        let now = Instant::now();
        // Nothing that holds this lock can panic half-way through a change.
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.node.strong_count() > 0);
        let mut nodes = client.nodes();
        nodes.retain(|node| {
            let is_this = |known: &Tracked| known.node.as_ptr() == Arc::as_ptr(node);
            let position = all.iter().position(is_this).unwrap_or_else(|| {
                all.push(Tracked {
                    node: Arc::downgrade(node),
                    first_seen: now,
                    checks: 0,
                });
                all.len() - 1
            });
            let known = &mut all[position];
            let is_due = CHECK_AFTER
                .get(known.checks)
                .is_some_and(|after| now >= known.first_seen + *after);
            known.checks += usize::from(is_due);
            is_due
        });
        nodes
    }

    /// Sends info commands to a node, in the runtime of the requests because that may open a connection. Returns `None` if the node does
    /// not answer in time, or the request fails.
    pub async fn info(
        &self,
        node: &Arc<Node>,
        commands: &'static [&'static str],
        within: Duration,
    ) -> Option<IndexMap<String, String>> {
        let node = node.clone();
        let request = tasks::spawn_on(&self.requests, async move {
            let policy = policy::admin(within);
            timeout(within, node.info(&policy, commands)).await
        });
        // If the caller no longer waits, the request is aborted.
        let _abort = AbortOnDrop(request.abort_handle());
        request.await.ok()?.ok()?.ok()
    }
}

/// Guards work that may open sockets in another runtime than that of the requests. When it is dropped, idle connections are reopened in
/// the runtime of the requests.
pub struct ForeignSockets {
    requests: Handle,
    /// The nodes, and how many connections each had at the beginning.
    nodes: Vec<(Arc<Node>, u64)>,
}

impl ForeignSockets {
    /// Must be called within the runtime of the requests.
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
            // If there are no more connections than before, most likely none was opened.
            if node.pool_gauges().total > before {
                drop(tasks::spawn_on(&self.requests, reopen(node)));
            }
        }
    }
}

/// Closes the idle connections of a node, and opens one in the current runtime. Must run as a task of its own, because it uses up the
/// task's budget.
///
/// The crate has no function for that. But an info request that is dropped before it is answered closes its connection
/// (`PooledConnection::drop`). And if the pool is empty, an info request opens a connection in the runtime of the caller.
async fn reopen(node: Arc<Node>) {
    let policy = policy::admin(Duration::from_secs(1));
    for _ in 0..MAX_CLOSED {
        let idle = node.pool_gauges().in_pool;
        poll_fn(|context| {
            // The rest of the budget is enough to send the request. It is not enough to read an answer that is there at once.
            for _ in 1..BUDGET {
                if let Poll::Ready(spent) = coop::poll_proceed(context) {
                    spent.made_progress();
                }
            }
            let mut no_waker = Context::from_waker(Waker::noop());
            let _ = pin!(node.info(&policy, &["build"])).poll(&mut no_waker);
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

/// Tests that need a server. The bridge starts it, see `src/bridge/dev_server.rs`.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub mod tests {
    use std::net::SocketAddr;

    use aerospike::{Bins, ClientPolicy, Key, as_val};
    use futures::future::join_all;

    use super::*;

    /// Waits until `is_expected` returns true for the number of idle connections and of all connections.
    async fn wait_for_gauges(node: &Node, is_expected: impl Fn(u64, u64) -> bool) {
        for _ in 0..500 {
            let gauges = node.pool_gauges();
            if is_expected(gauges.in_pool, gauges.total) {
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

    /// Connections that were opened in another runtime are replaced by one that is opened here.
    pub async fn replaces_what_was_opened_elsewhere(server: SocketAddr) {
        let seed = aerospike::Host::new(&server.ip().to_string(), server.port());
        let client = Client::new(&ClientPolicy::default(), &vec![seed])
            .await
            .unwrap();
        let node = client.nodes().remove(0);
        wait_for_gauges(&node, |idle, all| idle == all).await;
        let before = node.pool_gauges().total;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let other_runtime = runtime.worker_threads(1).enable_all().build().unwrap();

        let opened = ForeignSockets::begin(&client);
        while node.pool_gauges().total <= before + 1 {
            // Many reads at once, so that not all of them find an idle connection.
            let client = client.clone();
            let reads = async move {
                let key = Key::new("test", "sessions", as_val!("a")).unwrap();
                let policy = policy::read(None, Instant::now() + Duration::from_secs(5));
                join_all((0..8).map(|_| client.get(&policy, &key, Bins::All))).await
            };
            other_runtime.spawn(reads).await.unwrap();
        }
        wait_for_gauges(&node, |idle, all| idle == all).await;
        drop(opened);
        wait_for_gauges(&node, |idle, all| (idle, all) == (1, 1)).await;

        client.close().await.unwrap();
        other_runtime.shutdown_background();
    }
}
