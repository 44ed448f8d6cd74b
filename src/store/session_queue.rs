//! Requests for one session run in the order in which they arrive. But a read waits only for a limited time.
//!
//! A queue exists while a request for its session runs. Requests that arrive meanwhile wait in it for their turn.
//! Requests for different sessions never wait for each other. Waiting never takes a request beyond its deadline: the
//! requests before it arrived earlier, and so they end earlier.
//!
//! A read has to see every write that was acknowledged before it was called. Requests still in the queue have not
//! been acknowledged. So a read usually waits for them and sees them, but it may overtake them: after 1/6 of the
//! timeout if there are writes before it, and after 1/60 if there are only touches, which change no data. So a silent
//! node blocks the writes of a session, but not its reads.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::request::{Answer, Kind, SessionRequest};

/// A read waits for writes for the timeout divided by this.
const WRITE_WAIT_DIVISOR: u32 = 6;
/// A read waits for touches for the timeout divided by this, if only touches are before it.
const TOUCH_WAIT_DIVISOR: u32 = 60;

/// The digest of a key. It identifies a session.
pub type Digest = [u8; 20];

pub struct SessionQueues<A> {
    /// The timeout of each request.
    timeout: Duration,
    queues: Mutex<HashMap<Digest, SessionQueue<A>>>,
}

/// The queue of one session.
struct SessionQueue<A> {
    /// The kind of the request that runs in its turn.
    running: Option<Kind>,
    /// Whether an overtaking read runs.
    has_overtaking_read: bool,
    /// When the watching task next checks for reads that may overtake. `None`: no task watches.
    next_check: Option<Instant>,
    waiting: VecDeque<Box<SessionRequest<A>>>,
}

/// The state of a request that has entered a queue.
pub enum Entered<A> {
    /// The request runs now.
    Runs(Box<SessionRequest<A>>),
    /// The request waits for its turn.
    Waits,
    /// The request waits for its turn, and a task has to watch when it may overtake.
    WaitsWatched,
}

impl<A: Answer> SessionQueues<A> {
    /// `timeout`: the timeout of each request.
    pub fn new(timeout: Duration) -> SessionQueues<A> {
        SessionQueues {
            timeout,
            queues: Mutex::new(HashMap::new()),
        }
    }

    /// Returns the request if it may run now, and holds the queue for it. Otherwise adds it to the queue.
    pub fn enter(&self, request: Box<SessionRequest<A>>) -> Entered<A> {
        let kind = request.kind();
        match self.lock().entry(request.digest()) {
            Entry::Vacant(queue) => {
                queue.insert(SessionQueue {
                    running: Some(kind),
                    has_overtaking_read: false,
                    next_check: None,
                    waiting: VecDeque::new(),
                });
                Entered::Runs(request)
            }
            Entry::Occupied(queue) => {
                let queue = queue.into_mut();
                if queue.running.is_none() {
                    queue.running = Some(kind);
                    return Entered::Runs(request);
                }
                let before = queue.highest_kind();
                let is_held_up = kind == Kind::Read && before > Some(Kind::Read);
                let overtakes_at = is_held_up.then(|| self.overtakes_at(&request, before));
                queue.waiting.push_back(request);
                match overtakes_at {
                    // The task that already watches may be waiting for a read behind a write, which overtakes later.
                    Some(overtakes_at)
                        if queue.next_check.is_none_or(|next| overtakes_at < next) =>
                    {
                        queue.next_check = Some(overtakes_at);
                        Entered::WaitsWatched
                    }
                    _ => Entered::Waits,
                }
            }
        }
    }

    /// Removes and returns the next waiting requests if they are the same read as `request`. Requests that arrive
    /// while it runs are not included: they may have to see what has happened meanwhile.
    pub fn take_equal(&self, request: &SessionRequest<A>) -> Vec<Box<SessionRequest<A>>> {
        let mut equal = Vec::new();
        if let Some(queue) = self.lock().get_mut(&request.digest()) {
            while queue
                .waiting
                .front()
                .is_some_and(|next| next.is_equal_read(request))
            {
                equal.extend(queue.waiting.pop_front());
            }
        }
        equal
    }

    /// Removes and returns the first read that has waited long enough, and the equal reads that have too.
    pub fn take_overtaking(&self, digest: &Digest) -> Option<Vec<Box<SessionRequest<A>>>> {
        self.take_overtaking_from(self.lock().get_mut(digest)?)
    }

    /// Returns when the next read may overtake. The watching task checks again then. `None`: no task has to watch any
    /// more.
    pub fn next_overtake(&self, digest: &Digest) -> Option<Instant> {
        let mut queues = self.lock();
        let queue = queues.get_mut(digest)?;
        if queue.has_overtaking_read {
            // The task that watches the overtaking read continues to watch.
            return None;
        }
        let mut before = queue.running;
        let mut next: Option<Instant> = None;
        for request in &queue.waiting {
            if request.kind() == Kind::Read {
                let overtakes_at = self.overtakes_at(request, before);
                next = Some(next.map_or(overtakes_at, |next| next.min(overtakes_at)));
            }
            before = before.max(Some(request.kind()));
        }
        queue.next_check = next;
        next
    }

