//! The operations that wait for one node, and the flights that carry them there.
//!
//! A flight takes everything that waits and carries it out: one operation as it is, more as one batch. As long as fewer
//! than so many flights are under way, an operation that comes gets a flight of its own, which leaves as soon as
//! everybody who is ready now has come in. So nothing ever waits for a timer, an operation that comes alone goes alone,
//! and batches appear just when many come at once, or the cluster is slower than the application.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aerospike::policy::Replica;
use aerospike::{BatchOperation, Client, Key};
use tokio::sync::{oneshot, watch};
use tokio::time::{timeout_at, Instant};

use super::batch::{self, Shape};
use super::stats::Counters;
use super::trace::{Trace, Way};
use super::trouble::Trouble;
use super::{policy, Command, Reply};

/// Flights under way to a node at the same time.
const UNDER_WAY: usize = 4;
/// Operations of a flight at the most. Well below the server's `batch-max-requests` of old (5,000), and few enough that
/// none waits long for the others.
const AT_ONCE: usize = 128;

/// Bytes of a flight at the most, but for an operation that alone has more: a session may be a megabyte, and a hundred of
/// them in one message would keep everybody else waiting.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// A node that is silent for so many times the patience is in trouble.
const SILENCE: u32 = 2;
/// The way to one node.
pub struct Lane {
    common: Common,
    /// The node's name; unknown before the nodes have been asked what they hold.
    node: Option<Arc<str>>,
    /// The last flight failed to reach the node, or to hear from it.
    trouble: AtomicBool,
    state: Mutex<State>,
}

/// What all lanes of a store have in common.
#[derive(Clone)]
pub struct Common {
    /// Whether any node is in trouble.
    pub trouble: Arc<Trouble>,
    pub counters: Arc<Counters>,
    /// How long a node in trouble is waited for, at first.
    pub patience: Duration,
    /// Which copy of a record is read first.
    pub replica: Replica,
    /// Turns true when the store is closed: then nothing leaves any more, and what is under way is given up.
    pub closing: watch::Receiver<bool>,
}

#[derive(Default)]
struct State {
    under_way: usize,
    /// A flight is about to leave, and takes whoever comes before it does.
    boarding: bool,
    waiting: VecDeque<Waiting>,
    /// How many have entered so far.
    entered: u64,
}

/// What an operation that has entered a lane holds.
pub struct Pass {
    number: u64,
    /// Ends without an answer where the store was closed, or what carried the operation has panicked.
    pub answer: oneshot::Receiver<Outcome>,
}

/// What came of an operation.
// As `Reply`: a box would be one allocation more for each.
#[allow(clippy::large_enum_variant)]
pub enum Outcome {
    /// Of its own doing.
    Own(aerospike::Result<Reply>),
    /// It has none: the answer to all was given up at a row that cannot be read, and it was not this one, as far as is
    /// known.
    Lost(aerospike::Error),
    /// It was sent away: the node is silent, or the time of those it went with was up.
    Away,
}

/// An operation that waits.
struct Waiting {
    number: u64,
    row: BatchOperation,
    shape: Shape,
    size: usize,
    /// How long its flight is waited for, unless others wait longer.
    patience: Duration,
    deadline: Instant,
    answer: oneshot::Sender<Outcome>,
    /// Who wants to know its way, and where that leads.
    trace: Option<(Arc<Trace>, Option<Arc<str>>)>,
}

