//! Work on all records of a namespace, off the threads that serve connections if it takes long.

use std::sync::atomic::Ordering;

use tokio::runtime::Handle;

use super::namespace::Namespace;

/// Records in a namespace up to which the work is done before the client gets its response.
const MAX_SYNCHRONOUS: u64 = 10_000;

/// Runs work on all records of a namespace: at once if there are few, otherwise on a thread for blocking work.
pub fn run(namespace: &Namespace, work: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) if namespace.objects.load(Ordering::Relaxed) > MAX_SYNCHRONOUS => {
            runtime.spawn_blocking(work);
        }
        _ => work(),
    }
}
