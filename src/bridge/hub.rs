//! The way back to JavaScript.
//!
//! Completions gather in a queue; the first one in wakes the JavaScript thread, which takes all
//! that are there and hands them to one function as a flat array, see [`Batch`].
//! One threadsafe function serves all stores of an environment (a napi promise would make one per
//! call, at three to four times the cost to the event loop: measured).
//!
//! The threadsafe function is weak, so an idle store never keeps a process alive, and is
//! referenced while anything is in flight, so a pending answer is never lost.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{check_status, sys};
use tokio::runtime::Handle;

use super::event_loop;
use crate::cluster::trace::{Trace, Way};
use crate::error;
use crate::failpoint;
use crate::store::{Answer, Output, Ticket, Written};
use crate::tasks;

/// Completions handed over at one go. What is left JavaScript asks for after the event loop had its turn: a threadsafe function
/// that is called again meanwhile would give it none (`ThreadSafeFunction::Dispatch` in Node's src/node_api.cc).
const AT_ONCE: usize = 512;
/// Completions that JavaScript is woken for at once: it may as well begin with them while others are made ready.
const ENOUGH: usize = 32;
/// Bytes of long texts after which no more are handed over at one go: JavaScript parses them in a millisecond or so.
const BYTES_AT_ONCE: usize = 128 * 1024;
/// Bytes from which on a text is long.
const LARGE: usize = 32 * 1024;

/// One answer on its way to JavaScript.
struct Completion {
    slot: u32,
    /// It answers a request; a notice does not.
    answers: bool,
    outcome: error::Result<Output>,
    /// The way it took, where that is to be told.
    trace: Option<Arc<Trace>>,
}

impl Completion {
    /// Puts it into the queue: a list in pieces as one completion for each, of which the last is the answer.
    fn put_into(mut self, queue: &mut Queue) {
        let is_list = matches!(self.outcome, Ok(Output::Pieces(_)));
        if let Ok(Output::Pieces(pieces)) = &mut self.outcome {
            let last = pieces.pop().unwrap_or_default();
            queue
                .large
                .extend(std::mem::take(pieces).into_iter().map(|piece| Completion {
                    slot: self.slot,
                    answers: false,
                    outcome: Ok(Output::Pieces(vec![piece])),
                    trace: None,
                }));
            self.outcome = Ok(Output::Json(last));
        }
        // The last piece must not overtake the others.
        match is_list || self.size() >= LARGE {
            true => queue.large.push_back(self),
            false => queue.waiting.push(self),
        }
    }

    /// Bytes of its texts.
    fn size(&self) -> usize {
        match &self.outcome {
            Ok(Output::Json(text)) => text.len(),
            Ok(Output::Pieces(pieces)) => pieces.iter().map(String::len).sum(),
            Ok(Output::Loaded(baseline)) => baseline.json.len(),
            _ => 0,
        }
    }
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Completion>,
    /// Those with long texts: others go first.
    large: VecDeque<Completion>,
    /// JavaScript is about to be woken.
    waking: bool,
    /// JavaScript has been woken and has not come yet.
    woken: bool,
    /// The last batch had a [`Kind::More`]: JavaScript calls `takeMore` in its next turn.
    is_asking: bool,
}

/// What the threads of the core share with the JavaScript thread.
#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Mutex<Option<Arc<Wake>>>,
}

type Wake = ThreadsafeFunction<(), Unknown<'static>, FnArgs<(Batch,)>, Status, false, true>;

/// One per environment (and per copy of the facade in it). Stays on its JavaScript thread.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
    in_flight: Rc<InFlight>,
}