impl Lane {
    pub fn new(common: &Common, node: Option<Arc<str>>) -> Arc<Lane> {
        Arc::new(Lane {
            common: common.clone(),
            node,
            trouble: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    /// Whether the node did not answer when it was last asked.
    pub fn is_in_trouble(&self) -> bool {
        self.trouble.load(Ordering::Relaxed)
    }

    /// Where an operation goes, if that is known: with racks the crate chooses whom to read from.
    fn node_of(&self, is_write: bool) -> Option<Arc<str>> {
        let is_chosen = !is_write && matches!(self.common.replica, Replica::PreferRack);
        self.node.clone().filter(|_| !is_chosen)
    }

    /// How long a node is silent that is in trouble then.
    pub fn silence(&self) -> Duration {
        self.common.patience * SILENCE
    }

    /// Takes note whether the node was heard from.
    fn note(&self, heard: bool) {
        self.trouble.store(!heard, Ordering::Relaxed);
        if !heard {
            self.common.trouble.raise();
        }
    }

    /// Takes an operation, to go as soon as may be. Its flight is waited for so long, from when it leaves, and not beyond the
    /// deadline. So long the server has for it, too: what it has not begun by then, or finds on a connection that was closed
    /// meanwhile, it does not begin any more (`as_tsvc_process_transaction` in as/src/base/thr_tsvc.c,
    /// `handle_client_io_event` in as/src/base/service.c).
    pub fn enter(
        self: &Arc<Lane>,
        client: &Client,
        (patience, deadline): (Duration, Instant),
        key: &Key,
        command: &Command,
        trace: Option<&Arc<Trace>>,
    ) -> Pass {
        let (answer, answered) = oneshot::channel();
        let (row, shape) = batch::row(key, command);
        let mut state = self.state();
        state.entered += 1;
        let number = state.entered;
        state.waiting.push_back(Waiting {
            number,
            row,
            shape,
            size: command.size(),
            patience,
            deadline,
            answer,
            trace: trace.map(|trace| (trace.clone(), self.node_of(command.is_write()))),
        });
        self.board(client, state);
        Pass {
            number,
            answer: answered,
        }
    }

    /// Takes an operation back. `false`: it has left.
    pub fn withdraw(&self, pass: &Pass) -> bool {
        let mut state = self.state();
        let place = state
            .waiting
            .iter()
            .position(|one| one.number == pass.number);
        place.is_some_and(|place| state.waiting.remove(place).is_some())
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

fn send_away(answers: Vec<oneshot::Sender<Outcome>>) {
    for answer in answers {
        // An error means that nobody listens any more.
        let _ = answer.send(Outcome::Away);
    }
}

/// What carries operations to a node, again and again, as long as some wait.
struct Flight {
    lane: Arc<Lane>,
    client: Client,
}

impl Flight {
    async fn carry(self) {
        let mut closing = self.lane.common.closing.clone();
        let carry = async {
            let mut taken = self.lane.next(&self.client, true);
            while !taken.is_empty() {
                self.together(taken).await;
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
            let mut state = self.lane.state();
            // It may not have come so far as to leave.
            state.boarding = false;
            let stranded = std::mem::take(&mut state.waiting);
            drop(state);
            drop(stranded);
        }
    }

    /// Carries out operations together. Each is answered for itself; one that fails leaves the others alone.
    async fn together(&self, waiting: Vec<Waiting>) {
        let common = &self.lane.common;
        let patience = waiting.iter().map(|one| one.patience).max();
        let deadline = waiting.iter().map(|one| one.deadline).max();
        let Some((patience, deadline)) = patience.zip(deadline) else {
            return;
        };
        let last = deadline.min(Instant::now() + patience);
        let together = waiting.len();
        common.counters.flight(together);
        let mut rows = Vec::with_capacity(waiting.len());
        let mut shapes = Vec::with_capacity(waiting.len());
        let mut answers = Vec::with_capacity(waiting.len());
        for one in waiting {
            if let Some((trace, node)) = one.trace {
                trace.note(Way { node, together });
            }
            rows.push(one.row);
            shapes.push(one.shape);
            answers.push(one.answer);
        }
        let (policy, alone) = (policy::batch(common.replica, last), rows.len() == 1);
        let outcome = {
            let batch = timeout_at(last, self.client.batch(&policy, &mut rows));
            let mut batch = std::pin::pin!(batch);
            tokio::select! {
                biased;
                outcome = &mut batch => outcome,
                () = tokio::time::sleep(self.lane.silence()) => {
                    self.lane.note(false);
                    batch.await
                }
            }
        };
        let Ok(outcome) = outcome else {
            self.lane.note(false);
            return send_away(answers);
        };
        // Any word of the server's, and be it that it refuses, is an answer.
        let silence = |error: &aerospike::Error| error.server_result_code().is_none();
        self.lane.note(!outcome.as_ref().is_err_and(silence));
        // The failure of the whole is noted in the rows that it left without an answer.
        for ((row, shape), answer) in rows.into_iter().zip(shapes).zip(answers) {
            // An error means that nobody listens any more: its time has passed.
            let _ = answer.send(batch::outcome(row, shape, alone, &outcome));
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
