//! What the sets of one session object have stored, as long as JavaScript does not know it yet.
//!
//! An application may call `save()` and not wait for it; the set at the end of its request is then
//! made before the answer to the first has arrived, with a baseline that is out of date. What it
//! has to be merged against is what the first one stored: that is kept here, from the time a set is
//! made until its answer has been handed over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::baseline::{Baseline, Doubt};
use crate::error::Error;

/// The session objects with sets under way, by the numbers JavaScript gave them.
#[derive(Default)]
pub struct Writers {
    known: Mutex<HashMap<u64, Weak<Writer>>>,
}

/// One session object. Held by every set of it that is under way, and by its answer.
pub struct Writer {
    number: u64,
    writers: Arc<Writers>,
    stored: Mutex<Option<Baseline>>,
}

impl Writers {
    /// The writer of this number, as long as anybody holds it; a new one otherwise.
    pub fn join(self: &Arc<Writers>, number: u64) -> Arc<Writer> {
        let mut known = lock(&self.known);
        if let Some(writer) = known.get(&number).and_then(Weak::upgrade) {
            return writer;
        }
        let writer = Arc::new(Writer {
            number,
            writers: self.clone(),
            stored: Mutex::new(None),
        });
        known.insert(number, Arc::downgrade(&writer));
        writer
    }
}

impl Writer {
    /// The baseline of what was stored last, if any set under way stored anything.
    pub fn baseline(&self) -> Option<Baseline> {
        lock(&self.stored).clone()
    }

    pub fn stored(&self, baseline: Baseline) {
        *lock(&self.stored) = Some(baseline);
    }

    /// Takes note of a write that failed: if it is in doubt, the sets that were called since do not know what it may have
    /// stored.
    pub fn failed(&self, error: &Error, baseline: Option<Baseline>, doubt: &Doubt<'_>) {
        if let Some(mut baseline) = baseline.filter(|_| error.in_doubt) {
            doubt.note(&mut baseline.json);
            self.stored(baseline);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut known = lock(&self.writers.known);
        // Another writer may have taken the number meanwhile.
        if known
            .get(&self.number)
            .is_some_and(|one| one.strong_count() == 0)
        {
            known.remove(&self.number);
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not what it stored: that is session data.
        f.debug_tuple("Writer").field(&self.number).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds one of these locks can panic half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_known_as_long_as_a_set_is_under_way() {
        let writers = Arc::new(Writers::default());
        let first = writers.join(7);
        let second = writers.join(7);
        first.stored(Baseline {
            head: "Wm,,,0".into(),
            json: "{}".into(),
        });
        drop(first);
        assert_eq!(second.baseline().expect("what was stored").head, "Wm,,,0");
        assert!(writers.join(8).baseline().is_none());
        drop(second);
        assert!(writers.join(7).baseline().is_none());
        assert!(lock(&writers.known).is_empty());
    }
}