impl Hub {
    /// Makes a hub that hands its batches to `drain`.
    pub fn open(
        env: &Env,
        drain: &Function<'_, FnArgs<(Batch,)>, Unknown<'static>>,
    ) -> Result<Hub> {
        let shared = Arc::new(Shared::default());
        let in_flight = Rc::new(InFlight::default());
        let (queue, flying) = (shared.clone(), in_flight.clone());
        let wake = drain
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build_callback(move |context| {
                let batch = queue.take(false);
                flying.land(&context.env, batch.answers())?;
                event_loop::landed(|| {
                    let queue = queue.clone();
                    move || queue.wake()
                });
                Ok(FnArgs::from((batch,)))
            })?;
        in_flight.handle.set(wake.raw());
        *lock(&shared.wake) = Some(Arc::new(wake));
        let hub = Hub { shared, in_flight };
        if event_loop::may_drive() {
            let mut reference = std::ptr::null_mut();
            // SAFETY: a function of the environment we are in. `close` deletes the reference.
            check_status!(unsafe {
                sys::napi_create_reference(env.raw(), drain.raw(), 1, &mut reference)
            })?;
            hub.in_flight.drain.set(reference);
            hub.in_flight.env.set(env.raw());
            HUBS.with_borrow_mut(|hubs| hubs.push(hub.clone()));
        }
        Ok(hub)
    }

    /// Hands over what waits, from the event loop, as Node.js calls what the event loop calls: what JavaScript throws is an uncaught exception.
    fn hand_over(&self) -> Result<()> {
        lock(&self.shared.queue).waking = false;
        if !self.shared.is_anything_new() {
            return Ok(());
        }
        let (env, drain) = (self.in_flight.env.get(), self.in_flight.drain.get());
        let mut scope = std::ptr::null_mut();
        let [mut function, mut global, mut thrown, mut nothing] = [std::ptr::null_mut(); 4];
        let (context, mut is_thrown) = (std::ptr::null_mut(), false);
        // SAFETY: on the thread of this environment, from its event loop and before it ends (`event_loop`); the values live in the
        // scope that is opened first.
        unsafe {
            check_status!(sys::napi_open_handle_scope(env, &mut scope))?;
            let batch = self.shared.take(false);
            self.in_flight.land(&Env::from_raw(env), batch.answers())?;
            let batch = Batch::to_napi_value(env, batch)?;
            sys::napi_get_reference_value(env, drain, &mut function);
            sys::napi_get_global(env, &mut global);
            sys::napi_make_callback(env, context, global, function, 1, &batch, &mut nothing);
            sys::napi_is_exception_pending(env, &mut is_thrown);
            if is_thrown {
                sys::napi_get_and_clear_last_exception(env, &mut thrown);
                sys::napi_fatal_exception(env, thrown);
            }
            check_status!(sys::napi_close_handle_scope(env, scope))?;
        }
        if self.shared.is_anything_new() {
            self.shared.wake_once();
        }
        Ok(())
    }

    /// What was left of what waited.
    pub fn take(&self, env: &Env) -> Result<Batch> {
        let batch = self.shared.take(true);
        self.in_flight.land(env, batch.answers())?;
        Ok(batch)
    }

    /// A place for the answer of a request that starts now. A slot with [`TRACED`] asks for the way it takes as well.
    pub fn expect(&self, env: &Env, slot: u32) -> Result<Reply> {
        self.in_flight.start(env)?;
        event_loop::began();
        Ok(Reply {
            slot: slot & !TRACED,
            trace: (slot & TRACED != 0).then(Arc::default),
            shared: self.shared.clone(),
            given: false,
        })
    }

    /// A function that tells JavaScript, under `slot`, of what belongs to no request.
    pub fn notifier(&self, slot: u32) -> impl Fn(Output) + Send + Sync + 'static {
        let shared = self.shared.clone();
        move |output| {
            shared.give(
                None,
                Completion {
                    slot,
                    answers: false,
                    outcome: Ok(output),
                    trace: None,
                },
            );
        }
    }

    /// Lets go of the threadsafe function; answers that still come are dropped.
    pub fn close(&self) {
        let is_another = |hub: &Hub| !Rc::ptr_eq(&hub.in_flight, &self.in_flight);
        HUBS.with_borrow_mut(|hubs| hubs.retain(is_another));
        let drain = self.in_flight.drain.replace(std::ptr::null_mut());
        if !drain.is_null() {
            // SAFETY: made in `open`, in this environment, and of no more use.
            unsafe { sys::napi_delete_reference(self.in_flight.env.get(), drain) };
        }
        self.in_flight.handle.set(std::ptr::null_mut());
        lock(&self.shared.wake).take();
    }
}

