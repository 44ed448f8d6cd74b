//! Requests for one session are carried out in the order they came in; but a read waits no longer than it has to.
//!
//! A queue exists while a request for its session is being carried out; what comes in meanwhile waits there for its turn.
//! Requests for different sessions never wait for each other. No request outlives its deadline by waiting: those before
//! it came earlier, and so have to end earlier.
//!
//! A read has to see what was acknowledged before it was made. What is before it in the queue has not been acknowledged: a
//! read that waits for it sees it. After a part of its time the read overtakes what it waits for, and a touch, which changes
//! no data, after a much smaller one. So a silent node keeps a session from being written, and not from being read.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::request::{Answer, Kind, SessionRequest};

/// The part of its time that a read waits for writes.
const FOR_WRITES: u32 = 6;
/// The part that it waits where there are only touches before it.
const FOR_TOUCHES: u32 = 60;

/// What names a session: the digest of its key.
pub type Digest = [u8; 20];

pub struct SessionQueues<A> {
    /// What each request has.
    timeout: Duration,
    busy: Mutex<HashMap<Digest, SessionQueue<A>>>,
}

/// Of one session.
struct SessionQueue<A> {
    /// What is carried out in its turn.
    turn: Option<Kind>,
    /// A read is under way that did not wait for its turn.
    is_overtaken: bool,
    /// When the reads that stop waiting are looked for next. `None`: nobody watches.
    watched: Option<Instant>,
    waiting: VecDeque<Box<SessionRequest<A>>>,
}

/// What becomes of an request that enters a queue.
pub enum Entered<A> {
    /// It is its turn.
    Turn(Box<SessionRequest<A>>),
    /// It waits for its turn.
    Waits,
    /// It waits for its turn, but not for ever: somebody has to watch over it.
    WaitsWatched,
}

impl<A: Answer> SessionQueues<A> {
    /// `timeout`: what each request has.
    pub fn new(timeout: Duration) -> SessionQueues<A> {
        SessionQueues {
            timeout,
            busy: Mutex::new(HashMap::new()),
        }
    }

    /// Gives the request back if it may be carried out, and holds the queue for it; keeps it otherwise.
    pub fn enter(&self, request: Box<SessionRequest<A>>) -> Entered<A> {
        let kind = request.kind();
        match self.lock().entry(request.digest()) {
            Entry::Vacant(queue) => {
                queue.insert(SessionQueue {
                    turn: Some(kind),
                    is_overtaken: false,
                    watched: None,
                    waiting: VecDeque::new(),
                });
                Entered::Turn(request)
            }
            Entry::Occupied(queue) => {
                let queue = queue.into_mut();
                if queue.turn.is_none() {
                    queue.turn = Some(kind);
                    return Entered::Turn(request);
                }
                let before = queue.weightiest();
                let is_held_up = kind == Kind::Read && before > Some(Kind::Read);
                let stops = is_held_up.then(|| self.stops(&request, before));
                queue.waiting.push_back(request);
                match stops {
                    // Who watches already may be waiting for a read that came behind a write, and stops later.
                    Some(stops) if queue.watched.is_none_or(|next| stops < next) => {
                        queue.watched = Some(stops);
                        Entered::WaitsWatched
                    }
                    _ => Entered::Waits,
                }
            }
        }
    }

    /// Takes those that wait next and ask just what `request` asks. Only those: what comes while it is under way may
    /// have to see what has happened meanwhile.
    pub fn alike(&self, request: &SessionRequest<A>) -> Vec<Box<SessionRequest<A>>> {
        let mut alike = Vec::new();
        if let Some(queue) = self.lock().get_mut(&request.digest()) {
            while queue
                .waiting
                .front()
                .is_some_and(|next| next.is_like(request))
            {
                alike.extend(queue.waiting.pop_front());
            }
        }
        alike
    }

    /// Takes the first read that has waited for long enough, and those that ask just the same.
    pub fn overtaking(&self, digest: &Digest) -> Option<Vec<Box<SessionRequest<A>>>> {
        self.overtakers(self.lock().get_mut(digest)?)
    }

