//! The thread for long work, so that small requests never wait for it.
//!
//! The crate and the codec need several milliseconds for a session of 170 kB that is stored as a map. A scan takes
//! even longer. On the I/O thread, all other requests would wait meanwhile.
//!
//! Work spawned here runs within the context of the I/O thread's runtime. Timers and sockets belong to that runtime, even
//! if they are created here. A socket of this thread would go back to the crate's pool, and small requests would then wait
//! for this thread.

use std::future::{Future, poll_fn};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// A handle of the thread for long work. Clones use the same thread.
#[derive(Clone, Default)]
pub struct Bulk(Option<Runtimes>);

#[derive(Clone)]
struct Runtimes {
    bulk: Handle,
    requests: Handle,
}

impl Bulk {
    /// Creates a handle that polls work in `bulk`, within the context of `requests`. The default has no thread of its
    /// own: it spawns work on the current runtime.
    pub fn new(bulk: Handle, requests: Handle) -> Bulk {
        Bulk(Some(Runtimes { bulk, requests }))
    }

    /// Spawns work that may take long.
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

    /// Spawns work whose own tasks run on this thread too. The sockets that they open belong to this thread.
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
