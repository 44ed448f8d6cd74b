//! The commands that wait for one node.
//!
//! A queue has at most [`MAX_IN_FLIGHT`] requests to its node in flight. While there are fewer, a command is sent at once, alone. When
//! there are that many, commands wait, and the next request takes all that wait as one batch. So no command waits for a timer, and
//! batches form when many commands come at once, or when the cluster is slower than the application.
//!
//! The queue decides what is sent together. [`batch_sender`](super::batch_sender) and [`direct_send`](super::direct_send) send it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aerospike::Key;
use aerospike::policy::Replica;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;

use super::batch::{Outcome, Shape};
use super::command::{Command, Reply};
use super::failure::{self, Failure, Kind};
use super::node_health::NodeHealth;
use super::options::Options;
use super::policy::SMALLEST_PART;
use super::record_sizes::{RecordSizes, Slot};
use super::rows::Row;
use super::stats::Counters;
use super::trace::Trace;
use super::transport::Transport;
use super::{memory_size, policy};
use crate::bulk_runtime::Bulk;

/// Requests in flight to a node.
pub const MAX_IN_FLIGHT: usize = 4;
/// Commands of a batch. Far below the `batch-max-requests` of older servers (5,000), and few enough that none waits long for the
/// others.
const MAX_BATCH_ROWS: usize = 128;
/// Bytes of a batch, unless a single command has more: a session may have a megabyte, and a hundred of them in one message would delay
/// all other commands. For reads the expected answers count, see [`RecordSizes`].
const MAX_BATCH_BYTES: usize = 256 * 1024;
/// A batch holds only commands whose attempts end within this time of each other. It ends with the first of them, so that nothing
/// of a command is in flight once its caller has been answered.
const MAX_SPREAD: Duration = Duration::from_millis(5);
/// A node is suspect once it has been silent for this many times the shortest attempt.
const SILENT_ATTEMPTS: u32 = 2;

/// The queue of one node. A node has one for reads and writes each, and one for large sessions.
pub struct NodeQueue {
    pub(super) context: QueueContext,
    /// The name of the node; `None` until the nodes have been asked for their partitions.
    pub(super) node: Option<Arc<str>>,
    /// The last request did not reach the node, or was not answered. All queues of a node share this.
    is_suspect: Arc<AtomicBool>,
    /// For large sessions.
    pub(super) is_bulk: bool,
    /// A permit wakes an idle batch sender. Closed with the queue, which ends them.
    pub(super) wake_idle: Arc<Semaphore>,
    state: Mutex<State>,
}

/// What all queues of a store share.
#[derive(Clone)]
pub struct QueueContext {
    /// Whether any node is suspect.
    pub health: Arc<NodeHealth>,
    pub counters: Arc<Counters>,
    pub sizes: Arc<RecordSizes>,
    /// The shortest time an attempt gets.
    pub attempt_timeout: Duration,
    /// The replica of a record that is read first.
    pub replica: Replica,
    /// Becomes true when the store is closed. Then nothing more is sent, and requests in flight are given up.
    pub closing: watch::Receiver<bool>,
    /// The runtime for large sessions.
    pub bulk: Bulk,
}

#[derive(Default)]
pub(super) struct State {
    pub in_flight: usize,
    /// Batch senders that wait to be woken.
    pub idle: usize,
    /// The transport that the next batch is sent by: that of the last command.
    pub transport: Option<Transport>,
    /// A batch sender has been started or woken, and takes all commands that come before it runs.
    pub is_scheduled: bool,
    pub waiting: VecDeque<QueuedCommand>,
    /// The number of commands so far.
    pushed: u64,
}

/// The receipt for a command in a queue.
pub struct QueueTicket {
    number: u64,
    /// Ends without an answer if the store was closed, or if the batch sender has panicked.
    pub answer: oneshot::Receiver<Outcome>,
}

