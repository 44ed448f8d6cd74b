//! Makes one attempt to connect, within its deadline.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aerospike::{AuthMode, Client};
use futures::FutureExt;
use tokio::time::{Instant, timeout_at};

use super::failure::Limit;
use super::options::Options;
use super::peer_addresses::PeerAddresses;
use super::{failure, policy, seed_probe, server_features};
use crate::error::{Error, Result};
use crate::failpoint;

/// The part of `connectTimeout` that an attempt leaves unused, so that callers with the same deadline still get the reason of its failure.
const RESERVED_PART: u32 = 10;
/// The most time that is left unused.
const MAX_RESERVED: Duration = Duration::from_millis(250);

/// A client of the crate, which has to be closed, and its login.
pub struct Connected {
    pub client: Client,
    pub auth: AuthMode,
}

/// Connects. A panic, in the crate or here, becomes an error, so that the caller can try again.
///
/// # Errors
/// The reason why no seed could be used.
pub async fn connect(options: &Options, peers: &PeerAddresses) -> Result<Connected> {
    let attempt = catch_panic(attempt(options, peers)).await;
    attempt.unwrap_or_else(|| Err(Error::given_up()))
}

/// Runs `work`. Returns `None` if it panics.
pub async fn catch_panic<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// Adds a deadline to `Client::new`, which has none. And `Client::new` does not end with its future: a task of it continues to connect,
/// and holds the sockets. So it is called only with seeds that answer.
async fn attempt(options: &Options, peers: &PeerAddresses) -> Result<Connected> {
    if let Some(first) = options.hosts.first() {
        failpoint::panic_in("connect", &first.name);
    }
    let timeout = options.connect_timeout;
    let deadline = Instant::now() + timeout - (timeout / RESERVED_PART).min(MAX_RESERVED);
    let seeds = seed_probe::answering_seeds(options, deadline).await?;
    let auth = options.auth.resolve(deadline).await?;
    let seeds: Vec<aerospike::Host> = seeds
        .into_iter()
        .map(|host| aerospike::Host {
            name: host.name.clone(),
            port: host.port,
            // Without a TLS name the crate would not use the seed's own name.
            tls_name: Some(host.certified_name().to_owned()),
        })
        .collect();
    let policy = policy::client(options, auth.clone());
    let connecting = tokio::select! {
        connected = timeout_at(deadline, Client::new(&policy, &seeds)) => connected,
        () = peers.explain_slow_connect(&auth, &seeds) => return Err(Error::given_up()),
    };
    match connecting {
        Ok(Ok(client)) => match server_features::check(&client) {
            Ok(()) => Ok(Connected { client, auth }),
            Err(error) => {
                // `close` waits for nodes that may not answer. It ends later, by itself.
                tokio::spawn(async move { client.close().await });
                Err(error)
            }
        },
        Ok(Err(error)) => Err(failure::connect_failed(options, &error)),
        // The crate still waits for the nodes that the seeds announce.
        Err(_) => {
            let waited = failure::unanswered(options, Limit::ConnectTimeout);
            Err(peers.error().unwrap_or(waited))
        }
    }
}
