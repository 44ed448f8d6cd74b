//! Lets the JavaScript thread do the work of requests while only a few are pending.
//!
//! # The problem
//!
//! A single operation needs little work, but three wakes: JavaScript wakes the I/O thread (`aerospike-session`), the reply on the
//! socket wakes it again, and the I/O thread wakes JavaScript with the answer. The wakes cost more than the work.
//!
//! # The mechanism
//!
//! Requests run on a current-thread runtime of tokio. Such a runtime has no thread of its own: it makes progress on the thread
//! that calls `block_on`. Usually that is the I/O thread. While few requests are pending, it is the JavaScript thread:
//!
//! 1. libuv watches the epoll descriptor of the runtime ([`uv`]).
//! 2. When the descriptor becomes readable, or when a request was submitted, the event loop gives the runtime a *turn*: it calls
//!    `block_on` with [`run_ready`], which runs all ready tasks and returns without waiting.
//! 3. At the end of the turn the answers are passed to JavaScript directly. No thread is woken.
//!
//! When more requests are pending, the I/O thread drives the runtime, in parallel to JavaScript.
//!
//! # Modes
//!
//! | [`MODE`] | The runtime is driven by | Next mode |
//! |---|---|---|
//! | `IO_THREAD` | the I/O thread, continuously | `REQUESTED`, after few requests have been pending for a while ([`batch_delivered`]) |
//! | `REQUESTED` | the I/O thread, until it sees this mode | `EVENT_LOOP`, set by the I/O thread, which then wakes JavaScript ([`serve`]) |
//! | `EVENT_LOOP` | the JavaScript thread, in turns | `IO_THREAD`, if more requests are pending or one is not small ([`submit`]), if the runtime needs the I/O thread ([`Loop::needs_io_thread`]), or if the event loop had no turn for a while ([`watch`]) |
//!
//! # Risks and guards
//!
//! - **JavaScript is busy, or the server does not reply.** Then the runtime is not driven, and its timers do not fire. The I/O thread
//!   checks every [`TICK`], and takes over if a request is pending and there was no turn. Deadlines are at most two ticks late.
//! - **A deeply nested record needs a large stack.** Turns run on a reserved stack ([`Reserved`]).
//! - **A turn must not block, and must leave no task ready.** It ends when no task is ready ([`tasks::is_any_ready`]). What arrives on a
//!   socket later makes the descriptor readable.
//! - **Both threads could drive.** tokio lets only one thread at a time drive a runtime, whatever `MODE` says.
//! - **Retries wait between attempts, and must not start too late.** The I/O thread drives meanwhile ([`tasks::ExactTimers`]).
//! - **The crate starts tasks of its own**, for example to open connections. They are not counted by [`tasks`], so the I/O thread drives
//!   until they have ended.
//! - **Worker threads, other runtimes than Node.js, and other systems than Linux.** There the I/O thread always drives.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use napi::bindgen_prelude::*;
use tokio::runtime::Runtime;

use super::stack::{self, Reserved};
use super::uv::{self, Handles};
use crate::tasks;

static MODE: AtomicU8 = AtomicU8::new(IO_THREAD);
const IO_THREAD: u8 = 0;
const REQUESTED: u8 = 1;
const EVENT_LOOP: u8 = 2;

/// Requests that may be pending while the event loop drives.
const MAX_PENDING_INLINE: usize = 8;
/// The event loop starts to drive if at most `MAX_PENDING_TO_START` requests were pending throughout `OBSERVATION`.
const MAX_PENDING_TO_START: usize = 4;
const OBSERVATION: Duration = Duration::from_millis(10);
/// The shortest time for which the I/O thread drives after it was needed ([`Loop::needs_io_thread`]), or had to take over.
const MIN_IO_THREAD_TIME: Duration = Duration::from_millis(100);
/// How often the I/O thread checks that the event loop has turns.
const TICK: Duration = Duration::from_millis(20);
/// Ticks without a turn after which the I/O thread drives again although nothing is pending. It then only waits for events.
const MAX_IDLE_TICKS: usize = 50;
/// Rounds of a turn. Then other work of the event loop goes first.
const MAX_ROUNDS: usize = 64;

