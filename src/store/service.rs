//! The requests on their way: taken as they come, in order for each session, and answered exactly once.

use std::collections::BTreeSet;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, Instant};

use super::metrics::Stats;
use super::notice::Notice;
use super::record_ref::RecordRef;
use super::request::{Answer, Operation, Output, Request, SessionRequest, Ticket};
use super::session_queue::{Digest, Entered, OvertakeGuard, QueueGuard, SessionQueues};
use super::sessions::Sessions;
use super::shared::Shared;
use super::view::View;
use crate::bulk_runtime::Bulk;
use crate::cluster::{self, Cluster, UnreachableAddresses};
use crate::error::{Code, Error, Result};
use crate::failpoint;

/// A store: a cluster, and the requests on their way to it. Dropping it closes it.
pub struct Store<A: Answer> {
    requests: mpsc::UnboundedSender<Request<A>>,
    shared: Arc<Shared>,
    /// Every request that is not answered yet holds one.
    tickets: Ticket,
    max_pending: usize,
}

impl<A: Answer> Store<A> {
    /// Opens a store and starts connecting. Must be called within the tokio runtime that requests are to run in;
    /// `tending` looks after the cluster, and may be another; in `bulk` is done what takes long. Beyond `max_pending` requests that are not answered yet,
    /// further ones are refused.
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
        let shared = Arc::new(Shared::new(cluster, bulk, notify));
        let (requests, queue) = mpsc::unbounded_channel();
        tokio::spawn(drive(shared.clone(), queue));
        tokio::spawn(watch(shared.clone()));
        tokio::spawn(watch_nodes(shared.clone()));
        Store {
            requests,
            shared,
            tickets: Arc::default(),
            max_pending,
        }
    }

    /// What has been asked of the store, and what came of it.
    pub fn stats(&self) -> Stats {
        // One is the store's own.
        let in_flight = Arc::strong_count(&self.tickets) - 1;
        self.shared
            .metrics
            .stats(self.shared.cluster.stats(), in_flight)
    }

    /// Hands a request over; never blocks. Its answer comes exactly once, from another thread.
    pub fn submit(&self, view: Arc<View>, operation: Operation, answer: A) {
        if operation.is_about_sessions() && Arc::strong_count(&self.tickets) > self.max_pending {
            let name = operation.name();
            let refused = Err(Error::overload(self.max_pending).during(name));
            self.shared.metrics.count(name, &refused, None);
            return answer.give(refused, None);
        }
        let request = Request {
            view,
            deadline: match operation {
                Operation::Ready => self.shared.cluster.connect_deadline(),
                _ => self.shared.cluster.deadline(),
            },
            operation,
            answer,
            ticket: Arc::clone(&self.tickets),
        };
        if let Err(mpsc::error::SendError(request)) = self.requests.send(request) {
            let ticket = Some(request.ticket);
            request.answer.give(Err(Error::closed()), ticket);
        }
    }
}

/// While requests come there is a timer that ends so soon: sooner than theirs. A timer that would be the next to end wakes its
/// own thread (`reregister` in tokio's runtime/time/mod.rs), which costs each operation several system calls.
const BEAT: Duration = Duration::from_millis(50);

/// Takes requests as they come and starts each, or the lane of its session.
async fn drive<A: Answer>(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Request<A>>) {
    /// Requests taken over at one go.
    const AT_ONCE: usize = 256;
    let queues = Arc::new(SessionQueues::new(shared.cluster.timeout()));
    let mut taken = Vec::with_capacity(AT_ONCE);
    let mut beat = std::pin::pin!(sleep(BEAT));
    let mut is_beating = false;
    let mut came = false;
    loop {
        tokio::select! {
            biased;
            count = queue.recv_many(&mut taken, AT_ONCE) => if count == 0 { break },
            () = &mut beat, if is_beating => {
                is_beating = std::mem::take(&mut came);
                beat.as_mut().reset(Instant::now() + BEAT);
                continue;
            }
        }
        came = true;
        if !std::mem::replace(&mut is_beating, true) {
            beat.as_mut().reset(Instant::now() + BEAT);
        }
        for request in taken.drain(..) {
            // A panic is the end of its request, which answers so as it is dropped, and not of all that come after it.
            let start = AssertUnwindSafe(|| start(&shared, &queues, request));
            let _ = catch_unwind(start);
        }
    }
    // The store was dropped without `close`: the crate's client would live on.
    shared.cluster.close().await;
}

