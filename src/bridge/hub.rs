//! Answers and notices on their way back to JavaScript.
//!
//! Completions gather in a queue ([`CompletionQueue`]). The first one wakes the JavaScript thread, which takes all that wait and
//! passes them to one function, as a flat array ([`Batch`]).
//!
//! One threadsafe function serves all stores of an environment. A napi promise would need one for each call, which costs the event
//! loop three to four times as much (measured).
//!
//! The threadsafe function is weak, so that an idle store does not keep the process alive. It is referenced while requests are in
//! flight, so that no pending answer is lost.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::{check_status, sys};

use super::answer_values::{Batch, Completion, TRACED};
use super::completion_queue::{CompletionQueue, take_filled_in_turn};
use super::event_loop;
use crate::cluster::trace::Trace;
use crate::error;
use crate::store::{Answer, Output, Ticket};

/// The hub of an environment, or of each copy of the facade in it. It stays on its JavaScript thread.
#[derive(Clone)]
pub struct Hub {
    queue: Arc<CompletionQueue>,
    in_flight: Rc<InFlight>,
}

impl Hub {
    /// Opens a hub that passes its batches to the JavaScript function `dispatch`.
    pub fn open(
        env: &Env,
        dispatch: &Function<'_, FnArgs<(Batch,)>, Unknown<'static>>,
    ) -> Result<Hub> {
        let queue = Arc::new(CompletionQueue::default());
        let in_flight = Rc::new(InFlight::default());
        let (waiting, counter) = (queue.clone(), in_flight.clone());
        let wake = dispatch
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build_callback(move |context| {
                let batch = waiting.take(false);
                counter.finish(&context.env, batch.answers())?;
                event_loop::batch_delivered(|| {
                    let waiting = waiting.clone();
                    move || waiting.wake()
                });
                Ok(FnArgs::from((batch,)))
            })?;
        in_flight.handle.set(wake.raw());
        queue.set_wake(Some(wake));
        let hub = Hub { queue, in_flight };
        if event_loop::can_drive() {
            let mut reference = std::ptr::null_mut();
            // SAFETY: `dispatch` is a function of the current environment. `close` deletes the reference.
            check_status!(unsafe {
                sys::napi_create_reference(env.raw(), dispatch.raw(), 1, &mut reference)
            })?;
            hub.in_flight.dispatch.set(reference);
            hub.in_flight.env.set(env.raw());
            HUBS.with_borrow_mut(|hubs| hubs.push(hub.clone()));
        }
        Ok(hub)
    }

    /// Passes a batch to JavaScript after a turn of the event loop. As in any callback of the event loop, an exception that JavaScript
    /// throws is an uncaught exception.
    fn hand_over(&self) -> Result<()> {
        self.queue.cancel_wake();
        if !self.queue.has_new() {
            return Ok(());
        }
        let (env, dispatch) = (self.in_flight.env.get(), self.in_flight.dispatch.get());
        let mut scope = std::ptr::null_mut();
        let [mut function, mut global, mut thrown, mut nothing] = [std::ptr::null_mut(); 4];
        let (context, mut is_thrown) = (std::ptr::null_mut(), false);
        // SAFETY: this runs on the thread of the environment, called by its event loop and before the environment ends (`event_loop`).
        // The values live in the handle scope that is opened first.
        unsafe {
            check_status!(sys::napi_open_handle_scope(env, &mut scope))?;
            let batch = self.queue.take(false);
            self.in_flight
                .finish(&Env::from_raw(env), batch.answers())?;
            let batch = Batch::to_napi_value(env, batch)?;
            sys::napi_get_reference_value(env, dispatch, &mut function);
            sys::napi_get_global(env, &mut global);
            sys::napi_make_callback(env, context, global, function, 1, &batch, &mut nothing);
            sys::napi_is_exception_pending(env, &mut is_thrown);
            if is_thrown {
                sys::napi_get_and_clear_last_exception(env, &mut thrown);
                sys::napi_fatal_exception(env, thrown);
            }
            check_status!(sys::napi_close_handle_scope(env, scope))?;
        }
        if self.queue.has_new() {
            self.queue.wake_once();
        }
        Ok(())
    }

    /// Takes completions that the last batch left in the queue.
    pub fn take(&self, env: &Env) -> Result<Batch> {
        let batch = self.queue.take(true);
        self.in_flight.finish(env, batch.answers())?;
        Ok(batch)
    }

