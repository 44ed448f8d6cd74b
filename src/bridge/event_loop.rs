//! Who does the work of requests: a thread of its own, or the JavaScript thread.
//!
//! An operation alone costs little work and much waking: JavaScript wakes the thread `aerospike-session`, the answer on the
//! socket wakes it again, and that wakes JavaScript. So while little is asked, the JavaScript thread does the work itself.
//! The runtime of requests is one of tokio's that whoever calls `block_on` drives. The event loop watches the runtime's
//! epoll descriptor, and when something comes in, or was asked, it has a turn: it runs what is ready (`run_ready`), and no thread
//! is woken at all. Where more is asked, the thread does the work, beside JavaScript.
//!
//! | [`MODE`] | who drives | becomes |
//! |---|---|---|
//! | `THREAD` | the thread, all the time | `WANTED`, when for a while little was under way (`landed`) |
//! | `WANTED` | the thread, until it sees this | `EVENT_LOOP`, by the thread, which tells JavaScript |
//! | `EVENT_LOOP` | JavaScript, when there is something | `THREAD`, when more is asked (`submit`), or something unusual is (`is_unusual`), or JavaScript has no turn for a while (`watch`) |
//!
//! What can go wrong, and what is done about it:
//! - JavaScript is busy, or the server is silent: nobody drives, no timer ends. The thread looks every [`TICK`], and takes over if
//!   something is pending and there was no turn. So deadlines are late by two ticks at the most.
//! - Records nested deep need a large stack: turns have one of their own (`stack::Reserved`).
//! - A turn must neither block nor lose anything: it ends when no task is ready (`tasks`), and what comes later on the sockets
//!   shows at the descriptor. tokio gives the runtime to one thread at a time, whatever `MODE` says.
//! - Attempts that are repeated wait between them, and must not begin too late (`tasks::Punctual`): the thread drives.
//! - What the crate starts by itself (it opens connections, say) does not count its tasks: as long as there are such, the thread drives.
//! - Workers, other runtimes than Node.js, other systems than Linux: the thread drives, and nothing of this is ever used.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::future::{poll_fn, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use napi::bindgen_prelude::*;
use tokio::runtime::Runtime;

use super::stack::{self, Reserved, STACKS};
use super::uv::{self, Handles};
use crate::tasks;

static MODE: AtomicU8 = AtomicU8::new(THREAD);
const THREAD: u8 = 0;
const WANTED: u8 = 1;
const EVENT_LOOP: u8 = 2;

/// Operations pending at the most, when the event loop drives.
const MOST: usize = 8;
/// And when it begins to: at the most, for as long as this.
const FEW: usize = 4;
const FOR: Duration = Duration::from_millis(10);
/// How long the thread drives at least, after something unusual, and after it had to take over.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the thread looks whether the event loop has turns.
const TICK: Duration = Duration::from_millis(20);
/// Ticks without a turn and without anything pending, after which the thread drives, which then has nothing to do but wait.
const IDLE: usize = 50;
/// Times that a turn asks whether anything is ready, at the most: others have turns as well.
const ROUNDS: usize = 64;

/// Never again.
static IS_OFF: AtomicBool = AtomicBool::new(false);
/// Requests that are not answered yet.
static PENDING: AtomicUsize = AtomicUsize::new(0);
/// Turns there were.
static TURNS: AtomicUsize = AtomicUsize::new(0);
/// The thread had to take over.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The event loop may drive, and does not know yet.
static IS_NEW: AtomicBool = AtomicBool::new(false);
static SERVER: OnceLock<Server> = OnceLock::new();
/// Tells JavaScript that it may drive.
static OFFER: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

/// The thread of requests.
struct Server {
    thread: Thread,
    /// Of what it waits for in `block_on`. Always the same; one that is asked for by a thread that does not drive wakes nobody.
    waker: Waker,
}

/// Hands over the answers of a turn.
pub struct Handover {
    /// Wakes JavaScript: after a turn that JavaScript began.
    pub wake: fn(),
    /// Calls JavaScript at once: after a turn that the event loop began.
    pub hand_over: fn(),
}

/// What the JavaScript thread has to drive with.
struct Loop {
    handles: Handles,
    runtime: &'static Runtime,
    handover: Handover,
    stack: Reserved,
    is_watching: Cell<bool>,
    /// There is something to do before the event loop waits.
    is_due: Cell<bool>,
    /// Until when the thread drives in any case, and the most that was pending since the last look.
    not_before: Cell<Option<Instant>>,
    most: Cell<usize>,
}

