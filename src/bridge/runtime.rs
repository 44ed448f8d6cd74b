//! The threads everything runs on: a tokio runtime of our own, one for the process.
//!
//! Two workers: the work per request is small, and more threads spend their time on waking each
//! other (measured). Two, not one, because a login hashes its password on the worker it runs on.

use std::sync::OnceLock;

use napi::{Error, Result};
use tokio::runtime::{Builder, Runtime};

const WORKERS: usize = 2;
/// The crate decodes records by recursion; a record that somebody nested deeply needs the room.
/// Address space only: pages are committed when touched.
const STACK: usize = 64 * 1024 * 1024;

/// Started with the first store. Never stopped: its threads hold nothing open, and the process
/// ends without waiting for them.
pub fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("aerospike-session")
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|error| Error::from_reason(format!("no threads could be started: {error}")))?;
    Ok(RUNTIME.get_or_init(|| runtime))
}
