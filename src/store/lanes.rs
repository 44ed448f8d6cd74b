//! Requests for one session are answered in the order they came in.
//!
//! A lane exists while a request for its session is being answered; what comes in meanwhile
//! waits there. Requests for different sessions never wait for each other. No request outlives
//! its deadline by waiting: those before it came earlier, and so have to end earlier.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Request;

type Waiting<A> = HashMap<String, VecDeque<Request<A>>>;

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

impl<A> Lanes<A> {
    /// Gives the request back if its lane is free, and holds the lane for it; keeps it otherwise.
    pub fn enter(&self, id: &str, request: Request<A>) -> Option<Request<A>> {
        match self.lock().entry(id.to_owned()) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push_back(request);
                None
            }
            Entry::Vacant(lane) => {
                lane.insert(VecDeque::new());
                Some(request)
            }
        }
    }

    /// Takes those that wait next and ask just what `request` asks. Only those: what comes while it is under way may
    /// have to see what has happened meanwhile.
    pub fn alike(&self, id: &str, request: &Request<A>) -> Vec<Request<A>> {
        let mut alike = Vec::new();
        if let Some(waiting) = self.lock().get_mut(id) {
            while waiting.front().is_some_and(|next| next.is_like(request)) {
                alike.extend(waiting.pop_front());
            }
        }
        alike
    }

    fn next(&self, id: &str) -> Option<Request<A>> {
        let mut busy = self.lock();
        let next = busy.get_mut(id).and_then(VecDeque::pop_front);
        if next.is_none() {
            busy.remove(id);
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<A>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a request's stay in its lane.
///
/// Should the request panic, dropping this frees the lane, and with it the requests that wait
/// there: each answers, as it is dropped, that it was lost.
pub struct Stay<'a, A> {
    lanes: &'a Arc<Lanes<A>>,
    id: &'a str,
    left: bool,
}

impl<'a, A> Stay<'a, A> {
    pub fn new(lanes: &'a Arc<Lanes<A>>, id: &'a str) -> Stay<'a, A> {
        Stay {
            lanes,
            id,
            left: false,
        }
    }

    /// The request that waited longest, if any; the lane is free otherwise.
    pub fn next(mut self) -> Option<Request<A>> {
        self.left = true;
        self.lanes.next(self.id)
    }
}

impl<A> Drop for Stay<'_, A> {
    fn drop(&mut self) {
        if !self.left {
            let stranded = self.lanes.lock().remove(self.id);
            drop(stranded);
        }
    }
}
