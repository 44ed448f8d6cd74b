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

use super::batch::{self, Shape};
use super::execute::SMALLEST_PART;
use super::failure::{self, Failure, Kind};
use super::link::{Link, Row};
use super::sizes::{Place, Sizes};
use super::stats::Counters;
use super::trace::{Trace, Way};
use super::trouble::Trouble;
use super::{policy, weight, Command, Options, Reply};
use crate::bulk::Bulk;

/// Flights under way to a node at the same time.
const UNDER_WAY: usize = 4;
/// Operations of a flight at the most. Well below the server's `batch-max-requests` of old (5,000), and few enough that
/// none waits long for the others.
const AT_ONCE: usize = 128;

/// Bytes of a flight at the most, but for an operation that alone has more: a session may be a megabyte, and a hundred of
/// them in one message would keep everybody else waiting. Of reads the answers count, see [`Sizes`].
const BYTES_AT_ONCE: usize = 256 * 1024;
/// Operations from which on a flight yields now and then as its answer comes in: who knows how large that is.
const SPARING: usize = 8;
/// What a task may do at one go, by tokio's count, and how much of that a sparing one leaves: each is a read of up to 64 KiB.
const BUDGET: usize = 128;
const SPARED: usize = 4;

/// Operations travel together only if their attempts end within this time of each other. A flight ends when the first of
/// them does, so nothing of an operation is under way any more once its caller has been answered.
const SPREAD: Duration = Duration::from_millis(5);

/// A node that is silent for so many times the patience is in trouble.
const SILENCE: u32 = 2;

/// The way to one node.
pub struct Lane {
    common: Common,
    /// The node's name; unknown before the nodes have been asked what they hold.
    node: Option<Arc<str>>,
    /// The last flight failed to reach the node, or to hear from it. All lanes to a node share this.
    trouble: Arc<AtomicBool>,
    /// What it carries is large.
    is_bulk: bool,
    /// Where flights stand that have nothing to carry: a permit sends one off. Closed with the lane, which ends them.
    stand: Arc<Semaphore>,
    state: Mutex<State>,
}

/// What all lanes of a store have in common.
#[derive(Clone)]
pub struct Common {
    /// Whether any node is in trouble.
    pub trouble: Arc<Trouble>,
    pub counters: Arc<Counters>,
    pub sizes: Arc<Sizes>,
    /// How long a node in trouble is waited for, at first.
    pub patience: Duration,
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
    /// Flights that stand and were not sent off.
    standing: usize,
    /// What the next flight leaves by: the last that was given.
    link: Option<Link>,
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
    Own(Result<Reply, Failure>),
    /// It has none: the answer to all was given up at a row that cannot be read, and it was not this one, as far as is
    /// known.
    Lost(Failure),
    /// It was sent away: the node is silent, or the time of those it went with was up.
    Away,
    /// The store was closed before it left.
    Closed,
}

/// An operation that waits.
struct Waiting {
    number: u64,
    row: Row,
    shape: Shape,
    place: Place,
    size: usize,
    /// How long its flight may take.
    patience: Duration,
    deadline: Instant,
    answer: oneshot::Sender<Outcome>,
    /// Who wants to know its way, and where that leads.
    trace: Option<(Arc<Trace>, Option<Arc<str>>)>,
}

impl Common {
    pub fn new(options: &Options, closing: watch::Receiver<bool>, bulk: Bulk) -> Common {
        Common {
            trouble: Arc::new(Trouble::new()),
            counters: Arc::default(),
            sizes: Arc::new(Sizes::new()),
            patience: options.timeout / SMALLEST_PART,
            replica: policy::replica(options),
            closing,
            bulk,
        }
    }

    /// Takes note of how large a session is that was read.
    fn learn(&self, outcome: &Outcome, place: Place) {
        let bytes = match outcome {
            Outcome::Own(Ok(Reply::Record(record))) if !record.bins.is_empty() => {
                weight::of_record(record)
            }
            Outcome::Own(Err(failure)) if matches!(failure::kind(failure), Kind::Missing) => 0,
            _ => return,
        };
        self.sizes.learn(place, bytes.max(1));
    }
}

impl Waiting {
    /// When an attempt ends that starts now.
    fn end(&self, now: Instant) -> Instant {
        self.deadline.min(now + self.patience)
    }
}

