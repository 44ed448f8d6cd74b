//! The operations that wait for one node, and the flights that carry them there.
//!
//! A flight takes everything that waits and carries it out: one operation as it is, more as one batch. As long as fewer
//! than so many flights are under way, an operation that comes gets a flight of its own, which leaves as soon as
//! everybody who is ready now has come in. So nothing ever waits for a timer, an operation that comes alone goes alone,
//! and batches appear just when many come at once, or the cluster is slower than the application.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use aerospike::policy::Replica;
use aerospike::Key;
use futures::future::{select, Either};
use tokio::sync::{oneshot, watch, Semaphore};
use tokio::task::coop;
use tokio::time::{timeout_at, Instant};

use super::batch::{self, Outcome, Shape};
use super::command::{Command, Reply};
use super::failure::{self, Failure, Kind};
use super::node_health::NodeHealth;
use super::options::Options;
use super::policy::SMALLEST_PART;
use super::record_sizes::{Place, RecordSizes};
use super::rows::Row;
use super::stats::Counters;
use super::trace::{Trace, Way};
use super::transport::Transport;
use super::{memory_size, policy};
use crate::bulk_runtime::Bulk;

/// Flights under way to a node at the same time.
const MAX_IN_FLIGHT: usize = 4;
/// Operations of a flight at the most. Well below the server's `batch-max-requests` of old (5,000), and few enough that
/// none waits long for the others.
const MAX_BATCH_ROWS: usize = 128;

/// Bytes of a flight at the most, but for an operation that alone has more: a session may be a megabyte, and a hundred of
/// them in one message would keep everybody else waiting. Of reads the answers count, see [`RecordSizes`].
const MAX_BATCH_BYTES: usize = 256 * 1024;
/// Operations from which on a flight yields now and then as its answer comes in: who knows how large that is.
const SPARING: usize = 8;
/// What a task may do at one go, by tokio's count, and how much of that a sparing one leaves: each is a read of up to 64 KiB.
const BUDGET: usize = 128;
const SPARED: usize = 4;

/// Operations travel together only if their attempts end within this time of each other. A flight ends when the first of
/// them does, so nothing of an operation is under way any more once its caller has been answered.
const SPREAD: Duration = Duration::from_millis(5);

/// A node that is silent for so many times the attempt_timeout is in trouble.
const SILENCE: u32 = 2;

/// The way to one node.
pub struct NodeQueue {
    common: QueueContext,
    /// The node's name; unknown before the nodes have been asked what they hold.
    node: Option<Arc<str>>,
    /// The last flight failed to reach the node, or to hear from it. All queues to a node share this.
    health: Arc<AtomicBool>,
    /// What it carries is large.
    is_bulk: bool,
    /// Where flights wake_idle that have nothing to carry: a permit sends one off. Closed with the queue, which ends them.
    wake_idle: Arc<Semaphore>,
    state: Mutex<State>,
}

/// What all queues of a store have in common.
#[derive(Clone)]
pub struct QueueContext {
    /// Whether any node is in trouble.
    pub health: Arc<NodeHealth>,
    pub counters: Arc<Counters>,
    pub sizes: Arc<RecordSizes>,
    /// How long a node in trouble is waited for, at first.
    pub attempt_timeout: Duration,
    /// Which copy of a record is read first.
    pub replica: Replica,
    /// Turns true when the store is closed: then nothing leaves any more, and what is under way is given up.
    pub closing: watch::Receiver<bool>,
    /// Where what is large is carried.
    pub bulk: Bulk,
}

#[derive(Default)]
struct State {
    under_way: usize,
    /// Flights that wake_idle and were not sent off.
    idle: usize,
    /// What the next flight leaves by: the last that was given.
    transport: Option<Transport>,
    /// A flight is about to leave, and takes whoever comes before it does.
    is_scheduled: bool,
    waiting: VecDeque<QueuedCommand>,
    /// How many have entered so far.
    entered: u64,
}