/// The I/O thread drives until the process ends.
static IS_OFF: AtomicBool = AtomicBool::new(false);
/// Requests without an answer.
static PENDING: AtomicUsize = AtomicUsize::new(0);
/// Turns so far.
static TURNS: AtomicUsize = AtomicUsize::new(0);
/// The I/O thread took over because a request was pending and the event loop had no turn.
static HAS_TAKEN_OVER: AtomicBool = AtomicBool::new(false);
/// The event loop has been permitted to drive, and has not noticed yet.
static IS_NEWLY_PERMITTED: AtomicBool = AtomicBool::new(false);
static IO_THREAD_HANDLE: OnceLock<IoThread> = OnceLock::new();
/// Wakes JavaScript once it may drive.
static WAKE_JAVASCRIPT: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

struct IoThread {
    thread: Thread,
    /// The waker of the future that the I/O thread passes to `block_on`. tokio uses the same waker for every such future. A waker
    /// obtained on a thread that does not drive would wake nothing.
    waker: Waker,
}

/// What the event loop of the main thread needs to drive the runtime.
struct Loop {
    handles: Handles,
    runtime: &'static Runtime,
    stack: Reserved,
    /// Passes the answers of a turn to JavaScript.
    hand_over: fn(),
    is_watching: Cell<bool>,
    /// A turn is needed before the event loop waits.
    is_turn_due: Cell<bool>,
    /// The I/O thread drives at least until then.
    not_before: Cell<Option<Instant>>,
    /// The most requests that were pending since the last observation.
    max_pending: Cell<usize>,
}

thread_local! {
    static LOOP: RefCell<Option<&'static Loop>> = const { RefCell::new(None) };
    static IS_TURNING: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the calling thread is in a turn. Answers are then handed over at its end.
pub fn is_turning() -> bool {
    IS_TURNING.get()
}

pub fn request_started() {
    PENDING.fetch_add(1, Ordering::SeqCst);
}

pub fn request_answered() {
    PENDING.fetch_sub(1, Ordering::SeqCst);
}

/// The main function of the I/O thread.
pub fn serve(runtime: &Runtime) -> ! {
    let waker = runtime.block_on(poll_fn(|context| Poll::Ready(context.waker().clone())));
    let thread = thread::current();
    let _ = IO_THREAD_HANDLE.set(IoThread { thread, waker });
    loop {
        // Woken by `IoThread::waker` only.
        runtime.block_on(poll_fn(|_| match MODE.load(Ordering::SeqCst) {
            IO_THREAD => Poll::Pending,
            _ => Poll::Ready(()),
        }));
        IS_NEWLY_PERMITTED.store(true, Ordering::SeqCst);
        if !change_mode(REQUESTED, EVENT_LOOP) {
            continue;
        }
        if IS_OFF.load(Ordering::SeqCst) {
            MODE.store(IO_THREAD, Ordering::SeqCst);
            continue;
        }
        let wake_javascript = lock(&WAKE_JAVASCRIPT).take();
        if let Some(wake_javascript) = wake_javascript {
            wake_javascript();
        }
        watch();
    }
}

/// Returns whether the mode was `from`, and has been changed.
fn change_mode(from: u8, to: u8) -> bool {
    MODE.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
        .is_ok()
}

/// Waits on the I/O thread while the event loop drives. Takes over if the event loop has no turns.
fn watch() {
    // The thread may wait here for long.
    stack::give_back();
    let mut turns_seen = TURNS.load(Ordering::SeqCst);
    let mut ticks_without_turn = 0;
    while MODE.load(Ordering::SeqCst) == EVENT_LOOP {
        thread::park_timeout(TICK);
        let turns = TURNS.load(Ordering::SeqCst);
        if std::mem::replace(&mut turns_seen, turns) != turns {
            ticks_without_turn = 0;
            continue;
        }
        ticks_without_turn += 1;
        let is_needed = PENDING.load(Ordering::SeqCst) > 0;
        if is_needed || ticks_without_turn >= MAX_IDLE_TICKS {
            HAS_TAKEN_OVER.store(is_needed, Ordering::SeqCst);
            change_mode(EVENT_LOOP, IO_THREAD);
        }
    }
}

/// Makes the I/O thread drive.
fn return_to_io_thread() {
    if MODE.swap(IO_THREAD, Ordering::SeqCst) == EVENT_LOOP
        && let Some(io_thread) = IO_THREAD_HANDLE.get()
    {
        io_thread.thread.unpark();
    }
}

/// Makes the I/O thread drive until the process ends.
pub fn switch_off() {
    IS_OFF.store(true, Ordering::SeqCst);
    return_to_io_thread();
}

/// Prepares the event loop of an environment for driving the runtime. Called when a hub is opened.
///
/// `is_supported`: whether the mode is known to work in this JavaScript runtime. If it is not, or in a worker thread, the mode is
/// switched off for the process. `hand_over` passes the answers of a turn to JavaScript.
pub fn attach(
    env: &Env,
    is_supported: bool,
    runtime: impl FnOnce() -> Result<&'static Runtime>,
    hand_over: fn(),
) -> Result<()> {
    if !is_supported || !uv::is_main_thread() {
        switch_off();
        return Ok(());
    }
    if IS_OFF.load(Ordering::SeqCst) || LOOP.with_borrow(Option::is_some) {
        return Ok(());
    }
    let runtime = runtime()?;
    let Some(stack) = Reserved::new(stack::SIZES[0]) else {
        return Ok(());
    };
    if let Some(handles) = Handles::new(env, runtime, (on_readable, on_prepare, on_end)) {
        // Created once a process, and never freed.
        LOOP.set(Some(Box::leak(Box::new(Loop {
            handles,
            runtime,
            stack,
            hand_over,
            is_watching: Cell::new(false),
            is_turn_due: Cell::new(false),
            not_before: Cell::new(None),
            max_pending: Cell::new(0),
        }))));
    }
    Ok(())
}

fn this_loop() -> Option<&'static Loop> {
    // An error means that the thread is ending.
    LOOP.try_with(|this| *this.borrow()).ok().flatten()
}