impl Lane {
    pub fn new(common: &Common, node: Option<Arc<str>>) -> Arc<Lane> {
        Arc::new(Lane {
            common: common.clone(),
            node,
            trouble: Arc::default(),
            is_bulk: false,
            stand: stand(),
            state: Mutex::default(),
        })
    }

    /// Another lane to the same node; `is_bulk`: for what is large.
    pub fn beside(&self, is_bulk: bool) -> Arc<Lane> {
        Arc::new(Lane {
            common: self.common.clone(),
            node: self.node.clone(),
            trouble: self.trouble.clone(),
            is_bulk,
            stand: stand(),
            state: Mutex::default(),
        })
    }

    /// Whether the node did not answer when it was last asked.
    pub fn is_in_trouble(&self) -> bool {
        self.trouble.load(Ordering::Relaxed)
    }

    /// How long a node is silent that is in trouble then.
    pub fn silence(&self) -> Duration {
        self.common.patience * SILENCE
    }

    /// Takes note whether the node was heard from.
    pub fn note(&self, heard: bool) {
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
        link: &Link,
        (patience, deadline): (Duration, Instant),
        key: &Key,
        command: &Command,
        trace: Option<&Arc<Trace>>,
    ) -> Pass {
        let (answer, answered) = oneshot::channel();
        let (row, shape) = link.row(key, command, trace);
        let (place, sizes) = (Sizes::place(key), &self.common.sizes);
        let size = sizes.expected(key, command);
        if matches!(command, Command::Upsert { .. }) {
            sizes.learn(place, size.max(1));
        }
        let mut state = self.state();
        state.entered += 1;
        let number = state.entered;
        state.waiting.push_back(Waiting {
            number,
            row,
            shape,
            place,
            size,
            patience,
            deadline,
            answer,
            trace: trace.map(|trace| (trace.clone(), self.node.clone())),
        });
        self.board(link, state);
        Pass {
            number,
            answer: answered,
        }
    }

