//! The queue of completions between the threads of the core and the JavaScript thread.
//!
//! The first completion wakes JavaScript, which then takes all that wait, as one [`Batch`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use tokio::runtime::Handle;

use super::answer_values::{Batch, Completion};
use super::event_loop;
use crate::failpoint;
use crate::store::{Output, Ticket};
use crate::tasks;

/// Completions of a batch. JavaScript asks for the rest in a later turn of the event loop. Calling the threadsafe function again
/// would not leave the event loop a turn in between (`ThreadSafeFunction::Dispatch` in src/node_api.cc of Node.js).
const MAX_BATCH: usize = 512;
/// With this many completions JavaScript is woken immediately, so that it can process them while more are completed.
const WAKE_AT: usize = 32;
/// Bytes of long texts in a batch, unless a single text has more. JavaScript parses them in about a millisecond.
const MAX_LARGE_BYTES: usize = 128 * 1024;
/// A text is long from this number of bytes on.
const LARGE: usize = 32 * 1024;

#[derive(Default)]
struct Queue {
    waiting: Vec<Completion>,
    /// Completions with long texts. They are handed over after the others.
    large: VecDeque<Completion>,
    /// A task, or the end of the turn, is about to wake JavaScript.
    waking: bool,
    /// JavaScript has been woken, and has not taken a batch since.
    woken: bool,
    /// The last batch had `Kind::More`: JavaScript calls `takeMore` in the next turn of the event loop.
    is_asking: bool,
}

impl Queue {
    /// Adds a completion. A list in pieces becomes one completion for each piece, and the last one is the answer.
    fn push(&mut self, mut completion: Completion) {
        let is_list = matches!(completion.outcome, Ok(Output::Pieces(_)));
        if let Ok(Output::Pieces(pieces)) = &mut completion.outcome {
            let last = pieces.pop().unwrap_or_default();
            self.large
                .extend(std::mem::take(pieces).into_iter().map(|piece| Completion {
                    slot: completion.slot,
                    is_answer: false,
                    outcome: Ok(Output::Pieces(vec![piece])),
                    trace: None,
                }));
            completion.outcome = Ok(Output::Json(last));
        }
        // The last piece must not overtake the others.
        match is_list || completion.size() >= LARGE {
            true => self.large.push_back(completion),
            false => self.waiting.push(completion),
        }
    }
}

/// The completions of one hub. The threads of the core share it with the JavaScript thread.
#[derive(Default)]
pub(super) struct CompletionQueue {
    queue: Mutex<Queue>,
    /// `None` before the hub is open, and after it has been closed.
    wake: Mutex<Option<Arc<Wake>>>,
}

pub(super) type Wake =
    ThreadsafeFunction<(), Unknown<'static>, FnArgs<(Batch,)>, Status, false, true>;

impl CompletionQueue {
    /// Sets the threadsafe function that wakes JavaScript. With `None`, completions are no longer delivered.
    pub fn set_wake(&self, wake: Option<Wake>) {
        *lock(&self.wake) = wake.map(Arc::new);
    }

    /// Adds a completion, and makes sure that JavaScript gets it. The ticket is dropped under the lock under which JavaScript takes
    /// completions: when JavaScript sees the answer, the operation is no longer pending.
    pub fn push(self: &Arc<CompletionQueue>, ticket: Option<Ticket>, completion: Completion) {
        if completion.is_answer {
            event_loop::request_answered();
        }
        let mut queue = lock(&self.queue);
        queue.push(completion);
        drop(ticket);
        let is_expected = queue.waiting.is_empty() && queue.is_asking;
        if queue.woken || is_expected {
            return;
        }
        let is_turning = event_loop::is_turning();
        if queue.waiting.len() >= WAKE_AT && !is_turning {
            queue.woken = true;
            drop(queue);
            return self.wake();
        }
        if std::mem::replace(&mut queue.waking, true) {
            return;
        }
        drop(queue);
        if is_turning {
            return FILLED_IN_TURN.with_borrow_mut(|filled| filled.push(Arc::clone(self)));
        }
        match Handle::try_current() {
            // The task runs after those that are ready now, which may complete too. Waking costs most, on both sides.
            Ok(_) => {
                let queue = Arc::clone(self);
                tasks::spawn(async move { queue.wake_once() });
            }
            Err(_) => self.wake_once(),
        }
    }

    /// Wakes JavaScript, unless nothing waits or it has been woken already.
    pub fn wake_once(&self) {
        let mut queue = lock(&self.queue);
        queue.waking = false;
        if queue.waiting.is_empty() && queue.large.is_empty() {
            return;
        }
        if std::mem::replace(&mut queue.woken, true) {
            return;
        }
        drop(queue);
        self.wake();
    }

    /// Cancels a wake that was planned for the end of the turn.
    pub fn cancel_wake(&self) {
        lock(&self.queue).waking = false;
    }

    /// Returns whether completions wait for which JavaScript has not been woken, and will not ask.
    pub fn has_new(&self) -> bool {
        let queue = lock(&self.queue);
        let is_expected = queue.waiting.is_empty() && (queue.is_asking || queue.large.is_empty());
        !queue.woken && !is_expected
    }

    /// Calls the threadsafe function.
    pub fn wake(&self) {
        // Cloned, because the call takes a lock of its own and must not be made under this one.
        let wake = lock(&self.wake).clone();
        if let Some(wake) = wake {
            // A status other than ok means that the environment is ending.
            let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Takes the next batch. JavaScript asks for the rest (`is_asked`). While it is expected to ask, only then it gets further long
    /// texts.
    pub fn take(&self, is_asked: bool) -> Batch {
        // Node.js calls this through C, where a panic would end the process.
        let batch = catch_unwind(AssertUnwindSafe(|| {
            failpoint::panic_at("take");
            self.take_some(is_asked)
        }));
        // After a panic the completions stay in the queue, and JavaScript asks again.
        batch.unwrap_or_else(|_| Batch {
            completions: Vec::new(),
            is_more: true,
        })
    }

    fn take_some(&self, is_asked: bool) -> Batch {
        let mut queue = lock(&self.queue);
        let rest = match queue.waiting.len() > MAX_BATCH {
            true => queue.waiting.split_off(MAX_BATCH),
            false => Vec::new(),
        };
        let mut completions = std::mem::replace(&mut queue.waiting, rest);
        let mut bytes = 0;
        let takes_long = is_asked || !queue.is_asking;
        while takes_long && bytes < MAX_LARGE_BYTES {
            let Some(next) = queue.large.pop_front() else {
                break;
            };
            bytes += next.size();
            completions.push(next);
        }
        queue.woken = false;
        let is_left = !queue.waiting.is_empty() || !queue.large.is_empty();
        if takes_long {
            queue.is_asking = is_left;
        }
        Batch {
            completions,
            is_more: takes_long && is_left,
        }
    }
}

thread_local! {
    /// The queues that got completions in this turn of the event loop, and that are handed over after it.
    static FILLED_IN_TURN: RefCell<Vec<Arc<CompletionQueue>>> = const { RefCell::new(Vec::new()) };
}

/// Takes the queues that got completions in the turn that has ended.
pub(super) fn take_filled_in_turn() -> Vec<Arc<CompletionQueue>> {
    FILLED_IN_TURN.take()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds one of these locks can panic half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
