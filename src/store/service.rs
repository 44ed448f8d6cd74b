//! Accepts requests, runs them in order for each session, and answers each exactly once.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aerospike::Key;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::metrics::Stats;
use super::notice::Notice;
use super::rate_limit_queue::{RateLimitQueues, RateLimitRequest};
use super::rate_limit_service;
use super::record_ref::RecordRef;
use super::request::{
    Answer, Caller, Operation, Output, RateLimitOp, Request, SessionName, SessionOp,
    SessionRequest, Ticket,
};
use super::session_queue::{Digest, Entered, OvertakeGuard, QueueGuard, SessionQueues};
use super::sessions::Sessions;
use super::shared::Shared;
use super::view::View;
use super::watch_ops;
use crate::bulk_runtime::Bulk;
use crate::cluster::{self, CallOptions, Cluster, UnreachableAddresses};
use crate::error::{Code, Error, Result};
use crate::{failpoint, tasks};

/// A store: a cluster, and the pending requests. Dropping it closes it.
pub struct Store<A: Answer> {
    requests: mpsc::UnboundedSender<Request<A>>,
    shared: Arc<Shared>,
    /// Every unanswered request holds a clone.
    tickets: Ticket,
    max_pending: usize,
}

impl<A: Answer> Store<A> {
    /// Opens a store and starts connecting. Call it within the tokio runtime that requests run in. `tending` is the
    /// runtime that maintains the cluster, and may be another one. `bulk` runs long work. If `max_pending` requests
    /// are unanswered, further ones are rejected.
    pub fn open(
        cluster: cluster::Options,
        max_pending: usize,
        tending: &Handle,
        bulk: Bulk,
        notify: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Store<A> {
        let cluster = Cluster::open(cluster, tending, bulk.clone());
        Store::on(cluster, bulk, max_pending, notify)
    }

    /// Opens a store on this cluster.
    pub(crate) fn on(
        cluster: Cluster,
        bulk: Bulk,
        max_pending: usize,
        notify: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Store<A> {
        let shared = Shared::new(cluster, bulk, notify);
        let (requests, queue) = mpsc::unbounded_channel();
        tasks::spawn(drive(shared.clone(), queue));
        tasks::spawn(watch_health(shared.clone()));
        tasks::spawn(watch_nodes(shared.clone()));
        Store {
            requests,
            shared,
            tickets: Arc::default(),
            max_pending,
        }
    }

    /// Returns the counters of the store.
    pub fn stats(&self) -> Stats {
        // One ticket is the store's own.
        let in_flight = Arc::strong_count(&self.tickets) - 1;
        self.shared
            .metrics
            .stats(self.shared.cluster.stats(), in_flight)
    }

    /// Watches a session, under a number that no other watch has. [`Notice::Ended`] reports once that the session has ended.
    /// `touch`: extends the session meanwhile.
    pub fn watch(&self, view: &Arc<View>, number: u64, id: &str, touch: bool) {
        let digest = view.layout.key(id).digest();
        if self.shared.watches.add(number, view, digest, touch) {
            // All of it runs on the thread for long work, with its timers: another thread may drive the runtime of requests only now and
            // then. The result is not needed.
            drop(
                self.shared
                    .bulk
                    .spawn_all(watch_ops::run(self.shared.clone())),
            );
        }
    }

    /// Ends a watch. No notice about it follows, except one that is already on its way.
    pub fn unwatch(&self, number: u64) {
        self.shared.watches.remove(number);
    }

    /// Submits a request. Never blocks. The answer comes exactly once, from another thread.
    pub fn submit(&self, view: Arc<View>, operation: Operation, answer: A) {
        if operation.is_about_records() && Arc::strong_count(&self.tickets) > self.max_pending {
            let name = operation.name();
            let refused = Err(Error::overload(self.max_pending).during(name));
            self.shared.metrics.count(name, &refused, None);
            return answer.give(refused, None);
        }
        let ticket = Arc::clone(&self.tickets);
        let request = Request {
            caller: Caller {
                view,
                answer,
                ticket,
            },
            deadline: match operation {
                Operation::Ready => self.shared.cluster.connect_deadline(),
                _ => self.shared.cluster.deadline(),
            },
            operation,
        };
        if let Err(mpsc::error::SendError(request)) = self.requests.send(request) {
            request.caller.give(Err(Error::closed()));
        }
    }
}

/// The interval of a timer that runs while requests arrive. It always ends before the timers of requests. In tokio, a
/// timer that becomes the next to end wakes its own thread (`reregister` in tokio's runtime/time/mod.rs). Without
/// this timer, each operation would cost several system calls for that.
const TIMER_INTERVAL: Duration = Duration::from_millis(50);

/// Takes requests from the channel and starts each, or adds it to the queue of its session.
async fn drive<A: Answer>(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Request<A>>) {
    /// The number of requests taken at once.
    const MAX_TAKEN: usize = 256;
    let queues = Arc::new(SessionQueues::new(shared.cluster.timeout()));
    let limit_queues = Arc::new(RateLimitQueues::new());
    let mut taken = Vec::with_capacity(MAX_TAKEN);
    let mut timer = std::pin::pin!(sleep(TIMER_INTERVAL));
    let mut is_timer_running = false;
    let mut has_requests = false;
    loop {
        tokio::select! {
            biased;
            count = queue.recv_many(&mut taken, MAX_TAKEN) => if count == 0 { break },
            () = &mut timer, if is_timer_running => {
                is_timer_running = std::mem::take(&mut has_requests);
                timer.as_mut().reset(Instant::now() + TIMER_INTERVAL);
                continue;
            }
        }
        has_requests = true;
        if !std::mem::replace(&mut is_timer_running, true) {
            timer.as_mut().reset(Instant::now() + TIMER_INTERVAL);
        }
        for request in taken.drain(..) {
            // A panic ends only its own request, which answers with an error when it is dropped.
            let start = AssertUnwindSafe(|| start(&shared, &queues, &limit_queues, request));
            let _ = catch_unwind(start);
        }
    }
    // The store was dropped without `close`. Without this, the crate's client would stay connected.
    shared.cluster.close().await;
}

/// The number of unanswered requests up to which an operation may be sent alone. More are better sent together.
const MAX_LONE: usize = 2;

fn start<A: Answer>(
    shared: &Arc<Shared>,
    queues: &Arc<SessionQueues<A>>,
    limit_queues: &Arc<RateLimitQueues<A>>,
    request: Request<A>,
) {
    failpoint::panic_in("drive", &request.caller.view.layout.options.set);
    match request.operation {
        Operation::Session { name, op } => {
            let caller = request.caller;
            let key = match name {
                SessionName::Id(id) => caller.view.layout.key(&id),
                SessionName::Digest(digest) => caller.view.layout.key_of(digest),
            };
            // Boxed: it is moved often.
            let request = Box::new(SessionRequest {
                target: target(key, request.deadline, &caller),
                caller,
                op,
            });
            start_session_op(shared, queues, request);
        }
        Operation::RateLimit(RateLimitOp::One { view, key, op }) => {
            let caller = request.caller;
            match view.key(&key) {
                Ok(key) => {
                    let request = RateLimitRequest {
                        target: target(key, request.deadline, &caller),
                        caller,
                        view,
                        op,
                    };
                    rate_limit_service::start(shared, limit_queues, request);
                }
                Err(error) => {
                    let outcome = Err(error.during(op.name()));
                    shared.metrics.count(op.name(), &outcome, None);
                    caller.give(outcome);
                }
            }
        }
        _ => {
            let is_bulk = request.operation.is_read_of_many();
            let answer = answer(shared.clone(), request);
            match is_bulk {
                true => shared.bulk.spawn(answer),
                false => tasks::spawn(answer),
            }
        }
    }
}

fn target<A: Answer>(key: Key, deadline: Instant, caller: &Caller<A>) -> RecordRef {
    let options = CallOptions {
        deadline,
        trace: caller.answer.trace(),
        in_doubt: AtomicBool::new(false),
        // One ticket is the store's own.
        is_lone: Arc::strong_count(&caller.ticket) <= 1 + MAX_LONE,
    };
    RecordRef { key, options }
}

fn start_session_op<A: Answer>(
    shared: &Arc<Shared>,
    queues: &Arc<SessionQueues<A>>,
    request: Box<SessionRequest<A>>,
) {
    let digest = request.digest();
    match queues.enter(request) {
        Entered::Runs(first) => {
            let is_bulk = shared.is_bulk(&first.target, &first.op);
            let serve = serve(shared.clone(), queues.clone(), first);
            match is_bulk {
                true => shared.bulk.spawn(serve),
                false => tasks::spawn(serve),
            }
        }
        Entered::WaitsWatched => {
            tasks::spawn(watch_reads(shared.clone(), queues.clone(), digest));
        }
        Entered::Waits => {}
    }
}

/// Runs the requests for one session, one after the other. Equal reads that wait together share one answer.
async fn serve<A: Answer>(
    shared: Arc<Shared>,
    queues: Arc<SessionQueues<A>>,
    first: Box<SessionRequest<A>>,
) {
    let digest = first.digest();
    let mut next = Some(first);
    while let Some(mut request) = next.take() {
        let guard = QueueGuard::new(&queues, digest);
        let equal = queues.take_equal(&request);
        if equal.is_empty() {
            let sessions = Sessions::new(&shared, &request.caller.view);
            let outcome = sessions
                .run_session_op(&request.target, &mut request.op)
                .await;
            finish(&shared, *request, outcome);
        } else {
            // Boxed: most operations never need it.
            Box::pin(share(&shared, request, equal)).await;
        }
        next = guard.next();
    }
}

/// Runs the reads of a session that have waited long enough for their turn.
async fn watch_reads<A: Answer>(
    shared: Arc<Shared>,
    queues: Arc<SessionQueues<A>>,
    digest: Digest,
) {
    while let Some(time) = queues.next_overtake(&digest) {
        sleep_until(time).await;
        let mut next = queues.take_overtaking(&digest);
        while let Some(reads) = next.take() {
            let overtaking = OvertakeGuard::new(&queues, digest);
            let mut reads = reads.into_iter();
            if let Some(first) = reads.next() {
                share(&shared, first, reads.collect()).await;
            }
            next = overtaking.next();
        }
    }
}

/// Answers equal reads with one read. It has the latest of their deadlines, and each of them still ends at its own
/// deadline.
async fn share<A: Answer>(
    shared: &Shared,
    first: Box<SessionRequest<A>>,
    equal: Vec<Box<SessionRequest<A>>>,
) {
    let (view, op) = (first.caller.view.clone(), first.op.read());
    let mut waiting: Vec<_> = [first].into_iter().chain(equal).collect();
    // The last one has the earliest deadline.
    waiting.sort_by_key(|one| std::cmp::Reverse(one.target.options.deadline));
    let (Some(latest), Some(mut op)) = (waiting.first(), op) else {
        return;
    };
    let deadline = latest.target.options.deadline;
    let target = RecordRef {
        key: latest.target.key.clone(),
        options: CallOptions {
            // Copied to all of them.
            trace: waiting
                .iter()
                .find_map(|one| one.target.options.trace.clone()),
            ..CallOptions::untraced(deadline)
        },
    };
    let sessions = Sessions::new(shared, &view);
    let mut read = std::pin::pin!(sessions.run_session_op(&target, &mut op));
    let outcome = loop {
        let earliest = waiting
            .last()
            .map_or(deadline, |one| one.target.options.deadline);
        if earliest >= deadline {
            break read.await;
        }
        tokio::select! {
            biased;
            outcome = &mut read => break outcome,
            () = sleep_until(earliest) => if let Some(late) = waiting.pop() {
                late.target.copy_trace(&target);
                finish(shared, *late, Err(shared.cluster.late()));
            },
        }
    };
    for one in waiting.into_iter().rev() {
        one.target.copy_trace(&target);
        finish(shared, *one, outcome.clone());
    }
}

fn finish<A: Answer>(shared: &Shared, request: SessionRequest<A>, outcome: Result<Output>) {
    let name = request.op.name();
    let outcome = outcome.map_err(|error| request.target.failed(error).during(name));
    // The histogram is about sessions.
    let is_session = !matches!(request.op, SessionOp::Cache(_));
    let latency = is_session.then(|| shared.cluster.since(request.target.options.deadline));
    shared.metrics.count(name, &outcome, latency);
    request.caller.give(outcome);
}

/// Runs and answers a request that is not for a single session.
async fn answer<A: Answer>(shared: Arc<Shared>, request: Request<A>) {
    let Request {
        caller,
        operation,
        deadline,
    } = request;
    let name = operation.name();
    let is_about_records = operation.is_about_records();
    // A part of it may be done when the store is closed.
    let is_partial = operation.is_write_of_many() && !shared.cluster.is_closed();
    let outcome = match operation {
        Operation::Close => {
            shared.cluster.close().await;
            wait_until_others_answered(&caller.ticket).await;
            Ok(Output::Done)
        }
        operation => tokio::select! {
            biased;
            outcome = shared.run(&caller.view, operation, deadline) => outcome,
            () = shared.cluster.closed() => Err(Error::closed()),
        },
    };
    let outcome = outcome.map_err(|error| match error.code {
        // The connections were lost because they were closed.
        Code::Unavailable if shared.cluster.is_closed() => {
            Error::closed().in_doubt(error.in_doubt || is_partial)
        }
        Code::Closed => {
            let in_doubt = error.in_doubt || is_partial;
            error.in_doubt(in_doubt)
        }
        _ => error,
    });
    let outcome = outcome.map_err(|error| error.during(name));
    if is_about_records {
        shared.metrics.count(name, &outcome, None);
    }
    caller.give(outcome);
}

/// Waits until every other pending request has been answered, so that closing is answered last. The wait is limited:
/// a request that hangs must not keep the application from ending.
async fn wait_until_others_answered(ticket: &Ticket) {
    /// The number of checks, one per millisecond.
    const MAX_CHECKS: usize = 1_000;
    for _ in 0..MAX_CHECKS {
        // One ticket belongs to the store, and one to this request.
        if Arc::strong_count(ticket) <= 2 {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// Reports nodes that cannot be reached, each set of nodes once, until the cluster is closed.
async fn watch_nodes(shared: Arc<Shared>) {
    /// A node that leaves the cluster is still announced for a short time.
    const SETTLE_TIME: Duration = Duration::from_secs(2);
    let watch = async {
        let (mut seen, mut reported) = (UnreachableAddresses::new(), BTreeSet::new());
        loop {
            shared.cluster.unreachable(&mut seen).await;
            let mut later = seen.clone();
            let changed = shared.cluster.unreachable(&mut later);
            if tokio::time::timeout(SETTLE_TIME, changed).await.is_ok() {
                continue;
            }
            if let Some(message) = shared.cluster.unreachable_words()
                && reported.insert(seen.clone())
            {
                (shared.notify)(Notice::NodesUnreachable(message));
            }
        }
    };
    tokio::select! {
        () = watch => {}
        () = shared.cluster.closed() => {}
    }
}

/// Reports when the cluster becomes reachable or unreachable, until it is closed.
async fn watch_health(shared: Arc<Shared>) {
    let mut health = shared.cluster.health();
    let closed = shared.cluster.closed();
    tokio::pin!(closed);
    loop {
        tokio::select! {
            changed = health.changed() => if changed.is_err() { return },
            () = &mut closed => return,
        }
        let state = *health.borrow_and_update();
        match state {
            Some(true) => (shared.notify)(Notice::Up),
            Some(false) => (shared.notify)(Notice::Down),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoAnswer;

    impl Answer for NoAnswer {
        fn give(self, _outcome: Result<Output>, _ticket: Option<Ticket>) {}
    }

    /// Returns the size of the future that a function returns.
    fn future_size<A, B, C, F>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// Each is allocated, and moved once, for every operation. Rare and large futures are boxed where they begin.
    #[test]
    fn the_future_and_the_request_of_an_operation_are_small() {
        assert!(future_size(serve::<NoAnswer>) <= 3_000);
        assert!(size_of::<SessionRequest<NoAnswer>>() <= 400);
    }
}
