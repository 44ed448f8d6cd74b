//! Sends the commands that wait in a queue, in batches.
//!
//! A batch sender is a task. It sends what waits, batch after batch, and then stays idle until more commands come: its future is
//! large, and a new one for each command would cost much of what the command itself costs.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aerospike::Key;
use futures::future::{Either, select};
use tokio::sync::oneshot;
use tokio::task::coop;
use tokio::time::{Instant, timeout_at};

use super::batch::{self, Outcome};
use super::command::Command;
use super::node_queue::{NeedsSender, NodeQueue, QueueTicket, QueuedCommand};
use super::policy;
use super::trace::{Trace, Way};
use super::transport::Transport;
use crate::tasks;

/// From this many commands on, a batch yields while its answer is read: the size of the answer is not known.
const YIELDING_FROM: usize = 8;
/// tokio's budget of a task, and how much of it a yielding batch uses before it yields. Each unit is a read of up to 64 KiB.
const BUDGET: usize = 128;
const BUDGET_USED: usize = 4;

/// Adds a command to a queue, see [`NodeQueue::push`], and starts a batch sender if there is none for it.
pub fn enqueue(
    queue: &Arc<NodeQueue>,
    transport: &Transport,
    time: (Duration, Instant),
    key: &Key,
    command: &Command,
    trace: Option<&Arc<Trace>>,
) -> QueueTicket {
    let (ticket, needs_sender) = queue.push(transport, time, key, command, trace);
    start(queue, transport, needs_sender);
    ticket
}

/// Ends a request in flight, and starts a batch sender if commands wait.
pub(super) fn finish(queue: &Arc<NodeQueue>, transport: &Transport) {
    let needs_sender = queue.finish(transport);
    start(queue, transport, needs_sender);
}

fn start(queue: &Arc<NodeQueue>, transport: &Transport, NeedsSender(is_needed): NeedsSender) {
    if !is_needed {
        return;
    }
    let sender = run(Arc::clone(queue), transport.clone());
    match queue.is_bulk {
        true => queue.context.bulk.spawn(sender),
        false => tasks::spawn(sender),
    }
}

