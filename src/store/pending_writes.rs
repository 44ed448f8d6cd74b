//! What the sets and touches of a session object have stored while JavaScript does not know it yet.
//!
//! An application may call `save()` without waiting for it. The set or touch at the end of its request is then called
//! before the first answer has arrived, with an outdated baseline. It has to be merged against what the first set
//! stored. This module keeps that from the call of a set until its answer has been delivered.
//!
//! A touch stores no data. After a touch, a set takes the JSON from its own baseline, unless a set before the touch
//! is still unknown to JavaScript: that one is kept here as well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::baseline::{Baseline, InDoubtWrite};
use crate::error::Error;

/// The session objects with writes in flight, by their numbers in JavaScript.
#[derive(Default)]
pub struct PendingWrites {
    writers: Mutex<HashMap<u64, Weak<Writer>>>,
}

/// One session object. Every set of it in flight holds it, and so does its answer.
pub struct Writer {
    number: u64,
    registry: Arc<PendingWrites>,
    stored: Mutex<Option<Baseline>>,
}

impl PendingWrites {
    /// Returns the writer with this number. Creates it if nothing holds it any more.
    pub fn writer(self: &Arc<PendingWrites>, number: u64) -> Arc<Writer> {
        let mut writers = lock(&self.writers);
        if let Some(writer) = writers.get(&number).and_then(Weak::upgrade) {
            return writer;
        }
        let writer = Arc::new(Writer {
            number,
            registry: self.clone(),
            stored: Mutex::new(None),
        });
        writers.insert(number, Arc::downgrade(&writer));
        writer
    }
}

impl Writer {
    /// Returns the baseline of a set: its own, updated with what the writes in flight have stored since.
    pub fn baseline(&self, own: Option<Baseline>) -> Option<Baseline> {
        match (lock(&self.stored).clone(), own) {
            (None, own) => own,
            (Some(stored), Some(own)) if stored.json.is_empty() => {
                // The last note of a stored cookie counts. A touch in doubt may still be noted although a later touch
                // has succeeded. Then the set writes more than it needs to.
                let notes = own.notes + &stored.notes;
                Some(Baseline {
                    notes,
                    json: own.json,
                    meta: stored.meta,
                })
            }
            (stored, _) => stored,
        }
    }

    pub fn set_stored(&self, baseline: Baseline) {
        *lock(&self.stored) = Some(baseline);
    }

    /// Records a failed write. If it is in doubt, sets that were already called do not know what it may have stored.
    pub fn failed(&self, error: &Error, baseline: Option<Baseline>, write: &InDoubtWrite<'_>) {
        if let Some(mut baseline) = baseline.filter(|_| error.in_doubt) {
            write.append_to(&mut baseline.notes);
            self.set_stored(baseline);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut writers = lock(&self.registry.writers);
        // Another writer may have taken the number.
        if writers
            .get(&self.number)
            .is_some_and(|one| one.strong_count() == 0)
        {
            writers.remove(&self.number);
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the stored baseline: it contains session data.
        f.debug_tuple("Writer").field(&self.number).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No holder of these locks can panic in the middle of a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_baseline_is_kept_while_a_set_is_in_flight() {
        let writers = Arc::new(PendingWrites::default());
        let first = writers.writer(7);
        let second = writers.writer(7);
        first.set_stored(Baseline {
            meta: "Wm,,,0".into(),
            json: "{}".into(),
            notes: String::new(),
        });
        drop(first);
        let stored = second.baseline(None).expect("what was stored");
        assert_eq!(stored.meta, "Wm,,,0");
        assert!(writers.writer(8).baseline(None).is_none());
        drop(second);
        assert!(writers.writer(7).baseline(None).is_none());
        assert!(lock(&writers.writers).is_empty());
    }

    #[test]
    fn after_a_touch_a_set_takes_the_data_from_its_own_baseline() {
        let writer = Arc::new(PendingWrites::default()).writer(7);
        let baseline = |meta: &str, json: &str, notes: &str| Baseline {
            meta: meta.into(),
            json: json.into(),
            notes: notes.into(),
        };
        writer.set_stored(baseline("Wm,2,,0", "", "\u{1e}k{\"a\":1}"));
        let own = baseline("Lm,1,,0", "{\"n\":1}", "\u{1e}s{\"n\":2}");
        let known = writer.baseline(Some(own)).expect("a baseline");
        assert_eq!(known.meta, "Wm,2,,0");
        assert_eq!(known.json, "{\"n\":1}");
        assert_eq!(known.notes, "\u{1e}s{\"n\":2}\u{1e}k{\"a\":1}");
    }
}