    /// When the next read stops waiting for its turn. `None`: nobody has to watch any more.
    pub fn next_to_stop(&self, digest: &Digest) -> Option<Instant> {
        let mut busy = self.lock();
        let queue = busy.get_mut(digest)?;
        if queue.is_overtaken {
            // Whoever watches over that read goes on to watch.
            return None;
        }
        let mut before = queue.turn;
        let mut next: Option<Instant> = None;
        for request in &queue.waiting {
            if request.kind() == Kind::Read {
                let stops = self.stops(request, before);
                next = Some(next.map_or(stops, |next| next.min(stops)));
            }
            before = before.max(Some(request.kind()));
        }
        queue.watched = next;
        next
    }

    fn overtakers(&self, queue: &mut SessionQueue<A>) -> Option<Vec<Box<SessionRequest<A>>>> {
        if queue.is_overtaken {
            return None;
        }
        let now = Instant::now();
        let mut before = queue.turn;
        let mut taken: Vec<Box<SessionRequest<A>>> = Vec::new();
        let mut left = VecDeque::with_capacity(queue.waiting.len());
        for request in queue.waiting.drain(..) {
            let may_go = request.kind() == Kind::Read && self.stops(&request, before) <= now;
            before = before.max(Some(request.kind()));
            match may_go && taken.first().is_none_or(|first| request.is_like(first)) {
                true => taken.push(request),
                false => left.push_back(request),
            }
        }
        queue.waiting = left;
        queue.is_overtaken = !taken.is_empty();
        queue.is_overtaken.then_some(taken)
    }

    /// When a read stops waiting for its turn, if the weightiest before it is of this kind.
    fn stops(&self, read: &SessionRequest<A>, before: Option<Kind>) -> Instant {
        let part = match before {
            Some(Kind::Touch) => FOR_TOUCHES,
            _ => FOR_WRITES,
        };
        let deadline = read.at.deadline;
        let waits = self.timeout - self.timeout / part;
        deadline.checked_sub(waits).unwrap_or(deadline)
    }

    fn next(&self, digest: &Digest) -> Option<Box<SessionRequest<A>>> {
        let mut busy = self.lock();
        let queue = busy.get_mut(digest)?;
        let next = queue.waiting.pop_front();
        queue.turn = next.as_ref().map(|next| next.kind());
        if queue.is_empty() {
            busy.remove(digest);
        }
        next
    }

    /// The end of a read that did not wait for its turn; others that need not either.
    fn overtaken(&self, digest: &Digest) -> Option<Vec<Box<SessionRequest<A>>>> {
        let mut busy = self.lock();
        let queue = busy.get_mut(digest)?;
        queue.is_overtaken = false;
        let more = self.overtakers(queue);
        if queue.is_empty() {
            busy.remove(digest);
        }
        more
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, SessionQueue<A>>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Answer> SessionQueue<A> {
    fn is_empty(&self) -> bool {
        self.turn.is_none() && !self.is_overtaken && self.waiting.is_empty()
    }

    /// The weightiest of what a read that comes now waits for. For reads alone it waits gladly: it shares the next.
    fn weightiest(&self) -> Option<Kind> {
        let waiting = self.waiting.iter().map(|one| one.kind());
        waiting.chain(self.turn).max()
    }
}

/// The end of a request's stay in its queue, in its turn.
///
/// Should it panic, dropping this frees the queue, and with it those that wait there: each answers, as it is dropped,
/// that it was lost.
pub struct QueueGuard<'a, A: Answer> {
    queues: &'a SessionQueues<A>,
    digest: Digest,
    left: bool,
}

impl<'a, A: Answer> QueueGuard<'a, A> {
    pub fn new(queues: &'a SessionQueues<A>, digest: Digest) -> QueueGuard<'a, A> {
        QueueGuard {
            queues,
            digest,
            left: false,
        }
    }

    /// The request that waited longest, if any; the queue is free otherwise.
    pub fn next(mut self) -> Option<Box<SessionRequest<A>>> {
        self.left = true;
        self.queues.next(&self.digest)
    }
}

impl<A: Answer> Drop for QueueGuard<'_, A> {
    fn drop(&mut self) {
        if !self.left {
            let stranded = self.queues.lock().remove(&self.digest);
            drop(stranded);
        }
    }
}

/// The end of a read that did not wait for its turn.
pub struct OvertakeGuard<'a, A: Answer> {
    queues: &'a SessionQueues<A>,
    digest: Digest,
    left: bool,
}

