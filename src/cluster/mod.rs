//! The `aerospike` crate behind one small door.
//!
//! Everything above speaks of a [`Command`] on a key and gets a [`Reply`]; how it travels is
//! decided here, so that commands can be gathered into batches without a word to anybody above.
//!
//! - [`connect`]: one task owns the connection: it connects, reconnects and closes.
//! - [`attempt`], [`knock`]: one attempt to connect, which first speaks to the seeds itself.
//! - [`credentials`]: users and passwords, and where they come from.
//! - [`doubt`]: finds out why a connected client gets no connections any more.
//! - [`execute`]: one command, within its deadline, with retries.
//! - [`command`]: what can be asked of one record, and what comes back.
//! - [`routes`], [`lane`], [`batch`]: commands that go to the same node go together when there are many.
//! - [`link`]: the other end: the crate's client, or a simulated cluster.
//! - [`trace`]: the way one operation takes, for who wants to know.
//! - [`trouble`]: whether a node has lately failed to answer.
//! - [`sockets`]: which thread watches the sockets of operations.
//! - [`scan`]: many records, streamed.
//! - [`info`]: what every node says of itself.
//! - [`stats`]: what is counted.
//! - [`namespaces`]: whether the cluster has a namespace.
//! - [`peers`]: nodes that cannot be reached at the addresses they announce.
//! - [`policy`]: every policy the crate is given, made in one place.
//! - [`sizes`], [`weight`]: about how large sessions are.
//! - [`tls`]: whom to trust, and what to show.
//! - [`versions`]: what servers of earlier versions cannot do.
//! - [`failure`]: the crate's errors in our words.
//!
//! The guards against the crate's defects (connecting without a deadline, connection storms, no
//! fail-over of reads, a client that leaks unless closed) live in these files and nowhere else.

mod attempt;
mod batch;
mod command;
mod connect;
pub mod credentials;
mod doubt;
mod execute;
mod failure;
mod info;
mod knock;
mod lane;
mod link;
mod namespaces;
mod peers;
mod policy;
mod routes;
pub mod scan;
mod sizes;
mod sockets;
mod stats;
pub mod tls;
pub mod trace;
mod trouble;
mod versions;
pub mod weight;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aerospike::Key;
use tokio::runtime::Handle;
use tokio::sync::{watch, Semaphore};
use tokio::time::Instant;

use crate::bulk::Bulk;
use crate::error::{Error, Result};

pub use command::{Command, Reply, Step, LARGEST_RECORD};
use connect::Connection;
use credentials::Auth;
use execute::Call;
pub use execute::Terms;
pub use failure::too_big;
#[cfg(test)]
pub use failure::Failure;
use failure::Limit;
#[cfg(test)]
pub use link::{Link, Simulated, SimulatedRow};
use namespaces::Namespaces;
pub use peers::Places;
#[cfg(test)]
pub use routes::partition;
pub use stats::Stats;

/// Where the cluster is and how to speak to it. Already validated.
#[derive(Clone)]
pub struct Options {
    /// Seeds, at least one.
    pub hosts: Vec<Host>,
    /// Who we are, where the cluster asks for it.
    pub auth: Auth,
    /// How to shake hands, where connections are to be encrypted, see [`tls::config`].
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The longest an operation may take, everything included.
    pub timeout: Duration,
    /// The longest an attempt to connect may take, TLS and login included.
    pub connect_timeout: Duration,
    /// Connections kept per node, at the most.
    pub max_conns_per_node: usize,
    /// The name the cluster must have; any, if `None`.
    pub cluster_name: Option<String>,
    /// Use the addresses that nodes announce as their alternate ones.
    pub services_alternate: bool,
    /// The racks to read from, the best first; none: read wherever the record is.
    pub rack_ids: Vec<usize>,
}

/// One seed.
#[derive(Debug, Clone)]
pub struct Host {
    pub name: String,
    pub port: u16,
    /// The name in the node's certificate.
    pub tls_name: Option<String>,
}