pub(super) struct QueuedCommand {
    number: u64,
    pub row: Row,
    pub shape: Shape,
    pub slot: Slot,
    size: usize,
    /// The longest this attempt may take.
    attempt_timeout: Duration,
    deadline: Instant,
    pub answer: oneshot::Sender<Outcome>,
    /// The trace of a command that is traced, and the node it is sent to.
    pub trace: Option<(Arc<Trace>, Option<Arc<str>>)>,
}

/// Whether a batch sender has to be started. (Otherwise there is nothing to send, or one has been woken.)
#[must_use]
pub(super) struct NeedsSender(pub bool);

impl QueueContext {
    pub fn new(options: &Options, closing: watch::Receiver<bool>, bulk: Bulk) -> QueueContext {
        QueueContext {
            health: Arc::new(NodeHealth::new()),
            counters: Arc::default(),
            sizes: Arc::new(RecordSizes::new()),
            attempt_timeout: options.timeout / SMALLEST_PART,
            replica: policy::replica(options),
            closing,
            bulk,
        }
    }

    /// Remembers the size of a session that was read.
    pub(super) fn learn_size(&self, outcome: &Outcome, slot: Slot) {
        let bytes = match outcome {
            Outcome::Own(Ok(Reply::Record(record))) if !record.bins.is_empty() => {
                memory_size::of_record(record)
            }
            Outcome::Own(Err(failure))
                if matches!(failure::kind(failure), Kind::Missing | Kind::Filtered) =>
            {
                0
            }
            _ => return,
        };
        self.sizes.learn(slot, bytes.max(1));
    }
}

impl QueuedCommand {
    /// Returns when an attempt ends that starts now.
    fn end(&self, now: Instant) -> Instant {
        self.deadline.min(now + self.attempt_timeout)
    }
}

impl NodeQueue {
    pub fn new(context: &QueueContext, node: Option<Arc<str>>) -> Arc<NodeQueue> {
        NodeQueue::with(context.clone(), node, Arc::default(), false)
    }

    /// Returns another queue of the same node; `is_bulk`: for large sessions.
    pub fn sibling(&self, is_bulk: bool) -> Arc<NodeQueue> {
        let (context, node) = (self.context.clone(), self.node.clone());
        NodeQueue::with(context, node, self.is_suspect.clone(), is_bulk)
    }

    fn with(
        context: QueueContext,
        node: Option<Arc<str>>,
        is_suspect: Arc<AtomicBool>,
        is_bulk: bool,
    ) -> Arc<NodeQueue> {
        Arc::new(NodeQueue {
            context,
            node,
            is_suspect,
            is_bulk,
            wake_idle: Arc::new(Semaphore::new(0)),
            state: Mutex::default(),
        })
    }

    /// Returns whether the node did not answer the last request.
    pub fn is_suspect(&self) -> bool {
        self.is_suspect.load(Ordering::Relaxed)
    }

    /// Returns how long a node may be silent before it is suspect.
    pub fn silence(&self) -> Duration {
        self.context.attempt_timeout * SILENT_ATTEMPTS
    }

    /// Remembers whether the node has answered.
    pub fn report(&self, has_answered: bool) {
        self.is_suspect.store(!has_answered, Ordering::Relaxed);
        if !has_answered {
            self.context.health.report_silence();
        }
    }

    /// Remembers the outcome of a request. Any result code, a refusal too, is an answer.
    pub(super) fn report_outcome<T>(&self, outcome: &Result<T, Failure>) {
        let is_silence = |failure: &Failure| failure.server_result_code().is_none();
        self.report(!outcome.as_ref().is_err_and(is_silence));
    }

    /// Remembers that a request, sent at `sent`, was not answered in time.
    pub fn report_timeout(&self, sent: Instant) {
        // A command that had little time left says nothing about the node.
        if sent.elapsed() >= self.context.attempt_timeout {
            self.report(false);
        }
    }

