//! The threads everything runs on, started with the first store, and then there for the whole process.
//!
//! - `aerospike-session`: every request, from its coming in to its answer. One thread: the work per request is small, and
//!   more threads spend their time on waking each other (measured; with two, a request costs a third more).
//! - `aerospike-bulk`: requests on large sessions and on many, so that the others need not wait for them.
//! - `aerospike-tend`: connecting, and looking after the cluster. It logs in, and for that hashes passwords, for a tenth
//!   of a second each: no request waits for that.

use std::future::pending;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use napi::{Error, Result};
use tokio::runtime::{Builder, Handle, Runtime};

use super::event_loop;
use super::stack::{self, STACKS};
use crate::bulk_runtime::Bulk;

/// Turns of tasks after which a thread looks for what came in from the network, and for new requests. tokio's own 61 and 31
/// are for many threads: with one, and turns of a millisecond where sessions are large, they are a tenth of a second.
const EVENTS_EVERY: u32 = 8;
const REQUESTS_EVERY: u32 = 4;

/// Never stopped: they hold nothing open, and the process ends without waiting for them.
pub struct Threads {
    pub requests: Handle,
    /// The runtime of requests, for who may drive it: see `event_loop`.
    pub driven: Arc<Runtime>,
    pub tending: Handle,
    pub bulk: Bulk,
}

pub fn threads() -> Result<&'static Threads> {
    static THREADS: OnceLock<Threads> = OnceLock::new();
    if let Some(threads) = THREADS.get() {
        return Ok(threads);
    }
    // Worker threads of Node.js that start at the same time: one of them starts the threads, the others wait for it.
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(threads) = THREADS.get() {
        return Ok(threads);
    }
    quiet_panics();
    let driven = start("aerospike-session", &STACKS, |runtime| {
        event_loop::serve(runtime)
    })?;
    let requests = driven.handle().clone();
    let bulk = start("aerospike-bulk", &STACKS, |runtime| {
        lower_priority();
        runtime.block_on(pending())
    })?;
    let tending = start("aerospike-tend", &STACKS[2..], |runtime| {
        runtime.block_on(pending())
    })?;
    let threads = Threads {
        bulk: Bulk::new(bulk.handle().clone(), requests.clone()),
        tending: tending.handle().clone(),
        requests,
        driven,
    };
    Ok(THREADS.get_or_init(|| threads))
}

/// What a panic says may quote what it stumbled on, a session say, and would go to the terminal. Where it was is enough.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let place = place.unwrap_or_default();
        // A terminal that is gone is no reason for another panic.
        let _ = writeln!(
            std::io::stderr(),
            "aerospike-session: internal error at {place}"
        );
    }));
}

/// A runtime, and a thread that runs it, with the first of the stacks that the system gives.
fn start(name: &str, stacks: &[usize], run: fn(&Runtime)) -> Result<Arc<Runtime>> {
    let failed = |error| Error::from_reason(format!("no thread could be started: {error}"));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENTS_EVERY)
        .global_queue_interval(REQUESTS_EVERY)
        .on_thread_park(stack::give_back)
        .build()
        .map_err(failed)?;
    let runtime = Arc::new(runtime);
    let mut started = Ok(());
    for stack in stacks {
        let runtime = runtime.clone();
        started = thread::Builder::new()
            .name(name.to_owned())
            .stack_size(*stack)
            .spawn(move || run(&runtime))
            .map(drop);
        if started.is_ok() {
            break;
        }
    }
    started.map_err(failed)?;
    Ok(runtime)
}

/// Of this thread. The event loop and its garbage collector, and the thread of requests, go first then.
#[cfg(target_os = "linux")]
fn lower_priority() {
    // About a tenth of what each of the others gets, where all are busy.
    const NICE: libc::c_int = 10;
    // SAFETY: it takes numbers alone. On Linux 0 is this thread, not the process. Should it fail the priority stays.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Other systems have no priority of a thread that could be set so simply.
#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
