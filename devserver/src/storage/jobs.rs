//! Background queries of a namespace: those that run, and the last that have completed. Source:
//! `as/src/query/query_manager.c`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::wire::result::ResultCode;

/// Maximum number of jobs that are kept: the server's `query-max-done`.
const MAX_KEPT: usize = 100;

/// One background query.
pub struct Job {
    /// The node it runs on.
    pub node: usize,
    /// The ID that the client has chosen.
    pub id: u64,
    pub set: String,
    pub index: String,
    pub records_per_second: u32,
    started: Instant,
    /// When it completed, in ms after the start plus one; 0 = it runs.
    done: AtomicU64,
    pub succeeded: AtomicU64,
    pub filtered: AtomicU64,
    pub failed: AtomicU64,
}

impl Job {
    pub fn new(node: usize, id: u64, set: String, index: String, records_per_second: u32) -> Job {
        Job {
            node,
            id,
            set,
            index,
            records_per_second,
            started: Instant::now(),
            done: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            filtered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Counts the result on one record (`ops_bg_query_tr_complete()`).
    pub fn count(&self, code: ResultCode) {
        let counter = match code {
            ResultCode::OK => &self.succeeded,
            // The record was deleted meanwhile.
            ResultCode::NOT_FOUND => return,
            ResultCode::FILTERED_OUT => &self.filtered,
            _ => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn finish(&self) {
        let elapsed = self.started.elapsed().as_millis() as u64;
        self.done.store(elapsed + 1, Ordering::Release);
    }

    /// Returns how long it ran and how long ago it completed, in ms. `None`: it runs.
    pub fn times(&self) -> (u64, Option<u64>) {
        let now = self.started.elapsed().as_millis() as u64;
        match self.done.load(Ordering::Acquire).checked_sub(1) {
            None => (now, None),
            Some(ran) => (ran, Some(now.saturating_sub(ran))),
        }
    }
}

/// The jobs of a namespace, the latest at the end.
#[derive(Default)]
pub struct Jobs {
    inner: Mutex<VecDeque<Arc<Job>>>,
}

impl Jobs {
    /// Adds a job that starts.
    ///
    /// # Errors
    /// [`ResultCode::PARAMETER`] if a job with this ID runs; [`ResultCode::FORBIDDEN`] if too many run.
    pub fn start(&self, job: Job) -> Result<Arc<Job>, ResultCode> {
        let mut jobs = self.inner.lock();
        let is_same = |known: &Arc<Job>| (known.node, known.id) == (job.node, job.id);
        let is_running = |job: &Arc<Job>| job.times().1.is_none();
        if jobs.iter().any(|known| is_same(known) && is_running(known)) {
            return Err(ResultCode::PARAMETER);
        }
        if jobs.len() >= MAX_KEPT {
            let oldest = jobs.iter().position(|job| !is_running(job));
            jobs.remove(oldest.ok_or(ResultCode::FORBIDDEN)?);
        }
        let job = Arc::new(job);
        jobs.push_back(Arc::clone(&job));
        Ok(job)
    }

    /// Returns the jobs of a node, the latest first.
    pub fn on_node(&self, node: usize) -> Vec<Arc<Job>> {
        let jobs = self.inner.lock();
        let mine = jobs.iter().rev().filter(|job| job.node == node);
        mine.cloned().collect()
    }
}