/// Returns whether the event loop of this thread can drive the runtime at all.
pub fn can_drive() -> bool {
    this_loop().is_some()
}

/// Submits a request by calling `send`. Returns whether that was a turn, which may have produced answers.
///
/// `is_small`: whether the request is for a single session.
#[must_use]
pub fn submit(is_small: bool, send: impl FnOnce()) -> bool {
    let Some(this) = this_loop() else {
        send();
        return false;
    };
    let pending = PENDING.load(Ordering::SeqCst);
    this.max_pending.set(this.max_pending.get().max(pending));
    if MODE.load(Ordering::SeqCst) != EVENT_LOOP {
        send();
        return false;
    }
    if pending > MAX_PENDING_INLINE || !is_small {
        this.stop_driving(Duration::ZERO);
        send();
        return false;
    }
    this.start_driving_if_permitted();
    if pending > 1 {
        // Other requests may follow. They are sent together, in a turn before the event loop waits.
        this.is_turn_due.set(true);
        TURNS.fetch_add(1, Ordering::SeqCst);
        this.runtime.block_on(async { send() });
        return false;
    }
    this.turn(send);
    true
}

/// Decides whether the event loop is to drive. Called when JavaScript has been woken, with or without answers.
///
/// `make_wake` returns a function that wakes JavaScript.
pub fn batch_delivered<W: FnOnce() + Send + 'static>(make_wake: impl FnOnce() -> W) {
    let Some(this) = this_loop() else { return };
    match MODE.load(Ordering::SeqCst) {
        EVENT_LOOP => this.start_driving_if_permitted(),
        IO_THREAD if !IS_OFF.load(Ordering::SeqCst) => {
            let now = Instant::now();
            let wait = match HAS_TAKEN_OVER.swap(false, Ordering::SeqCst) {
                true => Some(MIN_IO_THREAD_TIME),
                false if this.not_before.get().is_none() => Some(OBSERVATION),
                false => None,
            };
            if let Some(wait) = wait {
                return this.not_before.set(Some(now + wait));
            }
            if this.not_before.get().is_some_and(|then| now < then) {
                return;
            }
            let max_pending = this.max_pending.replace(PENDING.load(Ordering::SeqCst));
            this.not_before.set(Some(now + OBSERVATION));
            if max_pending <= MAX_PENDING_TO_START && !this.needs_io_thread() {
                *lock(&WAKE_JAVASCRIPT) = Some(Box::new(make_wake()));
                if change_mode(IO_THREAD, REQUESTED)
                    && let Some(io_thread) = IO_THREAD_HANDLE.get()
                {
                    io_thread.waker.wake_by_ref();
                }
            }
        }
        _ => {}
    }
}