impl<'a, A: Answer> OvertakeGuard<'a, A> {
    pub fn new(queues: &'a SessionQueues<A>, digest: Digest) -> OvertakeGuard<'a, A> {
        OvertakeGuard {
            queues,
            digest,
            left: false,
        }
    }

    /// More that need not wait for their turn, and ask the same.
    pub fn next(mut self) -> Option<Vec<Box<SessionRequest<A>>>> {
        self.left = true;
        self.queues.overtaken(&self.digest)
    }
}

impl<A: Answer> Drop for OvertakeGuard<'_, A> {
    fn drop(&mut self) {
        if !self.left {
            let stranded = self.queues.overtaken(&self.digest);
            drop(stranded);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use aerospike::{as_val, Key};

    use super::super::options::Options;
    use super::super::record_ref::RecordRef;
    use super::super::request::{Output, SessionOp, Ticket};
    use super::super::view::View;
    use super::*;
    use crate::error::Result;

    const TIMEOUT: Duration = Duration::from_millis(600);
    const WAITS: Duration = Duration::from_millis(100);

    /// What it is asked for, by name.
    struct Asked(&'static str);

    impl Answer for Asked {
        fn give(self, _outcome: Result<Output>, _ticket: Option<Ticket>) {}
    }

    struct Session {
        queues: SessionQueues<Asked>,
        view: Arc<View>,
    }

    impl Session {
        fn new() -> Session {
            Session {
                queues: SessionQueues::new(TIMEOUT),
                view: View::new(Options::default()),
            }
        }

        fn request(&self, name: &'static str) -> Box<SessionRequest<Asked>> {
            let what = match name.split_once(' ').map_or(name, |(what, _)| what) {
                "get" => SessionOp::Get,
                "has" => SessionOp::Has,
                "touch" => SessionOp::Touch { expires: 0 },
                _ => SessionOp::Destroy,
            };
            Box::new(SessionRequest {
                view: self.view.clone(),
                at: RecordRef::alone(
                    Key::new("test", "sessions", as_val!("a")).unwrap(),
                    Instant::now() + TIMEOUT,
                ),
                what,
                answer: Asked(name),
                ticket: Arc::default(),
            })
        }

        fn digest(&self) -> Digest {
            self.request("get").digest()
        }

        fn enter(&self, name: &'static str) -> &'static str {
            match self.queues.enter(self.request(name)) {
                Entered::Turn(_) => "its turn",
                Entered::Waits => "waits",
                Entered::WaitsWatched => "waits and is watched",
            }
        }

        fn next(&self) -> Option<&'static str> {
            self.queues.next(&self.digest()).map(|one| one.answer.0)
        }

        fn overtaking(&self) -> Vec<&'static str> {
            names(self.queues.overtaking(&self.digest()))
        }
    }

    #[allow(clippy::vec_box)]
    fn names(requests: Option<Vec<Box<SessionRequest<Asked>>>>) -> Vec<&'static str> {
        let requests = requests.unwrap_or_default();
        requests.iter().map(|one| one.answer.0).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_soon_overtakes_a_touch_but_no_write() {
        let session = Session::new();
        assert_eq!(session.enter("touch"), "its turn");
        assert_eq!(session.enter("get"), "waits and is watched");
        assert_eq!(session.enter("destroy"), "waits");
        assert_eq!(session.enter("get 2"), "waits");
        assert_eq!(session.overtaking(), [""; 0]);
        let stops = session.queues.next_to_stop(&session.digest()).unwrap();
        assert_eq!(stops, Instant::now() + WAITS / 10);
        tokio::time::sleep_until(stops).await;
        assert_eq!(session.overtaking(), ["get"]);
        assert!(session.queues.overtaken(&session.digest()).is_none());
        assert_eq!(session.next(), Some("destroy"));
        assert_eq!(session.next(), Some("get 2"));
        assert_eq!(session.next(), None);
        assert!(session.queues.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_waits_for_a_write_for_a_part_of_its_time() {
        let session = Session::new();
        assert_eq!(session.enter("destroy"), "its turn");
        assert_eq!(session.enter("get"), "waits and is watched");
        tokio::time::sleep(WAITS / 2).await;
        assert_eq!(session.enter("destroy 2"), "waits");
        assert_eq!(session.enter("has"), "waits");
        assert_eq!(session.enter("get 2"), "waits");
        let stops = session.queues.next_to_stop(&session.digest()).unwrap();
        assert_eq!(stops, Instant::now() + WAITS / 2);
        tokio::time::sleep_until(stops).await;
        assert_eq!(session.overtaking(), ["get"]);
        // One at a time; those that have waited for long enough by then go together.
        assert!(session.queues.next_to_stop(&session.digest()).is_none());
        tokio::time::sleep(WAITS / 2).await;
        assert_eq!(session.enter("get 3"), "waits");
        assert_eq!(session.overtaking(), [""; 0]);
        let more = session.queues.overtaken(&session.digest());
        assert_eq!(names(more), ["has"]);
        let more = session.queues.overtaken(&session.digest());
        assert_eq!(names(more), ["get 2"]);
        assert_eq!(session.next(), Some("destroy 2"));
        assert_eq!(session.next(), Some("get 3"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_soon_overtakes_a_touch_also_if_another_read_waited_for_a_write_before() {
        let session = Session::new();
        assert_eq!(session.enter("destroy"), "its turn");
        assert_eq!(session.enter("get"), "waits and is watched");
        assert_eq!(session.enter("touch"), "waits");
        assert_eq!(session.next(), Some("get"));
        assert_eq!(session.next(), Some("touch"));
        assert_eq!(session.enter("get 2"), "waits and is watched");
        let stops = session.queues.next_to_stop(&session.digest()).unwrap();
        assert_eq!(stops, Instant::now() + WAITS / 10);
        assert_eq!(session.enter("get 3"), "waits");
        tokio::time::sleep_until(stops).await;
        assert_eq!(session.overtaking(), ["get 2", "get 3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn reads_that_wait_for_a_read_are_not_watched_and_share_the_next() {
        let session = Session::new();
        assert_eq!(session.enter("get"), "its turn");
        assert_eq!(session.enter("get 2"), "waits");
        assert_eq!(session.enter("get 3"), "waits");
        assert_eq!(session.enter("destroy"), "waits");
        assert_eq!(session.enter("get 4"), "waits and is watched");
        assert_eq!(session.next(), Some("get 2"));
        let alike = session.queues.alike(&session.request("get"));
        assert_eq!(names(Some(alike)), ["get 3"]);
        assert_eq!(session.next(), Some("destroy"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_is_made_after_a_write_was_acknowledged_comes_after_it() {
        let session = Session::new();
        assert_eq!(session.enter("destroy"), "its turn");
        assert_eq!(session.enter("get"), "waits and is watched");
        tokio::time::sleep(WAITS).await;
        assert_eq!(session.overtaking(), ["get"]);
        // The write is over, the read that did not wait for it is not.
        assert_eq!(session.next(), None);
        assert_eq!(session.enter("get 2"), "its turn");
        assert!(session.queues.overtaken(&session.digest()).is_none());
        assert_eq!(session.next(), None);
        assert!(session.queues.lock().is_empty());
    }
}
