//! The threads everything runs on, started with the first store, and then there for the whole process.
//!
//! - `aerospike-session`: every request, from its coming in to its answer. One thread: the work per request is small, and
//!   more threads spend their time on waking each other (measured; with two, a request costs a third more).
//! - `aerospike-tend`: connecting, and looking after the cluster. It logs in, and for that hashes passwords, for a tenth
//!   of a second each: no request waits for that.

use std::sync::OnceLock;
use std::thread;

use napi::{Error, Result};
use tokio::runtime::{Builder, Handle};

/// The crate decodes records by recursion; a record that somebody nested deeply needs the room.
/// Address space only: pages are committed when touched.
const STACK: usize = 64 * 1024 * 1024;

/// Never stopped: they hold nothing open, and the process ends without waiting for them.
pub struct Threads {
    pub requests: Handle,
    pub tending: Handle,
}

pub fn threads() -> Result<&'static Threads> {
    static THREADS: OnceLock<Threads> = OnceLock::new();
    if let Some(threads) = THREADS.get() {
        return Ok(threads);
    }
    let threads = Threads {
        requests: start("aerospike-session")?,
        tending: start("aerospike-tend")?,
    };
    Ok(THREADS.get_or_init(|| threads))
}

fn start(name: &str) -> Result<Handle> {
    let failed = |error| Error::from_reason(format!("no thread could be started: {error}"));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(failed)?;
    Ok(handle)
}
