//! The operations under way to one node, and those that wait.
//!
//! Up to a limit operations go out at once, alone. What comes while that many are under way waits, and goes together,
//! as one batch, as soon as one of them is back. So nothing ever waits for a timer, and batches appear just when the
//! cluster is slower than the application.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aerospike::{BatchOperation, Client};
use tokio::sync::oneshot;
use tokio::time::{timeout_at, Instant};

use super::batch::{self, Shape};
use super::{policy, Reply};

/// Operations, or batches, under way to a node at the same time.
const UNDER_WAY: usize = 4;
/// Operations that go together at the most. Well below the server's `batch-max-requests` of old (5,000), and few
/// enough that none waits long for the others.
const AT_ONCE: usize = 128;

/// The way to one node.
#[derive(Default)]
pub struct Lane {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: usize,
    waiting: VecDeque<Waiting>,
}

/// An operation that waits.
struct Waiting {
    row: BatchOperation,
    shape: Shape,
    deadline: Instant,
    answer: oneshot::Sender<aerospike::Result<Reply>>,
}

/// What an operation is to do.
pub enum Turn {
    /// Go, now.
    Go(Flight),
    /// It goes with others; this is its answer. It ends without one where the time of the others was up.
    Wait(oneshot::Receiver<aerospike::Result<Reply>>),
}

impl Lane {
    /// Goes, if not too many are under way; otherwise waits, as the row that `row` makes.
    pub fn enter(
        self: Arc<Self>,
        client: &Client,
        deadline: Instant,
        row: impl FnOnce() -> (BatchOperation, Shape),
    ) -> Turn {
        let mut state = self.state();
        if state.under_way < UNDER_WAY {
            state.under_way += 1;
            drop(state);
            return Turn::Go(Flight {
                lane: self,
                client: client.clone(),
            });
        }
        let (answer, answered) = oneshot::channel();
        let (row, shape) = row();
        state.waiting.push_back(Waiting {
            row,
            shape,
            deadline,
            answer,
        });
        Turn::Wait(answered)
    }

    /// The operations that have waited longest; those that nobody waits for any more are passed over. Where none is
    /// left, one less is under way.
    fn next(&self) -> Vec<Waiting> {
        let mut state = self.state();
        let mut taken = Vec::new();
        while taken.len() < AT_ONCE {
            match state.waiting.pop_front() {
                Some(waiting) if waiting.answer.is_closed() => {}
                Some(waiting) => taken.push(waiting),
                None => break,
            }
        }
        if taken.is_empty() {
            state.under_way -= 1;
        }
        taken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation, or a batch, that is under way. When it is over, what has gathered meanwhile goes.
pub struct Flight {
    lane: Arc<Lane>,
    client: Client,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let next = self.lane.next();
        if !next.is_empty() {
            let flight = Flight {
                lane: Arc::clone(&self.lane),
                client: self.client.clone(),
            };
            tokio::spawn(together(flight, next));
        }
    }
}

/// Carries out operations in one batch. Each is answered for itself; one that fails leaves the others alone.
async fn together(flight: Flight, waiting: Vec<Waiting>) {
    let Some(last) = waiting.iter().map(|one| one.deadline).max() else {
        return;
    };
    let mut rows = Vec::with_capacity(waiting.len());
    let mut answers = Vec::with_capacity(waiting.len());
    for one in waiting {
        rows.push(one.row);
        answers.push((one.shape, one.answer));
    }
    let policy = policy::batch(last);
    // The failure of the whole is noted in the rows that it left without an answer.
    if let Ok(outcome) = timeout_at(last, flight.client.batch(&policy, &mut rows)).await {
        for (row, (shape, answer)) in rows.into_iter().zip(answers) {
            // Nobody listens any more: its deadline has passed.
            let _ = answer.send(batch::reply(row, shape, &outcome));
        }
    }
}
