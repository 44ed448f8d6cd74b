//! Traces where an operation was sent, for diagnostics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last request that carried a command of an operation, as far as is known. An operation may send several commands, and each
/// more than once.
#[derive(Clone, Default)]
pub struct LastRequest {
    /// The node's name.
    pub node: Option<Arc<str>>,
    /// The commands in the request, including this one. 0: no request was sent yet.
    pub batch_size: usize,
}

/// The trace of one operation. The sender of each command notes where it sends it.
#[derive(Default)]
pub struct Trace(Mutex<LastRequest>);

impl Trace {
    pub fn note(&self, request: LastRequest) {
        *self.lock() = request;
    }

    pub fn last_request(&self) -> LastRequest {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, LastRequest> {
        // Nothing that holds this lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