/// What an operation that has entered a queue holds.
pub struct QueueTicket {
    number: u64,
    /// Ends without an answer where the store was closed, or what carried the operation has panicked.
    pub answer: oneshot::Receiver<Outcome>,
}

/// An operation that waits.
struct QueuedCommand {
    number: u64,
    row: Row,
    shape: Shape,
    place: Place,
    size: usize,
    /// How long its flight may take.
    attempt_timeout: Duration,
    deadline: Instant,
    answer: oneshot::Sender<Outcome>,
    /// Who wants to know its way, and where that leads.
    trace: Option<(Arc<Trace>, Option<Arc<str>>)>,
}

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

    /// Takes note of how large a session is that was read.
    fn learn(&self, outcome: &Outcome, place: Place) {
        let bytes = match outcome {
            Outcome::Own(Ok(Reply::Record(record))) if !record.bins.is_empty() => {
                memory_size::of_record(record)
            }
            Outcome::Own(Err(failure)) if matches!(failure::kind(failure), Kind::Missing) => 0,
            _ => return,
        };
        self.sizes.learn(place, bytes.max(1));
    }
}

impl QueuedCommand {
    /// When an attempt ends that starts now.
    fn end(&self, now: Instant) -> Instant {
        self.deadline.min(now + self.attempt_timeout)
    }
}

impl NodeQueue {
    pub fn new(common: &QueueContext, node: Option<Arc<str>>) -> Arc<NodeQueue> {
        Arc::new(NodeQueue {
            common: common.clone(),
            node,
            health: Arc::default(),
            is_bulk: false,
            wake_idle: wake_idle(),
            state: Mutex::default(),
        })
    }

    /// Another queue to the same node; `is_bulk`: for what is large.
    pub fn beside(&self, is_bulk: bool) -> Arc<NodeQueue> {
        Arc::new(NodeQueue {
            common: self.common.clone(),
            node: self.node.clone(),
            health: self.health.clone(),
            is_bulk,
            wake_idle: wake_idle(),
            state: Mutex::default(),
        })
    }

    /// Whether the node did not answer when it was last asked.
    pub fn is_suspect(&self) -> bool {
        self.health.load(Ordering::Relaxed)
    }

    /// How long a node is silent that is in trouble then.
    pub fn silence(&self) -> Duration {
        self.common.attempt_timeout * SILENCE
    }

    /// Takes note whether the node was heard from.
    pub fn note(&self, heard: bool) {
        self.health.store(!heard, Ordering::Relaxed);
        if !heard {
            self.common.health.report_silence();
        }
    }

    /// Takes an operation, to go as soon as may be. Its flight is waited for so long, from when it leaves, and not beyond the
    /// deadline. So long the server has for it, too: what it has not begun by then, or finds on a connection that was closed
    /// meanwhile, it does not begin any more (`as_tsvc_process_transaction` in as/src/base/thr_tsvc.c,
    /// `handle_client_io_event` in as/src/base/service.c).
    pub fn enter(
        self: &Arc<NodeQueue>,
        transport: &Transport,
        (attempt_timeout, deadline): (Duration, Instant),
        key: &Key,
        command: &Command,
        trace: Option<&Arc<Trace>>,
    ) -> QueueTicket {
        let (answer, answered) = oneshot::channel();
        let (row, shape) = transport.row(key, command, trace);
        let (place, sizes) = (RecordSizes::place(key), &self.common.sizes);
        let size = sizes.expected(key, command);
        if matches!(command, Command::Upsert { .. }) {
            sizes.learn(place, size.max(1));
        }
        let mut state = self.state();
        state.entered += 1;
        let number = state.entered;
        state.waiting.push_back(QueuedCommand {
            number,
            row,
            shape,
            place,
            size,
            attempt_timeout,
            deadline,
            answer,
            trace: trace.map(|trace| (trace.clone(), self.node.clone())),
        });
        self.schedule(transport, state);
        QueueTicket {
            number,
            answer: answered,
        }
    }

