//! The requests for one counter of a rate limit: one command at a time.
//!
//! What comes meanwhile waits, and equal requests that wait together are then done by one command. So a counter that all requests of an
//! application share does not cost a command for each of them, and does not fill the server's own queue for the record.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record_ref::RecordRef;
use super::request::{Answer, Caller};
use crate::rate_limits::{Op, View};

type Digest = [u8; 20];

/// A request for one counter, with the key of its record.
pub struct RateLimitRequest<A> {
    pub caller: Caller<A>,
    pub view: Arc<View>,
    pub target: RecordRef,
    pub op: Op,
}

/// The requests that wait, by the digests of their keys. There is a queue as long as a request of its key runs.
pub struct RateLimitQueues<A> {
    queues: Mutex<HashMap<Digest, VecDeque<RateLimitRequest<A>>>>,
}

impl<A: Answer> RateLimitRequest<A> {
    pub fn digest(&self) -> Digest {
        self.target.key.digest()
    }

    fn combines_with(&self, other: &RateLimitRequest<A>) -> bool {
        Arc::ptr_eq(&self.view, &other.view) && self.op.combines_with(&other.op)
    }
}

impl<A: Answer> RateLimitQueues<A> {
    pub fn new() -> RateLimitQueues<A> {
        RateLimitQueues {
            queues: Mutex::new(HashMap::new()),
        }
    }

    /// Returns the request if it may run now, and holds the queue of its key. Otherwise the request waits.
    pub fn enter(&self, request: RateLimitRequest<A>) -> Option<RateLimitRequest<A>> {
        let mut queues = self.lock();
        match queues.get_mut(&request.digest()) {
            Some(queue) => {
                queue.push_back(request);
                None
            }
            None => {
                queues.insert(request.digest(), VecDeque::new());
                Some(request)
            }
        }
    }

    /// Returns the next request that waits, and those directly behind it that the same command can do. If none waits, the queue is
    /// free, and the list is empty.
    fn next(&self, digest: &Digest) -> Vec<RateLimitRequest<A>> {
        let mut queues = self.lock();
        let mut next: Vec<RateLimitRequest<A>> = Vec::new();
        if let Some(queue) = queues.get_mut(digest) {
            while let Some(one) = queue.pop_front() {
                if next.first().is_some_and(|first| !one.combines_with(first)) {
                    queue.push_front(one);
                    break;
                }
                next.push(one);
            }
        }
        if next.is_empty() {
            queues.remove(digest);
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, VecDeque<RateLimitRequest<A>>>> {
        // No holder of this lock can panic in the middle of a change.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held while a request runs. If it panics, dropping the guard removes the queue, and each request that waits answers that it was lost.
pub struct RateLimitQueueGuard<'a, A: Answer> {
    queues: &'a RateLimitQueues<A>,
    digest: Digest,
    is_finished: bool,
}

impl<'a, A: Answer> RateLimitQueueGuard<'a, A> {
    pub fn new(queues: &'a RateLimitQueues<A>, digest: Digest) -> RateLimitQueueGuard<'a, A> {
        RateLimitQueueGuard {
            queues,
            digest,
            is_finished: false,
        }
    }

    /// Ends the request, and returns the next ones.
    pub fn next(mut self) -> Vec<RateLimitRequest<A>> {
        self.is_finished = true;
        self.queues.next(&self.digest)
    }
}

impl<A: Answer> Drop for RateLimitQueueGuard<'_, A> {
    fn drop(&mut self) {
        if !self.is_finished {
            let waiting = self.queues.lock().remove(&self.digest);
            drop(waiting);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::time::Instant;

    use super::super::request::{Output, Ticket};
    use super::*;
    use crate::error::Result;
    use crate::rate_limits::{Kind, Options, Rule};
    use crate::store;

    struct NamedAnswer(u32);

    impl Answer for NamedAnswer {
        fn give(self, _outcome: Result<Output>, _ticket: Option<Ticket>) {}
    }

    const RULE: Rule = Rule {
        kind: Kind::Fixed,
        window: 1_000,
    };

    fn consume(points: i64, now: i64) -> Op {
        Op::Consume {
            rule: RULE,
            limit: 5,
            points,
            now,
        }
    }

    #[test]
    fn equal_requests_that_wait_together_are_one_command_and_the_order_is_kept() {
        let view = View::new(Options::default());
        let store_view = store::View::new(store::Options::default());
        let queues = RateLimitQueues::new();
        let mut number = 0;
        let mut enter = |op| {
            number += 1;
            let request = RateLimitRequest {
                view: view.clone(),
                target: RecordRef::untraced(view.key("a").unwrap(), Instant::now()),
                op,
                caller: Caller {
                    view: store_view.clone(),
                    answer: NamedAnswer(number),
                    ticket: Arc::default(),
                },
            };
            queues.enter(request)
        };
        let first = enter(consume(1, 0)).unwrap();
        let digest = first.digest();
        let waiting = [
            consume(1, 1),
            consume(1, 2),
            consume(2, 3),
            Op::Reset,
            consume(1, 4),
        ];
        for op in waiting {
            assert!(enter(op).is_none());
        }
        let mut seen = Vec::new();
        loop {
            let next = queues.next(&digest);
            if next.is_empty() {
                break;
            }
            seen.push(
                next.iter()
                    .map(|one| one.caller.answer.0)
                    .collect::<Vec<_>>(),
            );
        }
        assert_eq!(seen, [vec![2, 3], vec![4], vec![5], vec![6]]);
        assert!(queues.lock().is_empty());
    }
}
