//! Finds out why a connected client gets no connections any more.
//!
//! The crate opens connections in the background, and does not report why it fails. To an operation a refused login looks like a node
//! that is down. And a connection whose login has expired goes back to its pool. So when operations get no connection, or the server
//! says that they are not logged in, we connect with a new client. That gives the reason, or a client that works.

use std::future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aerospike::Client;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::connect_attempt::{Connected, connect};
use super::options::Options;
use super::peer_addresses::PeerAddresses;
use crate::error::{Error, Result};

/// The time between the starts of two probes, which are logins. It doubles while there is a reason to probe.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the result of a probe explains failures. While operations fail there are new probes.
const MAX_FINDING_AGE: Duration = Duration::from_secs(15);

/// Symptoms that operations have reported, and the reason that a probe has found.
#[derive(Default)]
pub struct AuthCheck {
    no_connection: AtomicBool,
    not_logged_in: AtomicBool,
    /// The reason why operations get no connection, and when it was found.
    finding: Mutex<Option<(Instant, Error)>>,
}

impl AuthCheck {
    /// Reports that an operation waits for a connection, or got none.
    pub fn no_connection(&self) {
        self.no_connection.store(true, Ordering::Relaxed);
    }

    /// Reports that the server has refused an operation because its connection is not logged in.
    pub fn not_logged_in(&self) {
        self.not_logged_in.store(true, Ordering::Relaxed);
    }

    /// Returns the reason why there are no connections, if it is known.
    pub fn finding(&self) -> Option<Error> {
        let finding = self.lock();
        let (found, error) = finding.as_ref()?;
        (found.elapsed() < MAX_FINDING_AGE).then(|| error.clone())
    }

    pub fn found(&self, error: Error) {
        *self.lock() = Some((Instant::now(), error));
    }

    pub fn clear(&self) {
        *self.lock() = None;
        self.not_logged_in.store(false, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, Error)>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.finding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Attempts to connect that find out whether the cluster still accepts us, one at a time.
pub struct Probe<'a> {
    options: &'a Options,
    peers: &'a PeerAddresses,
    attempt: Option<BoxFuture<'a, Result<Connected>>>,
    /// Whether the attempt was started because a login had expired.
    renews_login: bool,
    pause: Duration,
    /// The earliest start of the next probe.
    next: Instant,
}

/// The outcome of a probe.
pub struct Probed {
    pub outcome: Result<Connected>,
    /// The probe was started because a login had expired: the connections of the old client are useless.
    pub renews_login: bool,
}

impl<'a> Probe<'a> {
    pub fn new(options: &'a Options, peers: &'a PeerAddresses) -> Probe<'a> {
        Probe {
            options,
            peers,
            attempt: None,
            renews_login: false,
            pause: FIRST_PAUSE,
            next: Instant::now(),
        }
    }

    /// Starts a probe, if there is a reason for one and the pause since the last one has passed.
    pub fn consider(&mut self, auth_check: &AuthCheck, client: &Client) {
        let now = Instant::now();
        if self.attempt.is_some() || now < self.next {
            return;
        }
        let renews_login = auth_check.not_logged_in.swap(false, Ordering::Relaxed);
        let no_connection = auth_check.no_connection.swap(false, Ordering::Relaxed);
        if !(renews_login || no_connection || is_disconnected(client)) {
            if now > self.next + self.pause {
                self.pause = FIRST_PAUSE;
            }
            return;
        }
        // The cluster may come back at other addresses under the same names, so the seeds are probed often.
        if !client.is_connected() {
            self.pause = FIRST_PAUSE;
        }
        self.next = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.renews_login = renews_login;
        self.attempt = Some(Box::pin(connect(self.options, self.peers)));
    }

    /// Waits for the probe in progress. Waits forever if there is none.
    pub async fn done(&mut self) -> Probed {
        let outcome = match &mut self.attempt {
            Some(probe) => probe.await,
            None => future::pending().await,
        };
        self.attempt = None;
        Probed {
            outcome,
            renews_login: self.renews_login,
        }
    }
}

/// Returns whether no node of a client answers any more.
pub fn is_disconnected(client: &Client) -> bool {
    client.nodes().iter().all(|node| node.failures() > 0)
}
