//! One attempt to connect, within its deadline.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aerospike::{AuthMode, Client};
use futures::FutureExt;
use tokio::time::{timeout_at, Instant};

use super::failure::Limit;
use super::options::Options;
use super::peer_addresses::PeerAddresses;
use super::{failure, policy, seed_probe, server_features};
use crate::error::{Error, Result};
use crate::failpoint;

/// The share of an attempt's time that is kept for telling whoever waits as long why it came to nothing.
const KEPT: u32 = 10;
/// The most of it.
const MOST_KEPT: Duration = Duration::from_millis(250);

/// A client of the crate's, which is to be closed, and what it has logged in with.
pub struct Connected {
    pub client: Client,
    pub auth: AuthMode,
}

/// Connects. Should that panic, in the crate or here, whoever goes on connecting goes on.
///
/// # Errors
/// Why no seed has let us in.
pub async fn connect(options: &Options, peers: &PeerAddresses) -> Result<Connected> {
    let attempt = unwound(attempt(options, peers)).await;
    attempt.unwrap_or_else(|| Err(Error::given_up()))
}

/// `None` of what panicked.
pub async fn unwound<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// `Client::new` has no deadline of its own: this has one. Nor does it end with its future: a task of it goes on asking, and
/// holds the sockets. So it is begun only with seeds that answer.
async fn attempt(options: &Options, peers: &PeerAddresses) -> Result<Connected> {
    if let Some(first) = options.hosts.first() {
        failpoint::panic_in("connect", &first.name);
    }
    let given = options.connect_timeout;
    let deadline = Instant::now() + given - (given / KEPT).min(MOST_KEPT);
    let seeds = seed_probe::answering(options, deadline).await?;
    let auth = options.auth.now(deadline).await?;
    let seeds: Vec<aerospike::Host> = seeds
        .into_iter()
        .map(|host| aerospike::Host {
            name: host.name.clone(),
            port: host.port,
            // The crate would not fall back on the seed's own name.
            tls_name: Some(host.certified_name().to_owned()),
        })
        .collect();
    let policy = policy::client(options, auth.clone());
    let connecting = tokio::select! {
        connected = timeout_at(deadline, Client::new(&policy, &seeds)) => connected,
        () = peers.explain(&auth, &seeds) => return Err(Error::given_up()),
    };
    match connecting {
        Ok(Ok(client)) => match server_features::check(&client) {
            Ok(()) => Ok(Connected { client, auth }),
            Err(error) => {
                // It waits for nodes that may not answer: it ends later, by itself.
                tokio::spawn(async move { client.close().await });
                Err(error)
            }
        },
        Ok(Err(error)) => Err(failure::connecting(options, &error)),
        // It waits for the nodes that the seeds announce.
        Err(_) => {
            let waited = failure::unanswered(options, Limit::ConnectTimeout);
            Err(peers.error().unwrap_or(waited))
        }
    }
}
