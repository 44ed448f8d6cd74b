//! The cluster as the store holds it.

use std::sync::Arc;
use std::time::Duration;

use aerospike::{Client, Key};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
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

/// A cluster. It connects in the background, and reconnects until it is closed.
pub struct Cluster {
    pub(super) options: Arc<Options>,
    pub(super) connection: Connection,
    /// Limits the reads from replicas, see `execute`: each of them asks for a connection every millisecond while there is none.
    pub(super) replica_reads: Semaphore,
    pub(super) namespaces: Namespaces,
}

/// Reads from replicas at the same time.
const MAX_REPLICA_READS: usize = 64;

impl Cluster {
    /// Starts connecting in the background. `tending`: the runtime of the connection and its checks. `bulk`: the runtime of large
    /// commands. Must be called within the runtime of the requests.
    pub fn open(options: Options, tending: &Handle, bulk: Bulk) -> Cluster {
        let options = Arc::new(options);
        Cluster {
            connection: Connection::open(options.clone(), tending, bulk),
            replica_reads: Semaphore::new(MAX_REPLICA_READS),
            namespaces: Namespaces::default(),
            options,
        }
    }

    /// Returns a simulated cluster. `nodes`: their names, and the partitions that each is master of.
    #[cfg(test)]
    pub fn simulated(
        options: Options,
        transport: Transport,
        nodes: &[(String, Vec<u16>)],
    ) -> Cluster {
        let options = Arc::new(options);
        Cluster {
            connection: Connection::simulated(options.clone(), transport, nodes),
            replica_reads: Semaphore::new(MAX_REPLICA_READS),
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
    /// The reason why connecting failed, as soon as an attempt has failed, or at `deadline`. Also if the namespace does not exist.
    pub async fn ready(&self, namespace: &str, deadline: Instant) -> Result<()> {
        let limit = Limit::ConnectTimeout;
        let client = self.connection.next_client(deadline, limit).await?;
        self.namespaces.refuse_missing(&client, namespace).await
    }

    /// Returns the timeout of an operation.
    pub fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// Returns the error of an operation that is not answered by its deadline.
    pub fn late(&self) -> Error {
        match self.connection.present() {
            Some(client) => failure::timed_out(&self.options, &client),
            None => failure::unreachable(&self.options, None),
        }
    }

    /// Returns the deadline of an operation that starts now.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.options.timeout
    }

    /// Returns how long ago an operation with this deadline started.
    pub fn since(&self, deadline: Instant) -> Duration {
        (Instant::now() + self.options.timeout).saturating_duration_since(deadline)
    }

    /// Returns whether every node supports read-touch (option `touchOnRead`). `true` as long as no node is known.
    pub fn touches_on_read(&self) -> bool {
        self.connection.touches_on_read()
    }

    /// Returns whether a session probably has this many bytes or more, judged by the last read or write, see [`RecordSizes`].
    ///
    /// [`RecordSizes`]: super::record_sizes::RecordSizes
    pub fn is_at_least(&self, key: &Key, bytes: usize) -> bool {
        let context = self.connection.routing().context();
        context.sizes.is_session_at_least(key, bytes)
    }

    /// Returns the known nodes of the cluster, and how it was used.
    pub fn stats(&self) -> Stats {
        let (connected, nodes) = self.connection.nodes();
        let counters = &self.connection.routing().context().counters;
        counters.stats(connected, nodes)
    }

    /// Returns the deadline for a [`Cluster::ready`] that is called now.
    pub fn connect_deadline(&self) -> Instant {
        Instant::now() + self.options.connect_timeout
    }

    /// Waits until the nodes that cannot be reached at their announced addresses differ from `seen`, and updates it.
    pub async fn unreachable(&self, seen: &mut UnreachableAddresses) {
        self.connection.peers().changed(seen).await;
    }

    /// Returns a message with the nodes that cannot be reached and how to fix it, if there are any.
    pub fn unreachable_words(&self) -> Option<String> {
        self.connection.peers().message()
    }

    /// Returns a receiver that reports whether the cluster is connected. `None`: not known yet.
    pub fn health(&self) -> watch::Receiver<Option<bool>> {
        self.connection.health()
    }

    /// Closes every connection. Pending operations fail with [`Code::Closed`]. Idempotent.
    ///
    /// [`Code::Closed`]: crate::error::Code::Closed
    pub async fn close(&self) {
        self.connection.close().await;
    }

    /// Returns whether [`Cluster::close`] has been called.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Waits until [`Cluster::close`] has been called.
    pub async fn closed(&self) {
        self.connection.closed().await;
    }
}
