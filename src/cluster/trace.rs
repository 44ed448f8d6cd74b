//! Traces where an operation was sent, for diagnostics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where an operation was last sent, as far as is known. An operation may send several commands, and each more than once.
#[derive(Clone, Default)]
pub struct Way {
    /// The node's name.
    pub node: Option<Arc<str>>,
    /// Operations in the same request, including this one. 0: not sent yet.
    pub together: usize,
}

/// The trace of one operation. The sender of each command notes where it sends it.
#[derive(Default)]
pub struct Trace(Mutex<Way>);

impl Trace {
    pub fn note(&self, way: Way) {
        *self.lock() = way;
    }

    pub fn way(&self) -> Way {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Way> {
        // Nothing that holds this lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