    /// A try_direct for an operation that goes alone, from the task that it is of: if nothing else waits or is under way. That is
    /// how an operation travels fastest, and many at the same time travel worst.
    pub fn try_direct(self: &Arc<NodeQueue>, transport: &Transport) -> Option<DirectSend> {
        let mut state = self.state();
        if state.under_way > 0 || !state.waiting.is_empty() {
            return None;
        }
        state.under_way += 1;
        drop(state);
        Some(DirectSend {
            queue: Arc::clone(self),
            transport: transport.clone(),
        })
    }

    /// Takes an operation back. `false`: it has left.
    pub fn withdraw(&self, pass: &QueueTicket) -> bool {
        let mut state = self.state();
        let place = state
            .waiting
            .iter()
            .position(|one| one.number == pass.number);
        place.is_some_and(|place| state.waiting.remove(place).is_some())
    }

    /// Readies another flight, if somebody waits for one and one more may be under way.
    fn schedule(self: &Arc<NodeQueue>, transport: &Transport, mut state: MutexGuard<'_, State>) {
        if state.waiting.is_empty() || state.is_scheduled || state.under_way >= MAX_IN_FLIGHT {
            return;
        }
        state.is_scheduled = true;
        state.under_way += 1;
        state.transport = Some(transport.clone());
        if state.idle > 0 {
            state.idle -= 1;
            return self.wake_idle.add_permits(1);
        }
        drop(state);
        let idle = run_sender(Arc::clone(self), transport.clone());
        match self.is_bulk {
            true => self.common.bulk.spawn(idle),
            false => drop(tokio::spawn(idle)),
        }
    }

    /// The operations that have waited longest and end together, and when that is; those that nobody waits for any more are
    /// passed over.
    fn next(
        self: &Arc<NodeQueue>,
        transport: &Transport,
        is_first: bool,
    ) -> Option<(Vec<QueuedCommand>, Instant)> {
        let mut state = self.state();
        if is_first {
            state.is_scheduled = false;
        }
        let mut taken: Vec<QueuedCommand> =
            Vec::with_capacity(state.waiting.len().min(MAX_BATCH_ROWS));
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
            if last - first > SPREAD {
                break;
            }
            ends = Some((first, last));
            taken.extend(state.waiting.pop_front());
        }
        self.schedule(transport, state);
        ends.map(|(first, _)| (taken, first))
    }

    /// What was under way is over.
    fn leave(self: &Arc<NodeQueue>, transport: &Transport) {
        let mut state = self.state();
        state.under_way -= 1;
        self.schedule(transport, state);
    }

    /// Takes note that there was no answer in time to what left then.
    pub fn note_time_up(&self, left: Instant) {
        // An operation whose time was nearly up says nothing about the node.
        if left.elapsed() >= self.common.attempt_timeout {
            self.note(false);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NodeQueue {
    fn drop(&mut self) {
        self.wake_idle.close();
    }
}

fn wake_idle() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

/// Carries what waits, and then stands by for more: a flight is large, and to make one anew for each operation would cost much of
/// what the operation costs. It ends with its queue, and when the store is closed.
async fn run_sender(queue: Arc<NodeQueue>, transport: Transport) {
    let (wake_idle, weak) = (queue.wake_idle.clone(), Arc::downgrade(&queue));
    let mut closing = queue.common.closing.clone();
    let mut flight = BatchSender { queue, transport };
    loop {
        flight.carry().await;
        flight.queue.state().idle += 1;
        drop(flight);
        // An error is the end of everything, and so of the store.
        let closed = closing.wait_for(|closing| *closing);
        let permit = match select(pin!(closed), pin!(wake_idle.acquire())).await {
            Either::Left(_) => None,
            Either::Right((permit, _)) => Some(permit),
        };
        let Some(queue) = weak.upgrade() else { return };
        let mut state = queue.state();
        // It may have been sent off just as the store was closed.
        let permit = match permit {
            Some(permit) => permit.ok(),
            None => wake_idle.try_acquire().ok(),
        };
        match permit {
            Some(permit) => permit.forget(),
            None => {
                state.idle -= 1;
                return;
            }
        }
        let transport = state.transport.clone();
        drop(state);
        let Some(transport) = transport else { return };
        flight = BatchSender { queue, transport };
    }
}

/// What an operation holds that goes alone.
pub struct DirectSend {
    queue: Arc<NodeQueue>,
    transport: Transport,
}

impl DirectSend {
    /// Carries out a command, until `last`. `None`: the store was closed meanwhile.
    pub async fn carry(
        self,
        key: &Key,
        command: &Command,
        trace: Option<&Arc<Trace>>,
        last: Instant,
    ) -> Option<Outcome> {
        let (queue, common) = (&self.queue, &self.queue.common);
        let left = Instant::now();
        common.counters.flight(1);
        if let Some(trace) = trace {
            trace.note(Way {
                node: queue.node.clone(),
                together: 1,
            });
        }
        let mut closing = common.closing.clone();
        let work = self
            .transport
            .alone(key, command, common.replica, last, trace);
        let outcome = tokio::select! {
            biased;
            // An error is the end of everything, and so of the store.
            _ = closing.wait_for(|closing| *closing) => return None,
            outcome = timeout_at(last, work) => outcome,
        };
        let Ok(outcome) = outcome else {
            queue.note_time_up(left);
            return Some(Outcome::TimedOut);
        };
        queue.note(!outcome.as_ref().is_err_and(is_silence));
        let (place, outcome) = (RecordSizes::place(key), Outcome::Own(outcome));
        match command {
            Command::Read { .. } => common.learn(&outcome, place),
            Command::Upsert { .. } => common.sizes.learn(place, command.size().max(1)),
            _ => {}
        }
        Some(outcome)
    }
}

impl Drop for DirectSend {
    fn drop(&mut self) {
        self.queue.leave(&self.transport);
    }
}

/// Any word of the server's, and be it that it refuses, is an answer.
fn is_silence(failure: &Failure) -> bool {
    failure.server_result_code().is_none()
}

/// Carries out `work`; if it `is_sparing`, little at a time, so that others get their turn in between.
fn sparing<'a, F: Future>(
    is_sparing: bool,
    mut work: Pin<&'a mut F>,
) -> impl Future<Output = F::Output> + 'a {
    std::future::poll_fn(move |context| {
        if is_sparing {
            for _ in SPARED..BUDGET {
                if let Poll::Ready(spent) = coop::poll_proceed(context) {
                    spent.made_progress();
                }
            }
        }
        work.as_mut().poll(context)
    })
}