    /// Starts a request, and returns the reply for its answer. If the slot has the bit [`TRACED`], the request is traced.
    pub fn start_request(&self, env: &Env, slot: u32) -> Result<Reply> {
        self.in_flight.start(env)?;
        event_loop::request_started();
        Ok(Reply {
            slot: slot & !TRACED,
            trace: (slot & TRACED != 0).then(Arc::default),
            queue: self.queue.clone(),
            is_given: false,
        })
    }

    /// Returns a function that sends notices to JavaScript, under `slot`.
    pub fn notifier(&self, slot: u32) -> impl Fn(Output) + Send + Sync + 'static {
        let queue = self.queue.clone();
        move |output| {
            queue.push(
                None,
                Completion {
                    slot,
                    is_answer: false,
                    outcome: Ok(output),
                    trace: None,
                },
            );
        }
    }

    /// Releases the threadsafe function. Later answers are dropped.
    pub fn close(&self) {
        let is_another = |hub: &Hub| !Rc::ptr_eq(&hub.in_flight, &self.in_flight);
        HUBS.with_borrow_mut(|hubs| hubs.retain(is_another));
        let dispatch = self.in_flight.dispatch.replace(std::ptr::null_mut());
        if !dispatch.is_null() {
            // SAFETY: the reference was made in `open`, in this environment, and is not used any more.
            unsafe { sys::napi_delete_reference(self.in_flight.env.get(), dispatch) };
        }
        self.in_flight.handle.set(std::ptr::null_mut());
        self.queue.set_wake(None);
    }
}

thread_local! {
    /// The hubs of this thread, if its event loop can drive.
    static HUBS: RefCell<Vec<Hub>> = const { RefCell::new(Vec::new()) };
}

/// Wakes JavaScript for the answers of a turn in which JavaScript submitted a request. JavaScript is on the stack and cannot be
/// called now.
pub fn wake_after_turn() {
    for queue in take_filled_in_turn() {
        queue.wake_once();
    }
}

/// Passes the answers of a turn to JavaScript. Called by the event loop, so no JavaScript is on the stack.
pub fn hand_over_after_turn() {
    for queue in take_filled_in_turn() {
        let is_this = |hub: &&Hub| Arc::ptr_eq(&hub.queue, &queue);
        let hub = HUBS.with_borrow(|hubs| hubs.iter().find(is_this).cloned());
        match hub {
            // An error means that the environment is ending.
            Some(hub) => drop(hub.hand_over()),
            None => queue.wake_once(),
        }
    }
}

/// Counts the requests in flight. The threadsafe function is referenced while there are any.
///
/// Used on the JavaScript thread only: Node.js permits referencing a threadsafe function on no other.
struct InFlight {
    count: Cell<usize>,
    handle: Cell<sys::napi_threadsafe_function>,
    /// The JavaScript function `dispatch` and its environment, for calls after a turn. Null if the event loop cannot drive.
    dispatch: Cell<sys::napi_ref>,
    env: Cell<sys::napi_env>,
}

impl Default for InFlight {
    fn default() -> Self {
        InFlight {
            count: Cell::new(0),
            handle: Cell::new(std::ptr::null_mut()),
            dispatch: Cell::new(std::ptr::null_mut()),
            env: Cell::new(std::ptr::null_mut()),
        }
    }
}

impl InFlight {
    fn start(&self, env: &Env) -> Result<()> {
        let before = self.count.replace(self.count.get() + 1);
        if before == 0 && !self.handle.get().is_null() {
            // SAFETY: the handle is that of a live threadsafe function (it is cleared before the function is released), and this is the
            // thread of its environment.
            let status = unsafe { sys::napi_ref_threadsafe_function(env.raw(), self.handle.get()) };
            check_status!(status)?;
        }
        Ok(())
    }

    fn finish(&self, env: &Env, count: usize) -> Result<()> {
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

/// Passes the answer of one request to the hub, exactly once. If the core drops it without an answer, after a panic, the request
/// fails.
pub struct Reply {
    slot: u32,
    trace: Option<Arc<Trace>>,
    queue: Arc<CompletionQueue>,
    is_given: bool,
}

impl Answer for Reply {
    fn give(mut self, outcome: error::Result<Output>, ticket: Option<Ticket>) {
        self.is_given = true;
        self.queue.push(
            ticket,
            Completion {
                slot: self.slot,
                is_answer: true,
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
        if !self.is_given {
            let lost = error::Error::given_up();
            self.queue.push(
                None,
                Completion {
                    slot: self.slot,
                    is_answer: true,
                    outcome: Err(lost.in_doubt(true)),
                    trace: self.trace.take(),
                },
            );
        }
    }
}
