//! Tasks of requests, which count how many of them are ready to run.
//!
//! tokio has no stable API that reports whether a runtime has ready tasks. `bridge::event_loop` drives its runtime in turns, and needs to
//! know: a task that is left ready would not run before the next turn. So these tasks count themselves. Otherwise they are
//! ordinary tokio tasks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Tasks that have been woken and have not been polled since.
static READY: AtomicUsize = AtomicUsize::new(0);
/// Tasks that have not ended.
static ALIVE: AtomicUsize = AtomicUsize::new(0);
/// Existing guards, see [`ExactTimers`].
static EXACT_TIMERS: AtomicUsize = AtomicUsize::new(0);

/// Spawns a task on the current runtime.
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(Counted::new(work)));
}

/// Spawns a task on the runtime of requests, from any thread.
pub fn spawn_on<T: Send + 'static>(
    requests: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    requests.spawn(Counted::new(work))
}

/// Returns whether any task is ready. It may miss a task that another thread is waking at this moment. tokio then also wakes the
/// runtime's driver.
pub fn is_any_ready() -> bool {
    READY.load(Ordering::SeqCst) > 0
}

/// Returns the number of tasks that have not ended.
pub fn alive() -> usize {
    ALIVE.load(Ordering::SeqCst)
}

/// Returns whether any [`ExactTimers`] exists.
pub fn needs_exact_timers() -> bool {
    EXACT_TIMERS.load(Ordering::SeqCst) > 0
}

/// A guard: while it exists, timers must fire on time. An example is the pause between two attempts, after which there must be
/// time for the next one. A thread that drives the runtime only in turns cannot guarantee that.
pub struct ExactTimers(());

impl ExactTimers {
    pub fn new() -> ExactTimers {
        EXACT_TIMERS.fetch_add(1, Ordering::SeqCst);
        ExactTimers(())
    }
}

impl Drop for ExactTimers {
    fn drop(&mut self) {
        EXACT_TIMERS.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Counted<F> {
    work: Pin<Box<F>>,
    /// Wakes the task, and counts it as ready. Made at the first poll.
    waker: Option<(Arc<CountingWaker>, Waker)>,
}

impl<F: Future> Counted<F> {
    fn new(work: F) -> Counted<F> {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        READY.fetch_add(1, Ordering::SeqCst);
        Counted {
            work: Box::pin(work),
            waker: None,
        }
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        // tokio passes the same waker to every poll of a task.
        let (counting, waker) = this.waker.get_or_insert_with(|| {
            let counting = Arc::new(CountingWaker {
                task: context.waker().clone(),
                state: AtomicU8::new(READY_TO_RUN),
            });
            (counting.clone(), Waker::from(counting))
        });
        counting.set_state(IDLE);
        this.work.as_mut().poll(&mut Context::from_waker(waker))
    }
}

impl<F> Drop for Counted<F> {
    fn drop(&mut self) {
        match &self.waker {
            Some((counting, _)) => counting.set_state(ENDED),
            None => drop(READY.fetch_sub(1, Ordering::SeqCst)),
        }
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The waker of a counted task.
struct CountingWaker {
    task: Waker,
    state: AtomicU8,
}

const IDLE: u8 = 0;
/// The task is counted in [`READY`].
const READY_TO_RUN: u8 = 1;
const ENDED: u8 = 2;

impl CountingWaker {
    fn set_state(&self, state: u8) {
        if self.state.swap(state, Ordering::SeqCst) == READY_TO_RUN {
            READY.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Counted before tokio queues the task: after that, it may run at any time, which ends the count.
        let became_ready =
            self.state
                .compare_exchange(IDLE, READY_TO_RUN, Ordering::SeqCst, Ordering::SeqCst);
        if became_ready.is_ok() {
            READY.fetch_add(1, Ordering::SeqCst);
        }
        self.task.wake_by_ref();
    }
}
