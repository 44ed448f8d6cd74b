//! The way back to JavaScript.
//!
//! Completions gather in a queue; the first one in wakes the JavaScript thread, which takes all
//! that are there and hands them to one function as a flat array `[slot, error, value, ...]`.
//! One threadsafe function serves all stores of an environment (a napi promise would make one per
//! call, at three to four times the cost to the event loop: measured).
//!
//! The threadsafe function is weak, so an idle store never keeps a process alive, and is
//! referenced while anything is in flight, so a pending answer is never lost.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{check_status, sys};

use crate::error;
use crate::store::{Answer, Output, Written};

/// Completions handed over at one go; what is left comes after the event loop had its turn.
const AT_ONCE: usize = 512;

/// One answer on its way to JavaScript.
struct Completion {
    slot: u32,
    /// It answers a request; a notice does not.
    answers: bool,
    outcome: error::Result<Output>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Completion>,
    /// JavaScript has been woken and has not come yet.
    woken: bool,
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
    pub fn open(drain: &Function<'_, FnArgs<(Batch,)>, Unknown<'static>>) -> Result<Hub> {
        let shared = Arc::new(Shared::default());
        let in_flight = Rc::new(InFlight::default());
        let (queue, flying) = (shared.clone(), in_flight.clone());
        let wake = drain
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build_callback(move |context| {
                let batch = queue.take();
                flying.land(
                    &context.env,
                    batch.0.iter().filter(|one| one.answers).count(),
                )?;
                Ok(FnArgs::from((batch,)))
            })?;
        in_flight.handle.set(wake.raw());
        *lock(&shared.wake) = Some(Arc::new(wake));
        Ok(Hub { shared, in_flight })
    }

    /// A place for the answer of a request that starts now.
    pub fn expect(&self, env: &Env, slot: u32) -> Result<Reply> {
        self.in_flight.start(env)?;
        Ok(Reply {
            slot,
            shared: self.shared.clone(),
            given: false,
        })
    }

    /// A function that tells JavaScript, under `slot`, of what belongs to no request.
    pub fn notifier(&self, slot: u32) -> impl Fn(Output) + Send + Sync + 'static {
        let shared = self.shared.clone();
        move |output| {
            shared.give(Completion {
                slot,
                answers: false,
                outcome: Ok(output),
            });
        }
    }

    /// Lets go of the threadsafe function; answers that still come are dropped.
    pub fn close(&self) {
        self.in_flight.handle.set(std::ptr::null_mut());
        lock(&self.shared.wake).take();
    }
}

impl Shared {
    fn give(&self, completion: Completion) {
        let mut queue = lock(&self.queue);
        queue.waiting.push(completion);
        if std::mem::replace(&mut queue.woken, true) {
            return;
        }
        drop(queue);
        self.wake();
    }

    fn wake(&self) {
        // Not under the lock: the call takes one of its own.
        let wake = lock(&self.wake).clone();
        if let Some(wake) = wake {
            // A status other than ok means that the environment is going down.
            let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// The completions that wait, up to a bound; the rest wakes JavaScript again.
    fn take(&self) -> Batch {
        let mut queue = lock(&self.queue);
        if queue.waiting.len() <= AT_ONCE {
            queue.woken = false;
            return Batch(std::mem::take(&mut queue.waiting));
        }
        let rest = queue.waiting.split_off(AT_ONCE);
        let batch = std::mem::replace(&mut queue.waiting, rest);
        drop(queue);
        self.wake();
        Batch(batch)
    }
}

/// How many requests are in flight, and the threadsafe function's reference that goes with it.
///
/// Used on the JavaScript thread alone: node's rule for referencing a threadsafe function.
struct InFlight {
    count: Cell<usize>,
    handle: Cell<sys::napi_threadsafe_function>,
}

impl Default for InFlight {
    fn default() -> Self {
        InFlight {
            count: Cell::new(0),
            handle: Cell::new(std::ptr::null_mut()),
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
    shared: Arc<Shared>,
    given: bool,
}

impl Answer for Reply {
    fn give(mut self, outcome: error::Result<Output>) {
        self.given = true;
        self.shared.give(Completion {
            slot: self.slot,
            answers: true,
            outcome,
        });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.given {
            let lost = error::Error::new(
                error::Code::Server,
                "an internal error: the operation was given up",
            );
            self.shared.give(Completion {
                slot: self.slot,
                answers: true,
                outcome: Err(lost.in_doubt(true)),
            });
        }
    }
}

/// Completions as JavaScript gets them: `[slot, error, value, slot, error, value, ...]`, an error
/// as JSON text or `null`.
pub struct Batch(Vec<Completion>);

impl TypeName for Batch {
    fn type_name() -> &'static str {
        "Array"
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl ToNapiValue for Batch {
    unsafe fn to_napi_value(env: sys::napi_env, batch: Self) -> Result<sys::napi_value> {
        let mut array = std::ptr::null_mut();
        // SAFETY: `env` is the environment this is called in; the same holds below.
        check_status!(unsafe {
            sys::napi_create_array_with_length(env, batch.0.len() * 3, &mut array)
        })?;
        let mut index = 0;
        let mut push = |value: Result<sys::napi_value>| -> Result<()> {
            // SAFETY: `array` was made above, in the same handle scope.
            check_status!(unsafe { sys::napi_set_element(env, array, index, value?) })?;
            index += 1;
            Ok(())
        };
        for Completion { slot, outcome, .. } in batch.0 {
            // SAFETY: conversions of plain values in their own environment.
            unsafe {
                push(u32::to_napi_value(env, slot))?;
                // A text may be longer than JavaScript's strings may be; that is the error of its
                // own request, and not of the whole batch.
                let value = match outcome {
                    Ok(output) => output_value(env, output).map_err(|_| {
                        error::Error::new(
                            error::Code::TooBig,
                            "the answer is too long for one string",
                        )
                    }),
                    Err(error) => Err(error),
                };
                match value {
                    Ok(value) => {
                        push(Null::to_napi_value(env, Null))?;
                        push(Ok(value))?;
                    }
                    Err(error) => {
                        let text = serde_json::to_string(&error).unwrap_or_default();
                        push(String::to_napi_value(env, text))?;
                        push(Null::to_napi_value(env, Null))?;
                    }
                }
            }
        }
        Ok(array)
    }
}

/// # Safety
///
/// `env` must be the environment of the thread this is called on.
unsafe fn output_value(env: sys::napi_env, output: Output) -> Result<sys::napi_value> {
    // SAFETY: as of this function.
    unsafe {
        match output {
            Output::Done => <()>::to_napi_value(env, ()),
            Output::Missing => Null::to_napi_value(env, Null),
            Output::Flag(flag) => bool::to_napi_value(env, flag),
            Output::Count(count) => f64::to_napi_value(env, count as f64),
            Output::Json(text) | Output::Loaded(text) => String::to_napi_value(env, text),
            Output::Written(written, _) => String::to_napi_value(env, told(written)),
        }
    }
}

/// The head of the next baseline, or JSON text where there is more to say; nothing to say is "".
fn told(written: Written) -> String {
    let Written {
        head,
        gone,
        conflict,
    } = written;
    if gone.is_none() && conflict.is_none() {
        return head.unwrap_or_default();
    }
    serde_json::json!({ "head": head, "gone": gone, "conflict": conflict }).to_string()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds one of these locks can panic half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
