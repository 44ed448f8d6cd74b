//! Why a connected client gets no connections any more.
//!
//! The crate opens connections in the background, and keeps to itself why it could not: to an operation a login that is
//! refused looks like a node that is away. And a connection on which the login has expired goes back to its pool. So when
//! operations get no connection, or are told that nobody has logged in, we connect anew: the answer to that is the reason,
//! or a client that works.

use std::future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aerospike::Client;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::connect_attempt::{connect, Connected};
use super::options::Options;
use super::peer_addresses::PeerAddresses;
use crate::error::{Error, Result};

/// The time between the starts of two probes: it doubles while the doubts last. Each is a login.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a finding explains failures. While they go on there are new ones.
const FRESH: Duration = Duration::from_secs(15);

/// What operations have met.
#[derive(Default)]
pub struct AuthCheck {
    no_connection: AtomicBool,
    not_logged_in: AtomicBool,
    /// Why nobody gets a connection, and when that was found.
    finding: Mutex<Option<(Instant, Error)>>,
}

impl AuthCheck {
    /// An operation waits for a connection, or got none.
    pub fn no_connection(&self) {
        self.no_connection.store(true, Ordering::Relaxed);
    }

    /// The server took an operation for that of somebody who has not logged in.
    pub fn not_logged_in(&self) {
        self.not_logged_in.store(true, Ordering::Relaxed);
    }

    /// Why there are no connections, as far as that is known.
    pub fn finding(&self) -> Option<Error> {
        let finding = self.lock();
        let (found, error) = finding.as_ref()?;
        (found.elapsed() < FRESH).then(|| error.clone())
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

/// The attempts to connect that are made out of doubt, one at a time.
pub struct Probe<'a> {
    options: &'a Options,
    peers: &'a PeerAddresses,
    under_way: Option<BoxFuture<'a, Result<Connected>>>,
    /// Whether the one under way was begun because a login had expired.
    renews_login: bool,
    pause: Duration,
    /// No probe before.
    next: Instant,
}

/// What a probe has come to.
pub struct Probed {
    pub outcome: Result<Connected>,
    /// The connections of the old client are of no use, however many it has.
    pub renews_login: bool,
}

impl<'a> Probe<'a> {
    pub fn new(options: &'a Options, peers: &'a PeerAddresses) -> Probe<'a> {
        Probe {
            options,
            peers,
            under_way: None,
            renews_login: false,
            pause: FIRST_PAUSE,
            next: Instant::now(),
        }
    }

    /// Begins a probe, if there is reason for one and the last is long enough ago.
    pub fn consider(&mut self, auth_check: &AuthCheck, client: &Client) {
        let now = Instant::now();
        if self.under_way.is_some() || now < self.next {
            return;
        }
        let renews_login = auth_check.not_logged_in.swap(false, Ordering::Relaxed);
        let no_connection = auth_check.no_connection.swap(false, Ordering::Relaxed);
        if !(renews_login || no_connection || is_lost(client)) {
            if now > self.next + self.pause {
                self.pause = FIRST_PAUSE;
            }
            return;
        }
        // A cluster that is gone may come back elsewhere, under the same names: the seeds are asked again and again.
        if !client.is_connected() {
            self.pause = FIRST_PAUSE;
        }
        self.next = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.renews_login = renews_login;
        self.under_way = Some(Box::pin(connect(self.options, self.peers)));
    }

    /// Waits for the probe under way; for ever, if there is none.
    pub async fn done(&mut self) -> Probed {
        let outcome = match &mut self.under_way {
            Some(probe) => probe.await,
            None => future::pending().await,
        };
        self.under_way = None;
        Probed {
            outcome,
            renews_login: self.renews_login,
        }
    }
}

/// Whether a client has no node left that answers.
pub fn is_lost(client: &Client) -> bool {
    client.nodes().iter().all(|node| node.failures() > 0)
}