    /// A seat for an operation that goes alone, from the task that it is of: if nothing else waits or is under way. That is
    /// how an operation travels fastest, and many at the same time travel worst.
    pub fn seat(self: &Arc<Lane>, link: &Link) -> Option<Seat> {
        let mut state = self.state();
        if state.under_way > 0 || !state.waiting.is_empty() {
            return None;
        }
        state.under_way += 1;
        drop(state);
        Some(Seat {
            lane: Arc::clone(self),
            link: link.clone(),
        })
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
    fn board(self: &Arc<Lane>, link: &Link, mut state: MutexGuard<'_, State>) {
        if state.waiting.is_empty() || state.boarding || state.under_way >= UNDER_WAY {
            return;
        }
        state.boarding = true;
        state.under_way += 1;
        state.link = Some(link.clone());
        if state.standing > 0 {
            state.standing -= 1;
            return self.stand.add_permits(1);
        }
        drop(state);
        let standing = stand_by(Arc::clone(self), link.clone());
        match self.is_bulk {
            true => self.common.bulk.spawn(standing),
            false => drop(tokio::spawn(standing)),
        }
    }

    /// The operations that have waited longest and end together, and when that is; those that nobody waits for any more are
    /// passed over.
    fn next(self: &Arc<Lane>, link: &Link, is_first: bool) -> Option<(Vec<Waiting>, Instant)> {
        let mut state = self.state();
        if is_first {
            state.boarding = false;
        }
        let mut taken: Vec<Waiting> = Vec::with_capacity(state.waiting.len().min(AT_ONCE));
        let mut bytes = 0;
        let now = Instant::now();
        let mut ends: Option<(Instant, Instant)> = None;
        while let Some(next) = state.waiting.front() {
            if next.answer.is_closed() {
                state.waiting.pop_front();
                continue;
            }
            bytes += next.size;
            if taken.len() >= AT_ONCE || (bytes > BYTES_AT_ONCE && !taken.is_empty()) {
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
        self.board(link, state);
        ends.map(|(first, _)| (taken, first))
    }

    /// What was under way is over.
    fn leave(self: &Arc<Lane>, link: &Link) {
        let mut state = self.state();
        state.under_way -= 1;
        self.board(link, state);
    }

    /// Takes note that there was no answer in time to what left then.
    pub fn note_time_up(&self, left: Instant) {
        // An operation whose time was nearly up says nothing about the node.
        if left.elapsed() >= self.common.patience {
            self.note(false);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.stand.close();
    }
}

fn stand() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

/// Carries what waits, and then stands by for more: a flight is large, and to make one anew for each operation would cost much of
/// what the operation costs. It ends with its lane, and when the store is closed.
async fn stand_by(lane: Arc<Lane>, link: Link) {
    let (stand, weak) = (lane.stand.clone(), Arc::downgrade(&lane));
    let mut closing = lane.common.closing.clone();
    let mut flight = Flight { lane, link };
    loop {
        flight.carry().await;
        flight.lane.state().standing += 1;
        drop(flight);
        // An error is the end of everything, and so of the store.
        let closed = closing.wait_for(|closing| *closing);
        let permit = match select(pin!(closed), pin!(stand.acquire())).await {
            Either::Left(_) => None,
            Either::Right((permit, _)) => Some(permit),
        };
        let Some(lane) = weak.upgrade() else { return };
        let mut state = lane.state();
        // It may have been sent off just as the store was closed.
        let permit = match permit {
            Some(permit) => permit.ok(),
            None => stand.try_acquire().ok(),
        };
        match permit {
            Some(permit) => permit.forget(),
            None => {
                state.standing -= 1;
                return;
            }
        }
        let link = state.link.clone();
        drop(state);
        let Some(link) = link else { return };
        flight = Flight { lane, link };
    }
}

/// What an operation holds that goes alone.
pub struct Seat {
    lane: Arc<Lane>,
    link: Link,
}

impl Seat {
    /// Carries out a command, until `last`. `None`: the store was closed meanwhile.
    pub async fn carry(
        self,
        key: &Key,
        command: &Command,
        trace: Option<&Arc<Trace>>,
        last: Instant,
    ) -> Option<Outcome> {
        let (lane, common) = (&self.lane, &self.lane.common);
        let left = Instant::now();
        common.counters.flight(1);
        if let Some(trace) = trace {
            trace.note(Way {
                node: lane.node.clone(),
                together: 1,
            });
        }
        let mut closing = common.closing.clone();
        let work = self.link.alone(key, command, common.replica, last, trace);
        let outcome = tokio::select! {
            biased;
            // An error is the end of everything, and so of the store.
            _ = closing.wait_for(|closing| *closing) => return None,
            outcome = timeout_at(last, work) => outcome,
        };
        let Ok(outcome) = outcome else {
            lane.note_time_up(left);
            return Some(Outcome::Away);
        };
        lane.note(!outcome.as_ref().is_err_and(is_silence));
        let (place, outcome) = (Sizes::place(key), Outcome::Own(outcome));
        match command {
            Command::Read { .. } => common.learn(&outcome, place),
            Command::Upsert { .. } => common.sizes.learn(place, command.size().max(1)),
            _ => {}
        }
        Some(outcome)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.lane.leave(&self.link);
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

fn send_away(answers: Vec<oneshot::Sender<Outcome>>) {
    for answer in answers {
        // An error means that nobody listens any more.
        let _ = answer.send(Outcome::Away);
    }
}

/// What carries operations to a node, again and again, as long as some wait.
struct Flight {
    lane: Arc<Lane>,
    link: Link,
}

impl Flight {
    async fn carry(&self) {
        let mut closing = self.lane.common.closing.clone();
        let carry = async {
            let mut next = self.lane.next(&self.link, true);
            while let Some((taken, last)) = next {
                self.together(taken, last).await;
                next = self.lane.next(&self.link, false);
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
            for one in stranded {
                // An error means that nobody listens any more.
                let _ = one.answer.send(Outcome::Closed);
            }
        }
    }

    /// Carries out operations together, until `last`. Each is answered for itself; one that fails leaves the others alone.
    async fn together(&self, waiting: Vec<Waiting>, last: Instant) {
        let common = &self.lane.common;
        let left = Instant::now();
        let together = waiting.len();
        common.counters.flight(together);
        let mut rows = self.link.rows(waiting.len());
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
            let mut batch = pin!(self.link.batch(&policy, &mut rows));
            let batch = sparing(together >= SPARING, batch.as_mut());
            let mut batch = pin!(timeout_at(last, batch));
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
            self.lane.note_time_up(left);
            return send_away(answers);
        };
        self.lane.note(!outcome.as_ref().is_err_and(is_silence));
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

impl Drop for Flight {
    fn drop(&mut self) {
        // Who came since the last look; and, should this one have panicked, who has waited for it.
        self.lane.leave(&self.link);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use aerospike::expressions::bool_val;
    use aerospike::{as_val, Record};
    use futures::future::BoxFuture;

    use super::super::link::{Simulated, SimulatedRow};
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

    /// A lane, and what keeps it open.
    fn lane() -> (Arc<Lane>, watch::Sender<bool>) {
        let (open, closing) = watch::channel(false);
        let common = Common {
            trouble: Arc::new(Trouble::new()),
            counters: Arc::default(),
            sizes: Arc::new(Sizes::new()),
            patience: ms(PATIENCE),
            replica: Replica::Sequence,
            closing,
            bulk: Bulk::default(),
        };
        (Lane::new(&common, None), open)
    }

    fn write() -> Command {
        Command::Delete {
            reading: vec![],
            durable: false,
            only_if: bool_val(true),
        }
    }

    /// An operation that may take so long, and its attempt `patience` milliseconds of it.
    fn enter(lane: &Arc<Lane>, network: &Network, name: u64, patience: u64, left: u64) -> Pass {
        let time = (ms(patience), Instant::now() + ms(left));
        let link = Link::Simulated(Arc::new(network.clone()));
        lane.enter(&link, time, &key(name), &write(), None)
    }

    fn is_away(outcome: Result<Outcome, oneshot::error::RecvError>) -> bool {
        matches!(outcome, Ok(Outcome::Away))
    }

    /// Each is allocated, or moved, for every operation.
    #[test]
    fn what_carries_an_operation_is_small() {
        fn future<F>(_: fn(Arc<Lane>, Link) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size_of::<Waiting>() <= 760);
        assert!(size_of::<Outcome>() <= 248);
        // One stays for many operations.
        assert!(future(stand_by) <= 12_000);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_of_an_operation_is_under_way_once_its_time_is_up() {
        let (lane, _open) = lane();
        let network = Network::new(300);
        let short = enter(&lane, &network, 1, 1_000, 100);
        let long = enter(&lane, &network, 2, 1_000, 2_000);
        let entered = Instant::now();
        assert!(is_away(short.answer.await));
        assert!(entered.elapsed() <= ms(101));
        assert!(!network.is_under_way(&key(1)));
        assert!(network.is_under_way(&key(2)));
        assert!(!is_away(long.answer.await));
    }

    #[tokio::test(start_paused = true)]
    async fn operations_that_come_together_and_end_together_go_together() {
        let (lane, _open) = lane();
        let network = Network::new(1);
        let passes: Vec<_> = (0..100)
            .map(|name| enter(&lane, &network, name, 1_000, 3_000))
            .collect();
        for pass in passes {
            assert!(!is_away(pass.answer.await));
        }
        assert_eq!(network.batches(), [100]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_that_has_not_left_can_be_taken_back() {
        let (lane, _open) = lane();
        let network = Network::new(500);
        let mut sent = Vec::new();
        for name in 0..UNDER_WAY as u64 {
            sent.push(enter(&lane, &network, name, 1_000, 3_000));
            tokio::time::sleep(ms(1)).await;
        }
        let waits = enter(&lane, &network, 9, 1_000, 3_000);
        tokio::time::sleep(ms(1)).await;
        assert!(sent.iter().all(|pass| !lane.withdraw(pass)));
        assert!(lane.withdraw(&waits));
        for pass in sent {
            assert!(!is_away(pass.answer.await));
        }
        tokio::time::sleep(ms(1_000)).await;
        assert_eq!(network.batches(), [1; UNDER_WAY]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_whose_time_was_nearly_up_says_nothing_about_the_node() {
        let (lane, _open) = lane();
        let network = Network::new(100);
        assert!(is_away(enter(&lane, &network, 1, 1_000, 20).answer.await));
        assert!(!lane.is_in_trouble());
        let slow = Network::new(10_000);
        assert!(is_away(enter(&lane, &slow, 1, 1_000, 3_000).answer.await));
        assert!(lane.is_in_trouble());
    }
}