impl Host {
    /// The name that its certificate has to be for.
    fn certified_name(&self) -> &str {
        self.tls_name.as_deref().unwrap_or(&self.name)
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// A cluster. Created unconnected; connects by itself, for as long as it is not closed.
pub struct Cluster {
    options: Arc<Options>,
    connection: Connection,
    /// Reads that go elsewhere than usual, see `execute`: each would try again every millisecond for a connection.
    elsewhere: Semaphore,
    namespaces: Namespaces,
}

/// Reads that look for another node at the same time.
const ELSEWHERE: usize = 64;

impl Cluster {
    /// Starts connecting in the background. The cluster is looked after in `tending`; large commands run in `bulk`. Must be called
    /// within the runtime that requests run in.
    pub fn open(options: Options, tending: &Handle, bulk: Bulk) -> Cluster {
        let options = Arc::new(options);
        Cluster {
            connection: Connection::open(options.clone(), tending, bulk),
            elsewhere: Semaphore::new(ELSEWHERE),
            namespaces: Namespaces::default(),
            options,
        }
    }

    /// A simulated one. `nodes`: their names, and the partitions that each is master of.
    #[cfg(test)]
    pub fn simulated(options: Options, link: Link, nodes: &[(String, Vec<u16>)]) -> Cluster {
        let options = Arc::new(options);
        Cluster {
            connection: Connection::simulated(options.clone(), link, nodes),
            elsewhere: Semaphore::new(ELSEWHERE),
            namespaces: Namespaces::default(),
            options,
        }
    }

    /// Waits until the cluster is connected.
    ///
    /// # Errors
    ///
    /// Why connecting failed, once an attempt has, or at `deadline`; or that there is no such namespace.
    pub async fn ready(&self, namespace: &str, deadline: Instant) -> Result<()> {
        let limit = Limit::ConnectTimeout;
        let client = self.connection.next_client(deadline, limit).await?;
        self.refuse_missing(&client, namespace).await
    }

    /// What an operation has.
    pub fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// What an operation fails with that is not answered by its deadline.
    pub fn late(&self) -> Error {
        match self.connection.present() {
            Some(client) => failure::late(&self.options, &client),
            None => failure::unreachable(&self.options, None),
        }
    }

    /// When an operation that starts now has to be over.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.options.timeout
    }

    /// How long ago an operation started that has to be over at `deadline`.
    pub fn since(&self, deadline: Instant) -> Duration {
        (Instant::now() + self.options.timeout).saturating_duration_since(deadline)
    }

    /// Whether every node supports read-touch (option `touchOnRead`). `true` as long as no node is known.
    pub fn touches_on_read(&self) -> bool {
        self.connection.touches_on_read()
    }

    /// Whether a session is large, or probably is: that shows when it was read or written before.
    pub fn is_large(&self, key: &Key) -> bool {
        let common = self.connection.routes().common();
        common.sizes.is_session_large(key)
    }

    /// What the cluster is, as far as is known, and how it was used.
    pub fn stats(&self) -> Stats {
        let (connected, nodes) = self.connection.nodes();
        let counters = &self.connection.routes().common().counters;
        counters.stats(connected, nodes)
    }

    /// The longest [`Cluster::ready`] should be waited for.
    pub fn connect_deadline(&self) -> Instant {
        Instant::now() + self.options.connect_timeout
    }

    /// Runs one command. It may succeed with a repetition after an attempt that is in doubt: see [`Terms::doubt`].
    ///
    /// # Errors
    ///
    /// Anything but "there is no such record", which is [`Reply::Missing`]. Never later than the deadline.
    pub fn execute<'a>(
        &'a self,
        key: &'a Key,
        command: &'a Command,
        terms: Terms<'a>,
    ) -> impl Future<Output = Result<Reply>> + 'a {
        let call = Call {
            cluster: self,
            key,
            command,
            terms,
        };
        async move { call.run().await }
    }

    /// Waits until other nodes cannot be reached, at the addresses that are announced, than those that were `seen`.
    pub async fn unreachable(&self, seen: &mut Places) {
        self.connection.peers().changed(seen).await;
    }

    /// Which nodes cannot be reached, in words, and what to do about it.
    pub fn unreachable_words(&self) -> Option<String> {
        self.connection.peers().words()
    }

    /// Whether the cluster is there; changes with it. Starts as `None`: nobody knows yet.
    pub fn health(&self) -> watch::Receiver<Option<bool>> {
        self.connection.health()
    }

    /// Closes every connection. What is pending fails with [`Code::Closed`]. Idempotent.
    ///
    /// [`Code::Closed`]: crate::error::Code::Closed
    pub async fn close(&self) {
        self.connection.close().await;
    }

    /// Whether [`Cluster::close`] has been called.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Resolves when [`Cluster::close`] has been called.
    pub async fn closed(&self) {
        self.connection.closed().await;
    }
}
