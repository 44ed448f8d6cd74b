//! The threads of the core. They start with the first store and run until the process ends.
//!
//! - `aerospike-session`, the I/O thread: handles requests, from submission to answer. It is one thread, because the work per request is
//!   small and several threads would spend their time waking each other (measured: with two, a request costs a third more).
//! - `aerospike-bulk`: handles large sessions and scans, so that other requests do not wait for them.
//! - `aerospike-tend`: connects, and tracks the state of the cluster. Its logins hash passwords, which takes a tenth of a second each. No
//!   request waits for that.

use std::future::pending;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use napi::{Error, Result};
use tokio::runtime::{Builder, Handle, Runtime};

use super::{event_loop, stack};
use crate::bulk_runtime::Bulk;

/// Polls of tasks after which a thread checks for events from the network, and for new requests. tokio's defaults, 61 and 31, suit
/// many threads. With one thread, and polls of a millisecond for large sessions, they would be up to a tenth of a second.
const EVENTS_EVERY: u32 = 8;
const REQUESTS_EVERY: u32 = 4;

/// The runtimes of the threads. They are never stopped: they keep nothing open, and the process ends without waiting for them.
pub struct Threads {
    pub requests: Handle,
    /// The runtime of requests, which the event loop can drive too: see `event_loop`.
    pub driven: Arc<Runtime>,
    pub tending: Handle,
    pub bulk: Bulk,
}

/// Returns the threads, and starts them at the first call.
pub fn threads() -> Result<&'static Threads> {
    static THREADS: OnceLock<Threads> = OnceLock::new();
    if let Some(threads) = THREADS.get() {
        return Ok(threads);
    }
    // If worker threads of Node.js call this at the same time, one of them starts the threads and the others wait.
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(threads) = THREADS.get() {
        return Ok(threads);
    }
    quiet_panics();
    let driven = start("aerospike-session", &stack::SIZES, |runtime| {
        event_loop::serve(runtime)
    })?;
    let requests = driven.handle().clone();
    let bulk = start("aerospike-bulk", &stack::SIZES, |runtime| {
        lower_priority();
        runtime.block_on(pending())
    })?;
    let tending = start("aerospike-tend", &stack::SIZES[2..], |runtime| {
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

/// Makes panics print only their location. The message of a panic may quote data, for example a session.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let place = place.unwrap_or_default();
        // `eprintln!` would panic again if stderr is closed.
        let _ = writeln!(
            std::io::stderr(),
            "aerospike-session: internal error at {place}"
        );
    }));
}

/// Creates a runtime and a thread that runs it, with the first size of stack that the system provides.
fn start(name: &str, stacks: &[usize], run: fn(&Runtime)) -> Result<Arc<Runtime>> {
    let failed = |error| Error::from_reason(format!("no thread could be started: {error}"));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENTS_EVERY)
        .global_queue_interval(REQUESTS_EVERY)
        .on_thread_park(give_back_stack)
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

/// Releases the unused stack of a thread that is about to wait. In a turn of the event loop the code runs on a reserved stack, which
/// is released when the turn ends.
fn give_back_stack() {
    if !event_loop::is_turning() {
        stack::give_back();
    }
}

/// Lowers the priority of this thread, below that of the event loop, the garbage collector and the I/O thread.
#[cfg(target_os = "linux")]
fn lower_priority() {
    // If all threads are busy, this one gets about a tenth of the time that each of the others gets.
    const NICE: libc::c_int = 10;
    // SAFETY: the arguments are numbers. On Linux, 0 means this thread and not the process. If it fails, the priority stays.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Other systems have no simple call for the priority of one thread.
#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