fn send_timed_out(answers: Vec<oneshot::Sender<Outcome>>) {
    for answer in answers {
        // An error means that nobody listens any more.
        let _ = answer.send(Outcome::TimedOut);
    }
}

/// What carries operations to a node, again and again, as long as some wait.
struct BatchSender {
    queue: Arc<NodeQueue>,
    transport: Transport,
}

impl BatchSender {
    async fn carry(&self) {
        let mut closing = self.queue.common.closing.clone();
        let carry = async {
            let mut next = self.queue.next(&self.transport, true);
            while let Some((taken, last)) = next {
                self.together(taken, last).await;
                next = self.queue.next(&self.transport, false);
            }
        };
        let closed = tokio::select! {
            biased;
            // An error is the end of everything, and so of the store.
            _ = closing.wait_for(|closing| *closing) => true,
            () = carry => false,
        };
        if closed {
            let mut state = self.queue.state();
            // It may not have come so far as to leave.
            state.is_scheduled = false;
            let stranded = std::mem::take(&mut state.waiting);
            drop(state);
            for one in stranded {
                // An error means that nobody listens any more.
                let _ = one.answer.send(Outcome::Closed);
            }
        }
    }

    /// Carries out operations together, until `last`. Each is answered for itself; one that fails leaves the others alone.
    async fn together(&self, waiting: Vec<QueuedCommand>, last: Instant) {
        let common = &self.queue.common;
        let left = Instant::now();
        let together = waiting.len();
        common.counters.flight(together);
        let mut rows = self.transport.rows(waiting.len());
        let mut seen = Vec::with_capacity(waiting.len());
        let mut answers = Vec::with_capacity(waiting.len());
        for one in waiting {
            if let Some((trace, node)) = one.trace {
                trace.note(Way { node, together });
            }
            rows.push(one.row);
            seen.push((one.shape, one.place));
            answers.push(one.answer);
        }
        let (policy, alone) = (policy::batch(common.replica, last), rows.len() == 1);
        let outcome = {
            // Pinned where it begins: it is as large as all else.
            let mut batch = pin!(self.transport.batch(&policy, &mut rows));
            let batch = sparing(together >= SPARING, batch.as_mut());
            let mut batch = pin!(timeout_at(last, batch));
            tokio::select! {
                biased;
                outcome = &mut batch => outcome,
                () = tokio::time::sleep(self.queue.silence()) => {
                    self.queue.note(false);
                    batch.await
                }
            }
        };
        let Ok(outcome) = outcome else {
            self.queue.note_time_up(left);
            return send_timed_out(answers);
        };
        self.queue.note(!outcome.as_ref().is_err_and(is_silence));
        let mut others = seen.into_iter().zip(answers);
        // The failure of the whole is noted in the rows that it left without an answer.
        rows.for_each(|row| {
            let Some(((shape, place), answer)) = others.next() else {
                return;
            };
            let outcome = batch::outcome(row, shape, alone, &outcome);
            if shape.is_read() {
                common.learn(&outcome, place);
            }
            // An error means that nobody listens any more: its time has passed.
            let _ = answer.send(outcome);
        });
    }
}

