//! Requests for one session are answered in the order they came in.
//!
//! A lane exists while a request for its session is being answered; what comes in meanwhile
//! waits there. Requests for different sessions never wait for each other. No request outlives
//! its deadline by waiting: those before it came earlier, and so have to end earlier.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::request::{Answer, Errand};

/// By the digest of the session's key.
type Waiting<A> = HashMap<Digest, VecDeque<Box<Errand<A>>>>;
type Digest = [u8; 20];

pub struct Lanes<A> {
    busy: Mutex<Waiting<A>>,
}

impl<A> Default for Lanes<A> {
    fn default() -> Self {
        Lanes {
            busy: Mutex::new(HashMap::new()),
        }
    }
}

impl<A: Answer> Lanes<A> {
    /// Gives the errand back if its lane is free, and holds the lane for it; keeps it otherwise.
    pub fn enter(&self, errand: Box<Errand<A>>) -> Option<Box<Errand<A>>> {
        match self.lock().entry(errand.lane()) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push_back(errand);
                None
            }
            Entry::Vacant(lane) => {
                lane.insert(VecDeque::new());
                Some(errand)
            }
        }
    }

    /// Takes those that wait next and ask just what `errand` asks. Only those: what comes while it is under way may
    /// have to see what has happened meanwhile.
    pub fn alike(&self, errand: &Errand<A>) -> Vec<Box<Errand<A>>> {
        let mut alike = Vec::new();
        if let Some(waiting) = self.lock().get_mut(&errand.lane()) {
            while waiting.front().is_some_and(|next| next.is_like(errand)) {
                alike.extend(waiting.pop_front());
            }
        }
        alike
    }

    fn next(&self, lane: &Digest) -> Option<Box<Errand<A>>> {
        let mut busy = self.lock();
        let next = busy.get_mut(lane).and_then(VecDeque::pop_front);
        if next.is_none() {
            busy.remove(lane);
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<A>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of an errand's stay in its lane.
///
/// Should it panic, dropping this frees the lane, and with it those that wait there: each answers, as it is dropped,
/// that it was lost.
pub struct Stay<'a, A: Answer> {
    lanes: &'a Lanes<A>,
    lane: Digest,
    left: bool,
}

impl<'a, A: Answer> Stay<'a, A> {
    pub fn new(lanes: &'a Lanes<A>, lane: Digest) -> Stay<'a, A> {
        Stay {
            lanes,
            lane,
            left: false,
        }
    }

    /// The errand that waited longest, if any; the lane is free otherwise.
    pub fn next(mut self) -> Option<Box<Errand<A>>> {
        self.left = true;
        self.lanes.next(&self.lane)
    }
}

impl<A: Answer> Drop for Stay<'_, A> {
    fn drop(&mut self) {
        if !self.left {
            let stranded = self.lanes.lock().remove(&self.lane);
            drop(stranded);
        }
    }
}