    /// Adds a command, to be sent as soon as possible. Its attempt ends `attempt_timeout` after it was sent, and not after the deadline.
    /// The server gets the same timeout: what it has not begun by then, or receives on a connection that was closed meanwhile, it
    /// does not begin any more (`as_tsvc_process_transaction` in as/src/base/thr_tsvc.c, `handle_client_io_event` in
    /// as/src/base/service.c).
    pub(super) fn push(
        &self,
        transport: &Transport,
        (attempt_timeout, deadline): (Duration, Instant),
        key: &Key,
        command: &Command,
        trace: Option<&Arc<Trace>>,
    ) -> (QueueTicket, NeedsSender) {
        let (answer, answered) = oneshot::channel();
        let (row, shape) = transport.row(key, command, trace);
        let (slot, sizes) = (RecordSizes::slot(key), &self.context.sizes);
        let size = sizes.expected(key, command);
        if matches!(command, Command::Upsert { .. }) {
            sizes.learn(slot, size.max(1));
        }
        let mut state = self.state();
        state.pushed += 1;
        let number = state.pushed;
        state.waiting.push_back(QueuedCommand {
            number,
            row,
            shape,
            slot,
            size,
            attempt_timeout,
            deadline,
            answer,
            trace: trace.map(|trace| (trace.clone(), self.node.clone())),
        });
        let needs_sender = self.schedule(transport, &mut state);
        let ticket = QueueTicket {
            number,
            answer: answered,
        };
        (ticket, needs_sender)
    }

    /// Withdraws a command. Returns `false` if it has been sent.
    pub fn withdraw(&self, ticket: &QueueTicket) -> bool {
        let mut state = self.state();
        let position = state
            .waiting
            .iter()
            .position(|one| one.number == ticket.number);
        position.is_some_and(|position| state.waiting.remove(position).is_some())
    }

    /// Starts a request in flight, if nothing is in flight and nothing waits. [`NodeQueue::finish`] ends it.
    pub(super) fn start_alone(&self) -> bool {
        let mut state = self.state();
        let is_free = state.in_flight == 0 && state.waiting.is_empty();
        if is_free {
            state.in_flight += 1;
        }
        is_free
    }

    /// Schedules another batch, if commands wait and another request may be in flight.
    fn schedule(&self, transport: &Transport, state: &mut State) -> NeedsSender {
        if state.waiting.is_empty() || state.is_scheduled || state.in_flight >= MAX_IN_FLIGHT {
            return NeedsSender(false);
        }
        state.is_scheduled = true;
        state.in_flight += 1;
        state.transport = Some(transport.clone());
        if state.idle > 0 {
            state.idle -= 1;
            self.wake_idle.add_permits(1);
            return NeedsSender(false);
        }
        NeedsSender(true)
    }

    /// Takes the commands that have waited longest and whose attempts end together, and returns them with that end. Leaves out commands
    /// whose callers no longer wait.
    pub(super) fn take_batch(
        &self,
        transport: &Transport,
        is_first: bool,
    ) -> (Option<(Vec<QueuedCommand>, Instant)>, NeedsSender) {
        let mut state = self.state();
        if is_first {
            state.is_scheduled = false;
        }
        let mut taken = Vec::with_capacity(state.waiting.len().min(MAX_BATCH_ROWS));
        let mut bytes = 0;
        let now = Instant::now();
        let mut ends: Option<(Instant, Instant)> = None;
        while let Some(next) = state.waiting.front() {
            if next.answer.is_closed() {
                state.waiting.pop_front();
                continue;
            }
            bytes += next.size;
            if taken.len() >= MAX_BATCH_ROWS || (bytes > MAX_BATCH_BYTES && !taken.is_empty()) {
                break;
            }
            let end = next.end(now);
            let (first, last) = ends.unwrap_or((end, end));
            let (first, last) = (first.min(end), last.max(end));
            if last - first > MAX_SPREAD {
                break;
            }
            ends = Some((first, last));
            taken.extend(state.waiting.pop_front());
        }
        let needs_sender = self.schedule(transport, &mut state);
        (ends.map(|(first, _)| (taken, first)), needs_sender)
    }

    /// A request is no longer in flight.
    pub(super) fn finish(&self, transport: &Transport) -> NeedsSender {
        let mut state = self.state();
        state.in_flight -= 1;
        self.schedule(transport, &mut state)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NodeQueue {
    fn drop(&mut self) {
        self.wake_idle.close();
    }
}