    fn take_overtaking_from(
        &self,
        queue: &mut SessionQueue<A>,
    ) -> Option<Vec<Box<SessionRequest<A>>>> {
        if queue.has_overtaking_read {
            return None;
        }
        let now = Instant::now();
        let mut before = queue.running;
        let mut taken: Vec<Box<SessionRequest<A>>> = Vec::new();
        let mut remaining = VecDeque::with_capacity(queue.waiting.len());
        for request in queue.waiting.drain(..) {
            let may_overtake =
                request.kind() == Kind::Read && self.overtakes_at(&request, before) <= now;
            before = before.max(Some(request.kind()));
            match may_overtake
                && taken
                    .first()
                    .is_none_or(|first| request.is_equal_read(first))
            {
                true => taken.push(request),
                false => remaining.push_back(request),
            }
        }
        queue.waiting = remaining;
        queue.has_overtaking_read = !taken.is_empty();
        queue.has_overtaking_read.then_some(taken)
    }

    /// Returns when a read may overtake, if `before` is the highest kind of request before it.
    fn overtakes_at(&self, read: &SessionRequest<A>, before: Option<Kind>) -> Instant {
        let divisor = match before {
            Some(Kind::Touch) => TOUCH_WAIT_DIVISOR,
            _ => WRITE_WAIT_DIVISOR,
        };
        let deadline = read.target.options.deadline;
        let after = self.timeout - self.timeout / divisor;
        deadline.checked_sub(after).unwrap_or(deadline)
    }

    fn next(&self, digest: &Digest) -> Option<Box<SessionRequest<A>>> {
        let mut queues = self.lock();
        let queue = queues.get_mut(digest)?;
        let next = queue.waiting.pop_front();
        queue.running = next.as_ref().map(|next| next.kind());
        if queue.is_empty() {
            queues.remove(digest);
        }
        next
    }

    /// Ends an overtaking read. Removes and returns further reads that may overtake.
    fn finish_overtaking(&self, digest: &Digest) -> Option<Vec<Box<SessionRequest<A>>>> {
        let mut queues = self.lock();
        let queue = queues.get_mut(digest)?;
        queue.has_overtaking_read = false;
        let more = self.take_overtaking_from(queue);
        if queue.is_empty() {
            queues.remove(digest);
        }
        more
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, SessionQueue<A>>> {
        // No holder of this lock can panic in the middle of a change.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Answer> SessionQueue<A> {
    fn is_empty(&self) -> bool {
        self.running.is_none() && !self.has_overtaking_read && self.waiting.is_empty()
    }

    /// Returns the highest kind among the requests that a new read waits for. A read behind other reads only needs no
    /// watching task, because it shares the next read.
    fn highest_kind(&self) -> Option<Kind> {
        let waiting = self.waiting.iter().map(|one| one.kind());
        waiting.chain(self.running).max()
    }
}

/// Held while a request runs in its turn.
///
/// If the request panics, dropping the guard removes the queue and its waiting requests. When they are dropped, each
/// answers that it was lost.
pub struct QueueGuard<'a, A: Answer> {
    queues: &'a SessionQueues<A>,
    digest: Digest,
    is_finished: bool,
}

impl<'a, A: Answer> QueueGuard<'a, A> {
    pub fn new(queues: &'a SessionQueues<A>, digest: Digest) -> QueueGuard<'a, A> {
        QueueGuard {
            queues,
            digest,
            is_finished: false,
        }
    }

    /// Ends the request. Returns the next waiting request, if any; otherwise the queue is free.
    pub fn next(mut self) -> Option<Box<SessionRequest<A>>> {
        self.is_finished = true;
        self.queues.next(&self.digest)
    }
}

impl<A: Answer> Drop for QueueGuard<'_, A> {
    fn drop(&mut self) {
        if !self.is_finished {
            let waiting = self.queues.lock().remove(&self.digest);
            drop(waiting);
        }
    }
}

/// Held while an overtaking read runs.
pub struct OvertakeGuard<'a, A: Answer> {
    queues: &'a SessionQueues<A>,
    digest: Digest,
    is_finished: bool,
}

impl<'a, A: Answer> OvertakeGuard<'a, A> {
    pub fn new(queues: &'a SessionQueues<A>, digest: Digest) -> OvertakeGuard<'a, A> {
        OvertakeGuard {
            queues,
            digest,
            is_finished: false,
        }
    }

    /// Ends the read. Returns further equal reads that may overtake.
    pub fn next(mut self) -> Option<Vec<Box<SessionRequest<A>>>> {
        self.is_finished = true;
        self.queues.finish_overtaking(&self.digest)
    }
}

impl<A: Answer> Drop for OvertakeGuard<'_, A> {
    fn drop(&mut self) {
        if !self.is_finished {
            let waiting = self.queues.finish_overtaking(&self.digest);
            drop(waiting);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
