//! One attempt to connect, within its deadline.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aerospike::{AuthMode, Client};
use futures::FutureExt;
use tokio::time::{timeout_at, Instant};

use super::{failure, knock, policy, Options};
use crate::error::{Code, Error, Result};
use crate::planted;

/// The share of an attempt's time that is kept for saying why the seeds do not answer.
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
pub async fn connect(options: &Options) -> Result<Connected> {
    let attempt = unwound(attempt(options)).await;
    attempt.unwrap_or_else(|| Err(Error::given_up()))
}

/// `None` of what panicked.
pub async fn unwound<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// `Client::new` has no deadline of its own: this has one.
async fn attempt(options: &Options) -> Result<Connected> {
    if let Some(first) = options.hosts.first() {
        planted::panic_in("connect", &first.name);
    }
    let deadline = Instant::now() + options.connect_timeout;
    let sooner = deadline - (options.connect_timeout / KEPT).min(MOST_KEPT);
    let seeds = knock::answering(options, sooner).await?;
    let auth = options.auth.now(sooner).await?;
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
    let error = match timeout_at(sooner, Client::new(&policy, &seeds)).await {
        Ok(Ok(client)) => return Ok(Connected { client, auth }),
        Ok(Err(error)) => failure::connecting(options, &error),
        Err(_) => return Err(failure::unanswered(options)),
    };
    Err(explained(options, error, deadline).await)
}

/// A single seed without TLS has not been spoken to beforehand.
async fn explained(options: &Options, error: Error, deadline: Instant) -> Error {
    if error.code != Code::Unavailable || options.tls.is_some() || options.hosts.len() > 1 {
        return error;
    }
    match knock::diagnose(options, deadline).await {
        Some(diagnosis) if diagnosis.code != Code::Unavailable => diagnosis,
        _ => error,
    }
}
