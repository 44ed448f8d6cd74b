//! One session's record: its key, and how long an operation on it may take.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use aerospike::Key;
use tokio::time::Instant;

use crate::cluster::trace::Trace;
use crate::cluster::CallOptions;
use crate::codec::keys::hex;
use crate::error::Error;

/// One session's key, and when what is asked of it has to be over.
pub struct RecordRef {
    pub key: Key,
    pub deadline: Instant,
    pub trace: Option<Arc<Trace>>,
    /// Some attempt to write may have been carried out although it failed.
    pub doubt: AtomicBool,
    /// Hardly anything else was asked of the store as this was.
    pub is_lone: bool,
}

impl RecordRef {
    pub fn terms(&self) -> CallOptions<'_> {
        CallOptions {
            deadline: self.deadline,
            trace: self.trace.as_ref(),
            doubt: &self.doubt,
            is_lone: self.is_lone,
        }
    }

    /// The error of an operation that has failed: it is in doubt if any of its commands is.
    pub fn failed(&self, error: Error) -> Error {
        let in_doubt = error.in_doubt || self.doubt.load(Ordering::Relaxed);
        error.in_doubt(in_doubt)
    }

    /// One that nobody follows.
    pub fn alone(key: Key, deadline: Instant) -> RecordRef {
        RecordRef {
            key,
            deadline,
            trace: None,
            doubt: AtomicBool::new(false),
            is_lone: false,
        }
    }

    /// What may be told of a session: its key's digest, as the server's own tools print it.
    pub fn digest(&self) -> String {
        hex(&self.key.digest())
    }
}
