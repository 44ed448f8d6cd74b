//! The thread for what is large, so that nothing small waits for it.
//!
//! A session of 170 kB, kept as a map, takes the crate and the codec several milliseconds, and a scan takes as long as it
//! takes. On the thread of requests all others would wait meanwhile.
//!
//! What is spawned here has the runtime of requests around it. Timers and sockets belong to that, also those that are opened
//! here: a socket of this thread's would go back to the crate's pool, and small requests would wait for this thread.

use std::future::{poll_fn, Future};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Where large work is done. Clones lead to the same thread.
#[derive(Clone, Default)]
pub struct Bulk(Option<Runtimes>);

#[derive(Clone)]
struct Runtimes {
    bulk: Handle,
    requests: Handle,
}

impl Bulk {
    /// Work is polled in `bulk`, with `requests` around it. (The default has no thread of its own: work is spawned where it
    /// comes from.)
    pub fn new(bulk: Handle, requests: Handle) -> Bulk {
        Bulk(Some(Runtimes { bulk, requests }))
    }

    /// Starts work that may take long.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        match &self.0 {
            None => drop(tokio::spawn(work)),
            Some(Runtimes { bulk, requests }) => {
                let requests = requests.clone();
                let mut work = Box::pin(work);
                drop(bulk.spawn(poll_fn(move |context| {
                    let _within = requests.enter();
                    work.as_mut().poll(context)
                })));
            }
        }
    }

    /// Starts work that spawns tasks, which are to run here as well. The sockets that they open are this thread's.
    pub fn spawn_all<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        match &self.0 {
            None => tokio::spawn(work),
            Some(Runtimes { bulk, .. }) => bulk.spawn(work),
        }
    }
}