/// Requests that are not answered yet, at the most, when an operation may go alone: more are better carried together.
const LONE: usize = 2;

fn start<A: Answer>(shared: &Arc<Shared>, queues: &Arc<SessionQueues<A>>, request: Request<A>) {
    failpoint::panic_in("drive", &request.view.layout.options.set);
    let Operation::Session { id, what } = request.operation else {
        let is_bulk = request.operation.is_read_of_many();
        let answer = answer(shared.clone(), request);
        match is_bulk {
            true => shared.bulk.spawn(answer),
            false => drop(tokio::spawn(answer)),
        }
        return;
    };
    let at = RecordRef {
        key: request.view.layout.key(&id),
        deadline: request.deadline,
        trace: request.answer.trace(),
        doubt: AtomicBool::new(false),
        // One is the store's own.
        is_lone: Arc::strong_count(&request.ticket) <= 1 + LONE,
    };
    // Boxed: it is moved from hand to hand.
    let request = Box::new(SessionRequest {
        view: request.view,
        at,
        what,
        answer: request.answer,
        ticket: request.ticket,
    });
    let digest = request.digest();
    match queues.enter(request) {
        Entered::Turn(first) => {
            let is_bulk = shared.is_bulk(&first.at, &first.what);
            let serve = serve(shared.clone(), queues.clone(), first);
            match is_bulk {
                true => shared.bulk.spawn(serve),
                false => drop(tokio::spawn(Box::pin(serve))),
            }
        }
        Entered::WaitsWatched => {
            tokio::spawn(watch_reads(shared.clone(), queues.clone(), digest));
        }
        Entered::Waits => {}
    }
}

/// Carries out what there is to do for one session, one after the other, and answers with the same words those that
/// ask the same.
async fn serve<A: Answer>(
    shared: Arc<Shared>,
    queues: Arc<SessionQueues<A>>,
    first: Box<SessionRequest<A>>,
) {
    let digest = first.digest();
    let mut next = Some(first);
    while let Some(mut request) = next.take() {
        let stay = QueueGuard::new(&queues, digest);
        let alike = queues.alike(&request);
        if alike.is_empty() {
            let sessions = Sessions::of(&shared, &request.view);
            let outcome = sessions.one(&request.at, &mut request.what).await;
            finish(&shared, *request, outcome);
        } else {
            // Boxed: it is no part of every operation.
            Box::pin(share(&shared, request, alike)).await;
        }
        next = stay.next();
    }
}