impl Loop {
    fn stop_watching(&self) {
        if self.is_watching.replace(false) {
            self.handles.stop();
        }
    }

    /// Makes the I/O thread drive for at least `duration`, and not for less than an observation takes.
    fn stop_driving(&self, duration: Duration) {
        self.stop_watching();
        self.not_before
            .set(Some(Instant::now() + OBSERVATION.max(duration)));
        return_to_io_thread();
    }

    /// Returns whether timers must be exact, or tasks exist that are not counted.
    fn needs_io_thread(&self) -> bool {
        tasks::needs_exact_timers() || self.runtime.metrics().num_alive_tasks() > tasks::alive()
    }

    /// Calls `first` and runs all ready tasks, on the reserved stack.
    fn turn(&self, first: impl FnOnce()) {
        self.is_turn_due.set(false);
        TURNS.fetch_add(1, Ordering::SeqCst);
        IS_TURNING.set(true);
        // A panic must not unwind from one stack to another.
        let result = self.stack.run(|| {
            let run = || self.runtime.block_on(run_ready(first));
            catch_unwind(AssertUnwindSafe(run))
        });
        IS_TURNING.set(false);
        match result {
            Ok(_) if self.needs_io_thread() => self.stop_driving(MIN_IO_THREAD_TIME),
            Ok(true) => {}
            Ok(false) => self.stop_driving(Duration::ZERO),
            // The panic hook has reported it.
            Err(_) => self.stop_driving(MIN_IO_THREAD_TIME),
        }
    }

    /// Starts to watch the descriptor if the event loop has just been permitted to drive. A turn follows before the event loop waits.
    fn start_driving_if_permitted(&self) {
        if IS_NEWLY_PERMITTED.swap(false, Ordering::SeqCst) {
            self.is_turn_due.set(true);
            if !self.is_watching.replace(true) && !self.handles.start() {
                switch_off();
            }
        }
    }
}

/// libuv calls this when the descriptor of the runtime is readable.
unsafe extern "C" fn on_readable(_: *mut c_void, _: c_int, _: c_int) {
    on_event(true);
}

/// libuv calls this before the event loop waits.
unsafe extern "C" fn on_prepare(_: *mut c_void) {
    on_event(false);
}

fn on_event(is_readable: bool) {
    let Some(this) = this_loop() else { return };
    if MODE.load(Ordering::SeqCst) != EVENT_LOOP {
        return this.stop_watching();
    }
    this.start_driving_if_permitted();
    if is_readable || this.is_turn_due.get() {
        this.turn(|| {});
        (this.hand_over)();
    }
}

/// Called when the environment ends.
fn on_end() {
    switch_off();
    LOOP.set(None);
}

/// Calls `first` and then lets tokio run tasks until none is ready. Returns `false` if tasks were still ready after [`MAX_ROUNDS`].
fn run_ready(first: impl FnOnce()) -> impl Future<Output = bool> {
    let mut first = Some(first);
    let mut rounds = 0;
    poll_fn(move |context| {
        if let Some(first) = first.take() {
            first();
        }
        // If the I/O thread drives, this thread must not wait for it.
        if MODE.load(Ordering::SeqCst) != EVENT_LOOP {
            return Poll::Ready(true);
        }
        // At least one round is needed, for tokio to check the sockets.
        if rounds > 0 && !tasks::is_any_ready() {
            return Poll::Ready(true);
        }
        if rounds == MAX_ROUNDS {
            return Poll::Ready(false);
        }
        rounds += 1;
        // Because this future is woken already, tokio runs the ready tasks, checks the sockets without waiting, and polls it again.
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that holds one of these locks can panic half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
