//! The cluster as the store holds it.

use std::sync::Arc;
use std::time::Duration;

use aerospike::{Client, Key};
use tokio::runtime::Handle;
use tokio::sync::{watch, Semaphore};
use tokio::time::Instant;

use super::connection::Connection;
use super::failure::{self, Limit};
use super::namespaces::Namespaces;
use super::options::Options;
use super::peer_addresses::UnreachableAddresses;
use super::stats::Stats;
#[cfg(test)]
use super::transport::Transport;
use crate::bulk_runtime::Bulk;
use crate::error::{Error, Result};

/// A cluster. Created unconnected; connects by itself, for as long as it is not closed.
pub struct Cluster {
    pub(super) options: Arc<Options>,
    pub(super) connection: Connection,
    /// Reads that go elsewhere than usual, see `execute`: each would try again every millisecond for a connection.
    pub(super) elsewhere: Semaphore,
    pub(super) namespaces: Namespaces,
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
    pub fn simulated(
        options: Options,
        transport: Transport,
        nodes: &[(String, Vec<u16>)],
    ) -> Cluster {
        let options = Arc::new(options);
        Cluster {
            connection: Connection::simulated(options.clone(), transport, nodes),
            elsewhere: Semaphore::new(ELSEWHERE),
            namespaces: Namespaces::default(),
            options,
        }
    }

    /// Returns the client once it knows the partitions of the namespace, see [`Namespaces::client`].
    pub(super) async fn client(&self, namespace: &str, deadline: Instant) -> Result<Client> {
        let (connection, options) = (&self.connection, &self.options);
        self.namespaces
            .client(connection, options, namespace, deadline)
            .await
    }

    /// Waits until the cluster is connected.
    ///
    /// # Errors
    ///
    /// Why connecting failed, once an attempt has, or at `deadline`; or that there is no such namespace.
    pub async fn ready(&self, namespace: &str, deadline: Instant) -> Result<()> {
        let limit = Limit::ConnectTimeout;
        let client = self.connection.next_client(deadline, limit).await?;
        self.namespaces.refuse_missing(&client, namespace).await
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
        let context = self.connection.routing().context();
        context.sizes.is_session_large(key)
    }

    /// What the cluster is, as far as is known, and how it was used.
    pub fn stats(&self) -> Stats {
        let (connected, nodes) = self.connection.nodes();
        let counters = &self.connection.routing().context().counters;
        counters.stats(connected, nodes)
    }

    /// The longest [`Cluster::ready`] should be waited for.
    pub fn connect_deadline(&self) -> Instant {
        Instant::now() + self.options.connect_timeout
    }

    /// Waits until other nodes cannot be reached, at the addresses that are announced, than those that were `seen`.
    pub async fn unreachable(&self, seen: &mut UnreachableAddresses) {
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
