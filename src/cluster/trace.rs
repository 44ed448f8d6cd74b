//! The way one operation takes, for whoever wants to know it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where an operation went last, as far as is known: an operation may send several commands, and each more than once.
#[derive(Clone, Default)]
pub struct Way {
    /// The node's name.
    pub node: Option<Arc<str>>,
    /// How many operations went together, itself included; 0: it has not left.
    pub together: usize,
}

/// Of one operation. What carries it takes note here.
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