/// Sends the reads of a session that have waited for their turn for long enough.
async fn watch_reads<A: Answer>(
    shared: Arc<Shared>,
    queues: Arc<SessionQueues<A>>,
    digest: Digest,
) {
    while let Some(stops) = queues.next_to_stop(&digest) {
        sleep_until(stops).await;
        let mut next = queues.overtaking(&digest);
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

/// Answers reads that ask the same by one. It has as much time as the one that has most; each is answered by its own
/// deadline.
async fn share<A: Answer>(
    shared: &Shared,
    first: Box<SessionRequest<A>>,
    alike: Vec<Box<SessionRequest<A>>>,
) {
    let (view, what) = (first.view.clone(), first.what.read());
    let mut waiting: Vec<_> = [first].into_iter().chain(alike).collect();
    // The last one has least time.
    waiting.sort_by_key(|one| std::cmp::Reverse(one.at.deadline));
    let (Some(most), Some(mut what)) = (waiting.first(), what) else {
        return;
    };
    let at = RecordRef {
        key: most.at.key.clone(),
        deadline: most.at.deadline,
        // Noted for all of them.
        trace: waiting.iter().find_map(|one| one.at.trace.clone()),
        doubt: AtomicBool::new(false),
        is_lone: false,
    };
    let sessions = Sessions::of(shared, &view);
    let mut read = std::pin::pin!(sessions.one(&at, &mut what));
    let outcome = loop {
        let least = waiting.last().map_or(at.deadline, |one| one.at.deadline);
        if least >= at.deadline {
            break read.await;
        }
        tokio::select! {
            biased;
            outcome = &mut read => break outcome,
            () = sleep_until(least) => if let Some(late) = waiting.pop() {
                late.note(at.trace.as_ref());
                finish(shared, *late, Err(shared.cluster.late()));
            },
        }
    };
    for one in waiting.into_iter().rev() {
        one.note(at.trace.as_ref());
        finish(shared, *one, outcome.clone());
    }
}

fn finish<A: Answer>(shared: &Shared, request: SessionRequest<A>, outcome: Result<Output>) {
    let name = request.what.name();
    let outcome = outcome.map_err(|error| request.at.failed(error).during(name));
    let took = shared.cluster.since(request.at.deadline);
    shared.metrics.count(name, &outcome, Some(took));
    request.answer.give(outcome, Some(request.ticket));
}

/// Answers a request that concerns no single session.
async fn answer<A: Answer>(shared: Arc<Shared>, request: Request<A>) {
    let Request {
        view,
        operation,
        deadline,
        answer,
        ticket,
    } = request;
    let name = operation.name();
    let is_about_sessions = operation.is_about_sessions();
    // Some of it may be done when the store is closed.
    let is_partial = operation.is_write_of_many() && !shared.cluster.is_closed();
    let outcome = match operation {
        Operation::Close => {
            shared.cluster.close().await;
            others_answered(&ticket).await;
            Ok(Output::Done)
        }
        operation => tokio::select! {
            biased;
            outcome = shared.run(&view, operation, deadline) => outcome,
            () = shared.cluster.closed() => Err(Error::closed()),
        },
    };
    let outcome = outcome.map_err(|error| match error.code {
        // The connections went because they were closed.
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
    if is_about_sessions {
        shared.metrics.count(name, &outcome, None);
    }
    answer.give(outcome, Some(ticket));
}

/// Waits until every other request that was under way has been answered: what a store was asked is answered before its
/// end is. Not for ever: one that hangs must not keep the application from ending.
async fn others_answered(ticket: &Ticket) {
    /// Looks, a millisecond apart.
    const PATIENCE: usize = 1_000;
    for _ in 0..PATIENCE {
        // One is the store's, and one ours.
        if Arc::strong_count(ticket) <= 2 {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// Reports nodes that cannot be reached, each set of them once, until the cluster is closed.
async fn watch_nodes(shared: Arc<Shared>) {
    /// A node that is about to leave the cluster is announced for a little longer.
    const STAYS: Duration = Duration::from_secs(2);
    let watch = async {
        let (mut seen, mut told) = (UnreachableAddresses::new(), BTreeSet::new());
        loop {
            shared.cluster.unreachable(&mut seen).await;
            let mut later = seen.clone();
            let changed = shared.cluster.unreachable(&mut later);
            if tokio::time::timeout(STAYS, changed).await.is_ok() {
                continue;
            }
            if let Some(words) = shared.cluster.unreachable_words() {
                if told.insert(seen.clone()) {
                    (shared.notify)(Notice::NodesUnreachable(words));
                }
            }
        }
    };
    tokio::select! {
        () = watch => {}
        () = shared.cluster.closed() => {}
    }
}

/// Tells of the cluster's coming and going, until it is closed.
async fn watch(shared: Arc<Shared>) {
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

    struct Nobody;

    impl Answer for Nobody {
        fn give(self, _outcome: Result<Output>, _ticket: Option<Ticket>) {}
    }

    /// Bytes of the future that a function returns.
    fn future<A, B, C, F>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// Each is allocated, and moved once, for every operation. What is rare and large is boxed where it begins.
    #[test]
    fn what_carries_an_operation_is_small() {
        assert!(future(serve::<Nobody>) <= 3_000);
        assert!(size_of::<SessionRequest<Nobody>>() <= 400);
    }
}
