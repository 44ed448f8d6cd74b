//! The tasks of requests, and how many of them are ready to go on.
//!
//! tokio has no stable way to learn whether any task of a runtime is ready. Who drives a runtime now and then, instead of all the time, has to
//! know: what is left ready would stay so until the next time (`bridge::event_loop`). So these tasks count themselves. They
//! are tasks of tokio's in every other way.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Tasks that were woken and have not run since.
static READY: AtomicUsize = AtomicUsize::new(0);
/// Tasks that have not ended.
static ALIVE: AtomicUsize = AtomicUsize::new(0);
/// What must not be late: see [`Punctual`].
static PUNCTUAL: AtomicUsize = AtomicUsize::new(0);

/// Starts a task in the runtime this is called in.
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(Counted::new(work)));
}

/// Starts a task in the runtime of requests, from elsewhere.
pub fn spawn_on<T: Send + 'static>(
    requests: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    requests.spawn(Counted::new(work))
}

/// Whether any task is ready. One that another thread is just waking may be missed: tokio tells the runtime's driver of that.
pub fn is_any_ready() -> bool {
    READY.load(Ordering::SeqCst) > 0
}

/// How many there are.
pub fn alive() -> usize {
    ALIVE.load(Ordering::SeqCst)
}

/// Whether anything must not be late.
pub fn is_any_punctual() -> bool {
    PUNCTUAL.load(Ordering::SeqCst) > 0
}

/// While it is there, timers must end in time: pauses between attempts, say, after which there is still time for another one. Who
/// drives the runtime now and then cannot promise that.
pub struct Punctual(());

impl Punctual {
    pub fn new() -> Punctual {
        PUNCTUAL.fetch_add(1, Ordering::SeqCst);
        Punctual(())
    }
}

impl Drop for Punctual {
    fn drop(&mut self) {
        PUNCTUAL.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Counted<F> {
    work: Pin<Box<F>>,
    /// What the task is woken by, from when it has run first.
    alarm: Option<(Arc<Alarm>, Waker)>,
}

impl<F: Future> Counted<F> {
    fn new(work: F) -> Counted<F> {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        READY.fetch_add(1, Ordering::SeqCst);
        Counted {
            work: Box::pin(work),
            alarm: None,
        }
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        // A task of tokio's is woken by the same waker all its life.
        let (alarm, waker) = this.alarm.get_or_insert_with(|| {
            let alarm = Arc::new(Alarm {
                task: context.waker().clone(),
                state: AtomicU8::new(RINGS),
            });
            (alarm.clone(), Waker::from(alarm))
        });
        alarm.becomes(SILENT);
        this.work.as_mut().poll(&mut Context::from_waker(waker))
    }
}

impl<F> Drop for Counted<F> {
    fn drop(&mut self) {
        match &self.alarm {
            Some((alarm, _)) => alarm.becomes(OVER),
            None => drop(READY.fetch_sub(1, Ordering::SeqCst)),
        }
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Alarm {
    task: Waker,
    state: AtomicU8,
}

const SILENT: u8 = 0;
/// The task is one of those that are ready.
const RINGS: u8 = 1;
/// The task has ended.
const OVER: u8 = 2;

impl Alarm {
    fn becomes(&self, state: u8) {
        if self.state.swap(state, Ordering::SeqCst) == RINGS {
            READY.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Counted before it is in tokio's queue, and no more once it runs.
        let was = self
            .state
            .compare_exchange(SILENT, RINGS, Ordering::SeqCst, Ordering::SeqCst);
        if was.is_ok() {
            READY.fetch_add(1, Ordering::SeqCst);
        }
        self.task.wake_by_ref();
    }
}
