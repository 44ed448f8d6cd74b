//! Batches, and the limits of senders.

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

    fn scan<'a>(&'a self, _query: &'a Query<'_>) -> BoxFuture<'a, Result<Vec<Record>, Failure>> {
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