/// Sends what waits, and stays idle in between. Ends with its queue, or when the store is closed.
async fn run(queue: Arc<NodeQueue>, transport: Transport) {
    let (wake, weak) = (queue.wake_idle.clone(), Arc::downgrade(&queue));
    let mut closing = queue.context.closing.clone();
    let mut sender = BatchSender { queue, transport };
    loop {
        sender.send_all().await;
        sender.queue.state().idle += 1;
        drop(sender);
        // An error means that the store was dropped.
        let closed = closing.wait_for(|closing| *closing);
        let permit = match select(pin!(closed), pin!(wake.acquire())).await {
            Either::Left(_) => None,
            Either::Right((permit, _)) => Some(permit),
        };
        let Some(queue) = weak.upgrade() else { return };
        let mut state = queue.state();
        // It may have been woken just as the store was closed.
        let permit = match permit {
            Some(permit) => permit.ok(),
            None => wake.try_acquire().ok(),
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
        sender = BatchSender { queue, transport };
    }
}

/// A request in flight. It ends when this is dropped.
struct BatchSender {
    queue: Arc<NodeQueue>,
    transport: Transport,
}

impl BatchSender {
    async fn send_all(&self) {
        let mut closing = self.queue.context.closing.clone();
        let send = async {
            let mut next = self.take_batch(true);
            while let Some((commands, end)) = next {
                self.send(commands, end).await;
                next = self.take_batch(false);
            }
        };
        let is_closed = tokio::select! {
            biased;
            // An error means that the store was dropped.
            _ = closing.wait_for(|closing| *closing) => true,
            () = send => false,
        };
        if is_closed {
            let mut state = self.queue.state();
            // It may have been closed before the first batch was taken.
            state.is_scheduled = false;
            let unsent = std::mem::take(&mut state.waiting);
            drop(state);
            for one in unsent {
                // An error means that the caller no longer waits.
                let _ = one.answer.send(Outcome::Closed);
            }
        }
    }

    fn take_batch(&self, is_first: bool) -> Option<(Vec<QueuedCommand>, Instant)> {
        let (batch, needs_sender) = self.queue.take_batch(&self.transport, is_first);
        start(&self.queue, &self.transport, needs_sender);
        batch
    }

    /// Sends commands together, until `end`. Each gets its own answer: one that fails does not affect the others.
    async fn send(&self, commands: Vec<QueuedCommand>, end: Instant) {
        let context = &self.queue.context;
        let sent = Instant::now();
        let together = commands.len();
        context.counters.request(together);
        let mut rows = self.transport.rows(together);
        let mut expected = Vec::with_capacity(together);
        let mut answers = Vec::with_capacity(together);
        for one in commands {
            if let Some((trace, node)) = one.trace {
                trace.note(Way { node, together });
            }
            rows.push(one.row);
            expected.push((one.shape, one.slot));
            answers.push(one.answer);
        }
        let has_count = expected.iter().any(|(shape, _)| shape.is_count());
        let end_of_crate = match has_count {
            true => policy::end_of_count(end),
            false => end,
        };
        let policy = policy::batch(context.replica, end_of_crate);
        let is_alone = together == 1;
        let outcome = {
            // Pinned where it is created: it is as large as the rest of this future, and a move would need its space twice.
            let mut batch = pin!(self.transport.batch(&policy, &mut rows));
            let batch = yielding(together >= YIELDING_FROM, batch.as_mut());
            let mut batch = pin!(timeout_at(end, batch));
            tokio::select! {
                biased;
                outcome = &mut batch => outcome,
                () = tokio::time::sleep(self.queue.silence()) => {
                    self.queue.report(false);
                    batch.await
                }
            }
        };
        let Ok(outcome) = outcome else {
            self.queue.report_timeout(sent);
            return send_timed_out(answers);
        };
        self.queue.report_outcome(&outcome);
        let mut expected = expected.into_iter().zip(answers);
        // A failure of the whole batch counts for the rows that have no answer.
        rows.for_each(|row| {
            let Some(((shape, slot), answer)) = expected.next() else {
                return;
            };
            let outcome = batch::outcome(row, shape, is_alone, &outcome);
            if shape.is_read() {
                context.learn_size(&outcome, slot);
            }
            // An error means that the caller no longer waits: its attempt timed out.
            let _ = answer.send(outcome);
        });
    }
}

impl Drop for BatchSender {
    fn drop(&mut self) {
        // Starts another sender for commands that came after the last check, or that are left if this one has panicked.
        finish(&self.queue, &self.transport);
    }
}

/// Runs `work`. If it `is_yielding`, it yields after a part of tokio's budget, so that other tasks get a turn.
fn yielding<'a, F: Future>(
    is_yielding: bool,
    mut work: Pin<&'a mut F>,
) -> impl Future<Output = F::Output> + 'a {
    poll_fn(move |context| {
        if is_yielding {
            for _ in BUDGET_USED..BUDGET {
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
        // An error means that the caller no longer waits.
        let _ = answer.send(Outcome::TimedOut);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use aerospike::expressions::bool_val;
    use aerospike::policy::Replica;
    use aerospike::{Record, as_val};
    use futures::future::BoxFuture;
    use tokio::sync::watch;

    use super::super::command::Reply;
    use super::super::failure::Failure;
    use super::super::node_health::NodeHealth;
    use super::super::node_queue::{MAX_IN_FLIGHT, QueueContext};
    use super::super::record_sizes::RecordSizes;
    use super::super::rows::SimulatedRow;
    use super::super::scan::Query;
    use super::super::transport::Simulated;
    use super::*;
    use crate::bulk_runtime::Bulk;

    /// Milliseconds.
    const ATTEMPT: u64 = 250;

    /// A network on which every batch takes the time `takes`.
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

    /// Marks the keys of a batch as under way, until it is dropped.
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
            _command: &'a Command,
        ) -> BoxFuture<'a, Result<Record, Failure>> {
            unreachable!("nothing is read here")
        }

        fn scan<'a>(
            &'a self,
            _query: &'a Query<'_>,
        ) -> BoxFuture<'a, Result<Vec<Record>, Failure>> {
            unreachable!("nothing is read here")
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn key(name: u64) -> Key {
        Key::new("test", "sessions", as_val!(i64::try_from(name).unwrap())).unwrap()
    }

    /// Returns a queue, and the sender that keeps it open.
    fn queue() -> (Arc<NodeQueue>, watch::Sender<bool>) {
        let (open, closing) = watch::channel(false);
        let context = QueueContext {
            health: Arc::new(NodeHealth::new()),
            counters: Arc::default(),
            sizes: Arc::new(RecordSizes::new()),
            attempt_timeout: ms(ATTEMPT),
            replica: Replica::Sequence,
            closing,
            bulk: Bulk::default(),
        };
        (NodeQueue::new(&context, None), open)
    }

    fn write() -> Command {
        Command::Delete {
            reading: vec![],
            durable: false,
            only_if: bool_val(true),
        }
    }

    /// Enqueues a command. Its deadline is in `left` milliseconds, and its attempt may take `attempt_timeout` milliseconds.
    fn enqueue_write(
        queue: &Arc<NodeQueue>,
        network: &Network,
        name: u64,
        attempt_timeout: u64,
        left: u64,
    ) -> QueueTicket {
        let time = (ms(attempt_timeout), Instant::now() + ms(left));
        let transport = Transport::Simulated(Arc::new(network.clone()));
        enqueue(queue, &transport, time, &key(name), &write(), None)
    }

    fn is_timed_out(outcome: Result<Outcome, oneshot::error::RecvError>) -> bool {
        matches!(outcome, Ok(Outcome::TimedOut))
    }

    /// These are allocated or moved for every operation.
    #[test]
    fn commands_and_senders_are_small() {
        fn future<F>(_: fn(Arc<NodeQueue>, Transport) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size_of::<QueuedCommand>() <= 760);
        assert!(size_of::<Outcome>() <= 248);
        // A sender is reused for many operations.
        assert!(future(run) <= 12_000);
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_of_a_command_is_in_flight_after_its_deadline() {
        let (queue, _open) = queue();
        let network = Network::new(300);
        let short = enqueue_write(&queue, &network, 1, 1_000, 100);
        let long = enqueue_write(&queue, &network, 2, 1_000, 2_000);
        let entered = Instant::now();
        assert!(is_timed_out(short.answer.await));
        assert!(entered.elapsed() <= ms(101));
        assert!(!network.is_under_way(&key(1)));
        assert!(network.is_under_way(&key(2)));
        assert!(!is_timed_out(long.answer.await));
    }

    #[tokio::test(start_paused = true)]
    async fn commands_with_the_same_start_and_deadline_are_one_batch() {
        let (queue, _open) = queue();
        let network = Network::new(1);
        let tickets: Vec<_> = (0..100)
            .map(|name| enqueue_write(&queue, &network, name, 1_000, 3_000))
            .collect();
        for ticket in tickets {
            assert!(!is_timed_out(ticket.answer.await));
        }
        assert_eq!(network.batches(), [100]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_has_not_been_sent_can_be_withdrawn() {
        let (queue, _open) = queue();
        let network = Network::new(500);
        let mut sent = Vec::new();
        for name in 0..MAX_IN_FLIGHT as u64 {
            sent.push(enqueue_write(&queue, &network, name, 1_000, 3_000));
            tokio::time::sleep(ms(1)).await;
        }
        let waits = enqueue_write(&queue, &network, 9, 1_000, 3_000);
        tokio::time::sleep(ms(1)).await;
        assert!(sent.iter().all(|ticket| !queue.withdraw(ticket)));
        assert!(queue.withdraw(&waits));
        for ticket in sent {
            assert!(!is_timed_out(ticket.answer.await));
        }
        tokio::time::sleep(ms(1_000)).await;
        assert_eq!(network.batches(), [1; MAX_IN_FLIGHT]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_with_little_time_left_does_not_make_the_node_suspect() {
        let (queue, _open) = queue();
        let network = Network::new(100);
        assert!(is_timed_out(
            enqueue_write(&queue, &network, 1, 1_000, 20).answer.await
        ));
        assert!(!queue.is_suspect());
        let slow = Network::new(10_000);
        assert!(is_timed_out(
            enqueue_write(&queue, &slow, 1, 1_000, 3_000).answer.await
        ));
        assert!(queue.is_suspect());
    }

    #[tokio::test(start_paused = true)]
    async fn idle_senders_are_limited_and_end_with_the_queue() {
        let (queue, _open) = queue();
        let network = Network::new(10);
        let tasks = || {
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        };
        for round in 0..20 {
            let mut tickets = Vec::new();
            for name in 0..10 {
                tickets.push(enqueue_write(
                    &queue,
                    &network,
                    round * 10 + name,
                    1_000,
                    3_000,
                ));
                tokio::time::sleep(ms(1)).await;
            }
            for ticket in tickets {
                assert!(!is_timed_out(ticket.answer.await));
            }
        }
        tokio::time::sleep(ms(1)).await;
        assert_eq!(queue.state().idle, MAX_IN_FLIGHT);
        assert_eq!(tasks(), MAX_IN_FLIGHT);
        drop(queue);
        tokio::time::sleep(ms(1)).await;
        assert_eq!(tasks(), 0);
    }
}
