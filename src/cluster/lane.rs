//! The operations that wait for one node, and the flights that carry them there.
//!
//! A flight takes everything that waits and carries it out: one operation as it is, more as one batch. As long as fewer
//! than so many flights are under way, an operation that comes gets a flight of its own, which leaves as soon as
//! everybody who is ready now has come in. So nothing ever waits for a timer, an operation that comes alone goes alone,
//! and batches appear just when many come at once, or the cluster is slower than the application.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aerospike::policy::Replica;
use aerospike::{BatchOperation, Client, Key};
use tokio::sync::{oneshot, watch};
use tokio::time::{timeout_at, Instant};

use super::batch::{self, Shape};
use super::{policy, Command, Reply};

/// Flights under way to a node at the same time.
const UNDER_WAY: usize = 4;
/// Operations of a flight at the most. Well below the server's `batch-max-requests` of old (5,000), and few enough that
/// none waits long for the others.
const AT_ONCE: usize = 128;

/// Bytes of a flight at the most, but for an operation that alone has more: a session may be a megabyte, and a hundred of
/// them in one message would keep everybody else waiting.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// The way to one node.
pub struct Lane {
    /// Turns true when the store is closed: then nothing leaves any more, and what is under way is given up.
    closing: watch::Receiver<bool>,
    /// Which copy of a record is read first.
    replica: Replica,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: usize,
    /// A flight is about to leave, and takes whoever comes before it does.
    boarding: bool,
    waiting: VecDeque<Waiting>,
}

/// An operation that waits.
struct Waiting {
    row: BatchOperation,
    shape: Shape,
    size: usize,
    deadline: Instant,
    answer: oneshot::Sender<aerospike::Result<Reply>>,
}

impl Lane {
    pub fn new(closing: watch::Receiver<bool>, replica: Replica) -> Arc<Lane> {
        Arc::new(Lane {
            closing,
            replica,
            state: Mutex::default(),
        })
    }

    /// Takes an operation, to go as soon as may be. The receiver ends without an answer where the time of those it went
    /// with was up, or the store was closed.
    pub fn enter(
        self: &Arc<Lane>,
        client: &Client,
        deadline: Instant,
        key: &Key,
        command: &Command,
    ) -> oneshot::Receiver<aerospike::Result<Reply>> {
        let (answer, answered) = oneshot::channel();
        let (row, shape) = batch::row(key, command);
        let mut state = self.state();
        state.waiting.push_back(Waiting {
            row,
            shape,
            size: command.size(),
            deadline,
            answer,
        });
        self.board(client, state);
        answered
    }

    /// Readies another flight, if somebody waits for one and one more may be under way.
    fn board(self: &Arc<Lane>, client: &Client, mut state: MutexGuard<'_, State>) {
        if state.waiting.is_empty() || state.boarding || state.under_way >= UNDER_WAY {
            return;
        }
        state.boarding = true;
        state.under_way += 1;
        drop(state);
        let flight = Flight {
            lane: Arc::clone(self),
            client: client.clone(),
        };
        tokio::spawn(flight.carry());
    }

    /// The operations that have waited longest; those that nobody waits for any more are passed over.
    fn next(self: &Arc<Lane>, client: &Client, is_first: bool) -> Vec<Waiting> {
        let mut state = self.state();
        if is_first {
            state.boarding = false;
        }
        let mut taken: Vec<Waiting> = Vec::with_capacity(state.waiting.len().min(AT_ONCE));
        let mut bytes = 0;
        while let Some(next) = state.waiting.front() {
            bytes += next.size;
            if taken.len() >= AT_ONCE || (bytes > BYTES_AT_ONCE && !taken.is_empty()) {
                break;
            }
            let next = state.waiting.pop_front();
            taken.extend(next.filter(|next| !next.answer.is_closed()));
        }
        self.board(client, state);
        taken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What carries operations to a node, again and again, as long as some wait.
struct Flight {
    lane: Arc<Lane>,
    client: Client,
}

impl Flight {
    async fn carry(self) {
        let mut closing = self.lane.closing.clone();
        let carry = async {
            let mut taken = self.lane.next(&self.client, true);
            while !taken.is_empty() {
                together(&self.client, self.lane.replica, taken).await;
                taken = self.lane.next(&self.client, false);
            }
        };
        let closed = tokio::select! {
            biased;
            // An error is the end of everything, and so of the store.
            _ = closing.wait_for(|closing| *closing) => true,
            () = carry => false,
        };
        if closed {
            let stranded = std::mem::take(&mut self.lane.state().waiting);
            drop(stranded);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = self.lane.state();
        state.under_way -= 1;
        // Who came since the last look; and, should this one have panicked, who has waited for it.
        self.lane.board(&self.client, state);
    }
}

/// Carries out operations together. Each is answered for itself; one that fails leaves the others alone.
async fn together(client: &Client, replica: Replica, waiting: Vec<Waiting>) {
    let Some(last) = waiting.iter().map(|one| one.deadline).max() else {
        return;
    };
    let mut rows = Vec::with_capacity(waiting.len());
    let mut answers = Vec::with_capacity(waiting.len());
    for one in waiting {
        rows.push(one.row);
        answers.push((one.shape, one.answer));
    }
    let policy = policy::batch(replica, last);
    // The failure of the whole is noted in the rows that it left without an answer.
    if let Ok(outcome) = timeout_at(last, client.batch(&policy, &mut rows)).await {
        for (row, (shape, answer)) in rows.into_iter().zip(answers) {
            // Nobody listens any more: its deadline has passed.
            let _ = answer.send(batch::reply(row, shape, &outcome));
        }
    }
}