impl Drop for BatchSender {
    fn drop(&mut self) {
        // Who came since the last look; and, should this one have panicked, who has waited for it.
        self.queue.leave(&self.transport);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use aerospike::expressions::bool_val;
    use aerospike::{as_val, Record};
    use futures::future::BoxFuture;

    use super::super::rows::SimulatedRow;
    use super::super::transport::Simulated;
    use super::*;

    /// Milliseconds.
    const PATIENCE: u64 = 250;

    /// A network on which a batch takes its time.
    #[derive(Clone)]
    struct Network {
        takes: Duration,
        /// The sizes of the batches so far, and the keys of those under way.
        seen: Arc<Mutex<Seen>>,
    }

    #[derive(Default)]
    struct Seen {
        batches: Vec<usize>,
        under_way: BTreeSet<[u8; 20]>,
    }

    impl Network {
        fn new(takes: u64) -> Network {
            Network {
                takes: ms(takes),
                seen: Arc::default(),
            }
        }

        fn is_under_way(&self, key: &Key) -> bool {
            self.seen.lock().unwrap().under_way.contains(&key.digest())
        }

        fn batches(&self) -> Vec<usize> {
            self.seen.lock().unwrap().batches.clone()
        }
    }

    /// Ends with the batch, however that ends.
    struct UnderWay(Network, Vec<[u8; 20]>);

    impl Drop for UnderWay {
        fn drop(&mut self) {
            let mut seen = self.0.seen.lock().unwrap();
            for key in &self.1 {
                seen.under_way.remove(key);
            }
        }
    }

    impl Simulated for Network {
        fn batch<'a>(&'a self, rows: &'a mut [SimulatedRow]) -> BoxFuture<'a, Result<(), Failure>> {
            Box::pin(async {
                let keys: Vec<_> = rows.iter().map(|row| row.key.digest()).collect();
                {
                    let mut seen = self.seen.lock().unwrap();
                    seen.batches.push(keys.len());
                    seen.under_way.extend(keys.iter().copied());
                }
                let _under_way = UnderWay(self.clone(), keys);
                tokio::time::sleep(self.takes).await;
                for row in rows {
                    row.outcome = Some(Ok(Reply::Done));
                }
                Ok(())
            })
        }

        fn get<'a>(
            &'a self,
            _key: &'a Key,
            _touch: Option<u8>,
        ) -> BoxFuture<'a, Result<Record, Failure>> {
            unreachable!("nothing is read here")
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn key(name: u64) -> Key {
        Key::new("test", "sessions", as_val!(i64::try_from(name).unwrap())).unwrap()
    }

    /// A queue, and what keeps it open.
    fn queue() -> (Arc<NodeQueue>, watch::Sender<bool>) {
        let (open, closing) = watch::channel(false);
        let common = QueueContext {
            health: Arc::new(NodeHealth::new()),
            counters: Arc::default(),
            sizes: Arc::new(RecordSizes::new()),
            attempt_timeout: ms(PATIENCE),
            replica: Replica::Sequence,
            closing,
            bulk: Bulk::default(),
        };
        (NodeQueue::new(&common, None), open)
    }

    fn write() -> Command {
        Command::Delete {
            reading: vec![],
            durable: false,
            only_if: bool_val(true),
        }
    }

    /// An operation that may take so long, and its attempt `attempt_timeout` milliseconds of it.
    fn enter(
        queue: &Arc<NodeQueue>,
        network: &Network,
        name: u64,
        attempt_timeout: u64,
        left: u64,
    ) -> QueueTicket {
        let time = (ms(attempt_timeout), Instant::now() + ms(left));
        let transport = Transport::Simulated(Arc::new(network.clone()));
        queue.enter(&transport, time, &key(name), &write(), None)
    }

    fn is_away(outcome: Result<Outcome, oneshot::error::RecvError>) -> bool {
        matches!(outcome, Ok(Outcome::TimedOut))
    }

    /// Each is allocated, or moved, for every operation.
    #[test]
    fn what_carries_an_operation_is_small() {
        fn future<F>(_: fn(Arc<NodeQueue>, Transport) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size_of::<QueuedCommand>() <= 760);
        assert!(size_of::<Outcome>() <= 248);
        // One stays for many operations.
        assert!(future(run_sender) <= 12_000);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_of_an_operation_is_under_way_once_its_time_is_up() {
        let (queue, _open) = queue();
        let network = Network::new(300);
        let short = enter(&queue, &network, 1, 1_000, 100);
        let long = enter(&queue, &network, 2, 1_000, 2_000);
        let entered = Instant::now();
        assert!(is_away(short.answer.await));
        assert!(entered.elapsed() <= ms(101));
        assert!(!network.is_under_way(&key(1)));
        assert!(network.is_under_way(&key(2)));
        assert!(!is_away(long.answer.await));
    }

    #[tokio::test(start_paused = true)]
    async fn operations_that_come_together_and_end_together_go_together() {
        let (queue, _open) = queue();
        let network = Network::new(1);
        let passes: Vec<_> = (0..100)
            .map(|name| enter(&queue, &network, name, 1_000, 3_000))
            .collect();
        for pass in passes {
            assert!(!is_away(pass.answer.await));
        }
        assert_eq!(network.batches(), [100]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_that_has_not_left_can_be_taken_back() {
        let (queue, _open) = queue();
        let network = Network::new(500);
        let mut sent = Vec::new();
        for name in 0..MAX_IN_FLIGHT as u64 {
            sent.push(enter(&queue, &network, name, 1_000, 3_000));
            tokio::time::sleep(ms(1)).await;
        }
        let waits = enter(&queue, &network, 9, 1_000, 3_000);
        tokio::time::sleep(ms(1)).await;
        assert!(sent.iter().all(|pass| !queue.withdraw(pass)));
        assert!(queue.withdraw(&waits));
        for pass in sent {
            assert!(!is_away(pass.answer.await));
        }
        tokio::time::sleep(ms(1_000)).await;
        assert_eq!(network.batches(), [1; MAX_IN_FLIGHT]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_whose_time_was_nearly_up_says_nothing_about_the_node() {
        let (queue, _open) = queue();
        let network = Network::new(100);
        assert!(is_away(enter(&queue, &network, 1, 1_000, 20).answer.await));
        assert!(!queue.is_suspect());
        let slow = Network::new(10_000);
        assert!(is_away(enter(&queue, &slow, 1, 1_000, 3_000).answer.await));
        assert!(queue.is_suspect());
    }
}