thread_local! {
    static LOOP: RefCell<Option<&'static Loop>> = const { RefCell::new(None) };
    static IS_TURNING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the JavaScript thread, in a turn: what is answered is handed over when it ends.
pub fn is_turning() -> bool {
    IS_TURNING.get()
}

pub fn began() {
    PENDING.fetch_add(1, Ordering::SeqCst);
}

pub fn ended() {
    PENDING.fetch_sub(1, Ordering::SeqCst);
}

/// What the thread of requests does, for ever.
pub fn serve(runtime: &Runtime) -> ! {
    let waker = runtime.block_on(poll_fn(|context| Poll::Ready(context.waker().clone())));
    let thread = thread::current();
    let _ = SERVER.set(Server { thread, waker });
    loop {
        // Woken by `Server::waker` alone.
        runtime.block_on(poll_fn(|_| match MODE.load(Ordering::SeqCst) {
            THREAD => Poll::Pending,
            _ => Poll::Ready(()),
        }));
        IS_NEW.store(true, Ordering::SeqCst);
        if !changes(WANTED, EVENT_LOOP) {
            continue;
        }
        if IS_OFF.load(Ordering::SeqCst) {
            MODE.store(THREAD, Ordering::SeqCst);
            continue;
        }
        let offer = lock(&OFFER).take();
        if let Some(offer) = offer {
            offer();
        }
        watch();
    }
}

fn changes(from: u8, to: u8) -> bool {
    MODE.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
        .is_ok()
}

/// Waits until the thread drives again, and decides that it does.
fn watch() {
    // It may be a while before it drives again.
    stack::give_back();
    let mut seen = TURNS.load(Ordering::SeqCst);
    let mut still = 0;
    while MODE.load(Ordering::SeqCst) == EVENT_LOOP {
        thread::park_timeout(TICK);
        let turns = TURNS.load(Ordering::SeqCst);
        if std::mem::replace(&mut seen, turns) != turns {
            still = 0;
            continue;
        }
        still += 1;
        let is_needed = PENDING.load(Ordering::SeqCst) > 0;
        if is_needed || still >= IDLE {
            TAKEN.store(is_needed, Ordering::SeqCst);
            changes(EVENT_LOOP, THREAD);
        }
    }
}

/// The thread drives, from now on.
fn leave() {
    if MODE.swap(THREAD, Ordering::SeqCst) == EVENT_LOOP {
        if let Some(server) = SERVER.get() {
            server.thread.unpark();
        }
    }
}

/// The thread drives, for ever.
pub fn switch_off() {
    IS_OFF.store(true, Ordering::SeqCst);
    leave();
}

/// Called in every environment that wants to ask something. `is_proven`: it is known to work there.
pub fn attach(
    env: &Env,
    is_proven: bool,
    runtime: &'static Runtime,
    handover: Handover,
) -> Result<()> {
    if !is_proven || !uv::is_main_thread() {
        switch_off();
        return Ok(());
    }
    if IS_OFF.load(Ordering::SeqCst) || LOOP.with_borrow(Option::is_some) {
        return Ok(());
    }
    let Some(stack) = Reserved::new(STACKS[0]) else {
        return Ok(());
    };
    if let Some(handles) = Handles::new(env, runtime, (on_readable, on_prepare, on_end)) {
        // Made once, and then there for the whole process.
        LOOP.set(Some(Box::leak(Box::new(Loop {
            handles,
            runtime,
            handover,
            stack,
            is_watching: Cell::new(false),
            is_due: Cell::new(false),
            not_before: Cell::new(None),
            most: Cell::new(0),
        }))));
    }
    Ok(())
}

fn this_loop() -> Option<&'static Loop> {
    // An error means that the thread is ending.
    LOOP.try_with(|this| *this.borrow()).ok().flatten()
}

/// Whether this thread's event loop may ever drive.
pub fn may_drive() -> bool {
    this_loop().is_some()
}

/// Hands a request over. `is_small`: it is one on a single session.
pub fn submit(is_small: bool, hand_over: impl FnOnce()) {
    let Some(this) = this_loop() else {
        return hand_over();
    };
    let pending = PENDING.load(Ordering::SeqCst);
    this.most.set(this.most.get().max(pending));
    if MODE.load(Ordering::SeqCst) != EVENT_LOOP {
        return hand_over();
    }
    if pending > MOST || !is_small {
        this.leaves(Duration::ZERO);
        return hand_over();
    }
    this.begins();
    if pending > 1 {
        // With others, before the event loop waits.
        this.is_due.set(true);
        TURNS.fetch_add(1, Ordering::SeqCst);
        return this.runtime.block_on(async { hand_over() });
    }
    this.turn(hand_over);
    (this.handover.wake)();
}