impl Shared {
    /// JavaScript takes completions under the lock: when it sees this one, the ticket has been dropped.
    fn give(self: &Arc<Shared>, ticket: Option<Ticket>, completion: Completion) {
        if completion.answers {
            event_loop::ended();
        }
        let mut queue = lock(&self.queue);
        completion.put_into(&mut queue);
        drop(ticket);
        let is_expected = queue.waiting.is_empty() && queue.is_asking;
        if queue.woken || is_expected {
            return;
        }
        let is_turning = event_loop::is_turning();
        if queue.waiting.len() >= ENOUGH && !is_turning {
            queue.woken = true;
            drop(queue);
            return self.wake();
        }
        if std::mem::replace(&mut queue.waking, true) {
            return;
        }
        drop(queue);
        if is_turning {
            return GIVEN.with_borrow_mut(|given| given.push(Arc::clone(self)));
        }
        match Handle::try_current() {
            // Behind whatever can be answered now as well: waking is what costs most, on both sides.
            Ok(_) => {
                let shared = Arc::clone(self);
                tasks::spawn(async move { shared.wake_once() });
            }
            Err(_) => self.wake_once(),
        }
    }

    /// Wakes JavaScript, unless it has been woken meanwhile.
    fn wake_once(&self) {
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

    /// Whether anything waits that JavaScript neither has been woken for nor will ask for.
    fn is_anything_new(&self) -> bool {
        let queue = lock(&self.queue);
        let is_expected = queue.waiting.is_empty() && (queue.is_asking || queue.large.is_empty());
        !queue.woken && !is_expected
    }

    fn wake(&self) {
        // Not under the lock: the call takes one of its own.
        let wake = lock(&self.wake).clone();
        if let Some(wake) = wake {
            // A status other than ok means that the environment is going down.
            let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// The completions that wait, up to a bound; JavaScript asks for the rest, and only then gets more of what is long.
    fn take(&self, is_asked: bool) -> Batch {
        // Node calls this by way of C: a panic that got there would end the process.
        let taken = catch_unwind(AssertUnwindSafe(|| {
            failpoint::panic_at("take");
            self.take_some(is_asked)
        }));
        // What waits is taken the next time.
        taken.unwrap_or_else(|_| Batch {
            completions: Vec::new(),
            is_more: true,
        })
    }

    fn take_some(&self, is_asked: bool) -> Batch {
        let mut queue = lock(&self.queue);
        let rest = match queue.waiting.len() > AT_ONCE {
            true => queue.waiting.split_off(AT_ONCE),
            false => Vec::new(),
        };
        let mut completions = std::mem::replace(&mut queue.waiting, rest);
        let mut bytes = 0;
        let takes_long = is_asked || !queue.is_asking;
        while takes_long && bytes < BYTES_AT_ONCE {
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
    /// The hubs of this thread, where the event loop may drive.
    static HUBS: RefCell<Vec<Hub>> = const { RefCell::new(Vec::new()) };
    /// What was given something in a turn of the event loop's, and is to be handed over after it.
    static GIVEN: RefCell<Vec<Arc<Shared>>> = const { RefCell::new(Vec::new()) };
}

/// After a turn that JavaScript had begun: it is woken, as by another thread.
pub fn wake_for_given() {
    for shared in GIVEN.take() {
        shared.wake_once();
    }
}

/// After a turn that the event loop has begun: JavaScript is called at once.
pub fn hand_over_given() {
    for shared in GIVEN.take() {
        let is_this = |hub: &&Hub| Arc::ptr_eq(&hub.shared, &shared);
        let hub = HUBS.with_borrow(|hubs| hubs.iter().find(is_this).cloned());
        match hub {
            // An error means that the environment is going down.
            Some(hub) => drop(hub.hand_over()),
            None => shared.wake_once(),
        }
    }
}

/// How many requests are in flight, and the threadsafe function's reference that goes with it.
///
/// Used on the JavaScript thread alone: node's rule for referencing a threadsafe function.
struct InFlight {
    count: Cell<usize>,
    handle: Cell<sys::napi_threadsafe_function>,
    /// JavaScript's function, as the event loop calls it, where that may drive; and its environment.
    drain: Cell<sys::napi_ref>,
    env: Cell<sys::napi_env>,
}

impl Default for InFlight {
    fn default() -> Self {
        InFlight {
            count: Cell::new(0),
            handle: Cell::new(std::ptr::null_mut()),
            drain: Cell::new(std::ptr::null_mut()),
            env: Cell::new(std::ptr::null_mut()),
        }
    }
}

impl InFlight {
    fn start(&self, env: &Env) -> Result<()> {
        let before = self.count.replace(self.count.get() + 1);
        if before == 0 && !self.handle.get().is_null() {
            // SAFETY: the handle is that of a live threadsafe function (it is cleared before the
            // function is let go), and this is the thread of its environment.
            let status = unsafe { sys::napi_ref_threadsafe_function(env.raw(), self.handle.get()) };
            check_status!(status)?;
        }
        Ok(())
    }

    fn land(&self, env: &Env, count: usize) -> Result<()> {
        let left = self.count.get().saturating_sub(count);
        self.count.set(left);
        if left == 0 && count > 0 && !self.handle.get().is_null() {
            // SAFETY: as in `start`.
            let status =
                unsafe { sys::napi_unref_threadsafe_function(env.raw(), self.handle.get()) };
            check_status!(status)?;
        }
        Ok(())
    }
}

/// The answer to one request. Given exactly once: by the core, or, should a panic take the core
/// off its way, by being dropped.
pub struct Reply {
    slot: u32,
    trace: Option<Arc<Trace>>,
    shared: Arc<Shared>,
    given: bool,
}

impl Answer for Reply {
    fn give(mut self, outcome: error::Result<Output>, ticket: Option<Ticket>) {
        self.given = true;
        self.shared.give(
            ticket,
            Completion {
                slot: self.slot,
                answers: true,
                outcome,
                trace: self.trace.take(),
            },
        );
    }

    fn trace(&self) -> Option<Arc<Trace>> {
        self.trace.clone()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.given {
            let lost = error::Error::given_up();
            self.shared.give(
                None,
                Completion {
                    slot: self.slot,
                    answers: true,
                    outcome: Err(lost.in_doubt(true)),
                    trace: self.trace.take(),
                },
            );
        }
    }
}

/// Completions as JavaScript gets them, in a flat array: of each a number, the slot and the [`Kind`], and then as many
/// values as that kind has.
pub struct Batch {
    completions: Vec<Completion>,
    /// Others wait.
    is_more: bool,
}

impl Batch {
    fn answers(&self) -> usize {
        self.completions.iter().filter(|one| one.answers).count()
    }
}

/// What an answer is, in the lowest bits of its number. Mirrored in `lib/bridge/hub.js`.
#[derive(Clone, Copy)]
enum Kind {
    /// Undefined.
    Done = 0,
    /// Null.
    Missing = 1,
    True = 2,
    False = 3,
    /// One value: a number.
    Count = 4,
    /// One: text, to be decoded.
    Text = 5,
    /// Two: a baseline's head and its JSON.
    Baseline = 6,
    /// One: the head of the next baseline.
    Head = 7,
    /// One: what else became of a set, as JSON.
    SetResult = 8,
    /// One: an error, as JSON.
    Error = 9,
    /// One: text, of what belongs to no request. The slot stays taken.
    Notice = 10,
    /// Two: the node (or null) and the number of operations that went together, of the answer that comes next in this slot.
    Trace = 11,
    /// One: text, a piece of a list. The slot stays taken: the last piece comes as [`Kind::Text`].
    Piece = 12,
    /// None, and of no slot: others wait, and want to be asked for. Comes first.
    More = 13,
}

const KIND_BITS: u32 = 4;
/// In the slot of a request: its way is to be told. The numbers of slots stay below. Mirrored in `lib/bridge/hub.js`.
const TRACED: u32 = 1 << 27;

impl TypeName for Batch {
    fn type_name() -> &'static str {
        "Array"
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

/// The array, as it grows.
struct Values {
    env: sys::napi_env,
    array: sys::napi_value,
    length: u32,
    /// Those of one completion: all of them get into the array, or none.
    ready: Vec<sys::napi_value>,
}

impl Values {
    fn push(&mut self, value: sys::napi_value) -> Result<()> {
        self.ready.push(value);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        for value in self.ready.drain(..) {
            // SAFETY: `array` was made in this environment, in the handle scope we are in.
            check_status!(unsafe {
                sys::napi_set_element(self.env, self.array, self.length, value)
            })?;
            self.length += 1;
        }
        Ok(())
    }

    fn push_answer<const N: usize>(
        &mut self,
        slot: u32,
        kind: Kind,
        values: [sys::napi_value; N],
    ) -> Result<()> {
        let number = slot << KIND_BITS | kind as u32;
        // SAFETY: `env` is that of the thread we are on.
        self.push(unsafe { u32::to_napi_value(self.env, number) }?)?;
        values.into_iter().try_for_each(|value| self.push(value))
    }

    /// A text may be longer than JavaScript's strings may be: that is the error of its own request, and not of the
    /// whole batch.
    fn text(&self, text: &str) -> error::Result<sys::napi_value> {
        // SAFETY: `env` is that of the thread we are on.
        let made = unsafe { <&str>::to_napi_value(self.env, text) };
        made.map_err(|_| {
            error::Error::new(error::Code::TooBig, "the answer is too long for one string")
        })
    }

    fn push_completion(&mut self, completion: &Completion) -> Result<()> {
        failpoint::panic_at(match (completion.answers, &completion.outcome) {
            (true, _) => "convert",
            (false, Ok(Output::Pieces(_))) => "piece",
            (false, _) => "notice",
        });
        let Completion { slot, outcome, .. } = completion;
        if let Some(trace) = &completion.trace {
            self.push_way(*slot, trace.way())?;
        }
        let outcome = match outcome {
            Ok(Output::Json(notice)) if !completion.answers => self.push_notice(*slot, notice)?,
            Ok(output) => self.push_output(*slot, output)?,
            Err(error) => Err(error.clone()),
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(error) => self.push_failed(completion, &error),
        }
    }

    /// What comes instead of a completion that could not be made. A piece that is no JSON fails the list it is of; a notice has
    /// nobody who waits for it.
    fn push_failed(&mut self, completion: &Completion, error: &error::Error) -> Result<()> {
        match (completion.answers, &completion.outcome) {
            (true, _) => self.push_error(completion.slot, error),
            (false, Ok(Output::Pieces(_))) => {
                // SAFETY: `env` is that of the thread we are on.
                let nothing = unsafe { <&str>::to_napi_value(self.env, "") }?;
                self.push_answer(completion.slot, Kind::Piece, [nothing])
            }
            _ => Ok(()),
        }
    }

    fn push_output(&mut self, slot: u32, output: &Output) -> Result<error::Result<()>> {
        let done = match output {
            Output::Done => self.push_answer(slot, Kind::Done, []),
            Output::Missing => self.push_answer(slot, Kind::Missing, []),
            Output::Flag(true) => self.push_answer(slot, Kind::True, []),
            Output::Flag(false) => self.push_answer(slot, Kind::False, []),
            Output::Count(count) => {
                // SAFETY: `env` is that of the thread we are on.
                let count = unsafe { f64::to_napi_value(self.env, *count as f64) }?;
                self.push_answer(slot, Kind::Count, [count])
            }
            Output::Json(text) => match self.text(text) {
                Ok(text) => self.push_answer(slot, Kind::Text, [text]),
                Err(error) => return Ok(Err(error)),
            },
            Output::Pieces(pieces) => match self.text(&pieces.concat()) {
                Ok(piece) => self.push_answer(slot, Kind::Piece, [piece]),
                Err(error) => return Ok(Err(error)),
            },
            Output::Loaded(baseline) => {
                return self.push_baseline(slot, &baseline.meta, &baseline.json)
            }
            Output::Written(written, _) => match written {
                Written {
                    meta: None,
                    gone: None,
                    ..
                } => self.push_answer(slot, Kind::Done, []),
                Written {
                    meta: Some(head),
                    conflict: None,
                    ..
                } => match self.text(head) {
                    Ok(head) => self.push_answer(slot, Kind::Head, [head]),
                    Err(error) => return Ok(Err(error)),
                },
                Written {
                    meta: head,
                    gone,
                    conflict,
                    ..
                } => {
                    let told =
                        serde_json::json!({ "head": head, "gone": gone, "conflict": conflict });
                    match self.text(&told.to_string()) {
                        Ok(told) => self.push_answer(slot, Kind::SetResult, [told]),
                        Err(error) => return Ok(Err(error)),
                    }
                }
            },
        };
        done.map(Ok)
    }

    fn push_baseline(&mut self, slot: u32, head: &str, json: &str) -> Result<error::Result<()>> {
        match (self.text(head), self.text(json)) {
            (Ok(head), Ok(json)) => self.push_answer(slot, Kind::Baseline, [head, json]).map(Ok),
            (Err(error), _) | (_, Err(error)) => Ok(Err(error)),
        }
    }

    fn push_notice(&mut self, slot: u32, notice: &str) -> Result<error::Result<()>> {
        match self.text(notice) {
            Ok(text) => self.push_answer(slot, Kind::Notice, [text]).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    fn push_way(&mut self, slot: u32, way: Way) -> Result<()> {
        // SAFETY: `env` is that of the thread we are on.
        let (node, together) = unsafe {
            (
                Option::<&str>::to_napi_value(self.env, way.node.as_deref())?,
                f64::to_napi_value(self.env, way.together as f64)?,
            )
        };
        self.push_answer(slot, Kind::Trace, [node, together])
    }

    fn push_error(&mut self, slot: u32, error: &error::Error) -> Result<()> {
        let text = serde_json::to_string(error).unwrap_or_default();
        // SAFETY: `env` is that of the thread we are on.
        let text = unsafe { String::to_napi_value(self.env, text) }?;
        self.push_answer(slot, Kind::Error, [text])
    }
}

impl ToNapiValue for Batch {
    unsafe fn to_napi_value(env: sys::napi_env, batch: Self) -> Result<sys::napi_value> {
        let mut array = std::ptr::null_mut();
        // SAFETY: `env` is the environment this is called in.
        check_status!(unsafe { sys::napi_create_array(env, &mut array) })?;
        let mut values = Values {
            env,
            array,
            length: 0,
            ready: Vec::with_capacity(6),
        };
        if batch.is_more {
            values.push_answer(0, Kind::More, [])?;
            values.flush()?;
        }
        for completion in &batch.completions {
            // Node calls this by way of C: a panic that got there would end the process.
            let pushed = catch_unwind(AssertUnwindSafe(|| values.push_completion(completion)));
            pushed.unwrap_or_else(|_| {
                values.ready.clear();
                let lost = error::Error::given_up().in_doubt(true);
                values.push_failed(completion, &lost)
            })?;
            values.flush()?;
        }
        Ok(array)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds one of these locks can panic half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
