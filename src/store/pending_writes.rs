//! What the sets and touches of one session object have stored, as long as JavaScript does not know it yet.
//!
//! An application may call `save()` and not wait for it; the set or touch at the end of its request is then
//! made before the answer to the first has arrived, with a baseline that is out of date. What it
//! has to be merged against is what the first one stored: that is kept here, from the time a set is
//! made until its answer has been handed over.
//!
//! A touch stores no data. After one, a set takes the JSON from its own baseline, unless a set before the touch is kept here
//! as well: any set that JavaScript does not know of yet is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::baseline::{Baseline, Doubt};
use crate::error::Error;

/// The session objects with sets under way, by the numbers JavaScript gave them.
#[derive(Default)]
pub struct PendingWrites {
    known: Mutex<HashMap<u64, Weak<Writer>>>,
}

/// One session object. Held by every set of it that is under way, and by its answer.
pub struct Writer {
    number: u64,
    writers: Arc<PendingWrites>,
    stored: Mutex<Option<Baseline>>,
}

impl PendingWrites {
    /// The writer of this number, as long as anybody holds it; a new one otherwise.
    pub fn join(self: &Arc<PendingWrites>, number: u64) -> Arc<Writer> {
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
    /// The baseline of a set: its own, with what was stored since by what is under way.
    pub fn baseline(&self, own: Option<Baseline>) -> Option<Baseline> {
        match (lock(&self.stored).clone(), own) {
            (None, own) => own,
            (Some(stored), Some(own)) if stored.json.is_empty() => {
                // Of two notes of the stored cookie the last counts. A doubt that a touch has settled may be noted still:
                // then more is written than needed.
                let notes = own.notes + &stored.notes;
                Some(Baseline {
                    notes,
                    json: own.json,
                    head: stored.head,
                })
            }
            (stored, _) => stored,
        }
    }

    pub fn stored(&self, baseline: Baseline) {
        *lock(&self.stored) = Some(baseline);
    }

    /// Takes note of a write that failed: if it is in doubt, the sets that were called since do not know what it may have
    /// stored.
    pub fn failed(&self, error: &Error, baseline: Option<Baseline>, doubt: &Doubt<'_>) {
        if let Some(mut baseline) = baseline.filter(|_| error.in_doubt) {
            doubt.note(&mut baseline.notes);
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
        let writers = Arc::new(PendingWrites::default());
        let first = writers.join(7);
        let second = writers.join(7);
        first.stored(Baseline {
            head: "Wm,,,0".into(),
            json: "{}".into(),
            notes: String::new(),
        });
        drop(first);
        let stored = second.baseline(None).expect("what was stored");
        assert_eq!(stored.head, "Wm,,,0");
        assert!(writers.join(8).baseline(None).is_none());
        drop(second);
        assert!(writers.join(7).baseline(None).is_none());
        assert!(lock(&writers.known).is_empty());
    }

    #[test]
    fn after_a_touch_a_set_knows_the_data_by_itself() {
        let writer = Arc::new(PendingWrites::default()).join(7);
        let baseline = |head: &str, json: &str, notes: &str| Baseline {
            head: head.into(),
            json: json.into(),
            notes: notes.into(),
        };
        writer.stored(baseline("Wm,2,,0", "", "\u{1e}k{\"a\":1}"));
        let own = baseline("Lm,1,,0", "{\"n\":1}", "\u{1e}s{\"n\":2}");
        let known = writer.baseline(Some(own)).expect("a baseline");
        assert_eq!(known.head, "Wm,2,,0");
        assert_eq!(known.json, "{\"n\":1}");
        assert_eq!(known.notes, "\u{1e}s{\"n\":2}\u{1e}k{\"a\":1}");
    }
}