/// JavaScript was handed answers, or woken to drive. `wakes` makes what wakes it.
pub fn landed<W: FnOnce() + Send + 'static>(wakes: impl FnOnce() -> W) {
    let Some(this) = this_loop() else { return };
    match MODE.load(Ordering::SeqCst) {
        EVENT_LOOP => this.begins(),
        THREAD if !IS_OFF.load(Ordering::SeqCst) => {
            let now = Instant::now();
            let pause = match TAKEN.swap(false, Ordering::SeqCst) {
                true => Some(PAUSE),
                false if this.not_before.get().is_none() => Some(FOR),
                false => None,
            };
            if let Some(pause) = pause {
                return this.not_before.set(Some(now + pause));
            }
            if this.not_before.get().is_some_and(|then| now < then) {
                return;
            }
            let most = this.most.replace(PENDING.load(Ordering::SeqCst));
            this.not_before.set(Some(now + FOR));
            if most <= FEW && !this.is_unusual() {
                *lock(&OFFER) = Some(Box::new(wakes()));
                if changes(THREAD, WANTED) {
                    if let Some(server) = SERVER.get() {
                        server.waker.wake_by_ref();
                    }
                }
            }
        }
        _ => {}
    }
}

impl Loop {
    fn stops(&self) {
        if self.is_watching.replace(false) {
            self.handles.stop();
        }
    }

    fn leaves(&self, pause: Duration) {
        self.stops();
        self.not_before.set(Some(Instant::now() + FOR.max(pause)));
        leave();
    }

    /// There are tasks that do not count themselves, or timers that must not be late.
    fn is_unusual(&self) -> bool {
        tasks::is_any_punctual() || self.runtime.metrics().num_alive_tasks() > tasks::alive()
    }

    /// Does what is ready, and before it this.
    fn turn(&self, first: impl FnOnce()) {
        self.is_due.set(false);
        TURNS.fetch_add(1, Ordering::SeqCst);
        IS_TURNING.set(true);
        // Nothing may unwind from one stack to another.
        let ended = self.stack.run(|| {
            let run = || self.runtime.block_on(run_ready(first));
            catch_unwind(AssertUnwindSafe(run))
        });
        IS_TURNING.set(false);
        match ended {
            Ok(_) if self.is_unusual() => self.leaves(PAUSE),
            Ok(true) => {}
            Ok(false) => self.leaves(Duration::ZERO),
            // It was reported as it began.
            Err(_) => self.leaves(PAUSE),
        }
    }

    /// The event loop drives since a moment ago: it has a turn before it waits.
    fn begins(&self) {
        if IS_NEW.swap(false, Ordering::SeqCst) {
            self.is_due.set(true);
            if !self.is_watching.replace(true) && !self.handles.start() {
                switch_off();
            }
        }
    }
}

unsafe extern "C" fn on_readable(_: *mut c_void, _: c_int, _: c_int) {
    on_event(true);
}

/// Before the event loop waits.
unsafe extern "C" fn on_prepare(_: *mut c_void) {
    on_event(false);
}

fn on_event(is_readable: bool) {
    let Some(this) = this_loop() else { return };
    if MODE.load(Ordering::SeqCst) != EVENT_LOOP {
        return this.stops();
    }
    this.begins();
    if is_readable || this.is_due.get() {
        this.turn(|| {});
        (this.handover.hand_over)();
    }
}

/// The environment ends.
fn on_end() {
    switch_off();
    LOOP.set(None);
}

/// Runs what is ready, until nothing is, and before it this. `false`: there was no end to it.
fn run_ready(first: impl FnOnce()) -> impl Future<Output = bool> {
    let mut first = Some(first);
    let mut rounds = 0;
    poll_fn(move |context| {
        if let Some(first) = first.take() {
            first();
        }
        // Another thread drives: this one must not wait for it.
        if MODE.load(Ordering::SeqCst) != EVENT_LOOP {
            return Poll::Ready(true);
        }
        // After the first round tokio has looked at the sockets once.
        if rounds > 0 && !tasks::is_any_ready() {
            return Poll::Ready(true);
        }
        if rounds == ROUNDS {
            return Poll::Ready(false);
        }
        rounds += 1;
        // Woken, this is asked again after tokio has run what is ready and has looked at the sockets, without waiting for them.
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that holds one of these locks can panic half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
