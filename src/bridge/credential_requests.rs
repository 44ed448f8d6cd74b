//! What the core asks of JavaScript: a user and a password, where the application gives them by a function.
//!
//! A question goes out as a notice, with a number, and comes back through an entry point with that number. Who asks
//! waits no longer than he likes: an answer that comes later is dropped.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::cluster::credentials::{Ask, Login};
use crate::store::Output;

type Answer = Result<Login, String>;

/// The questions of one store.
pub struct Questions {
    tell: Box<dyn Fn(Output) + Send + Sync>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u32,
    answers: HashMap<u32, oneshot::Sender<Answer>>,
}

impl Questions {
    pub fn new(tell: impl Fn(Output) + Send + Sync + 'static) -> Questions {
        Questions {
            tell: Box::new(tell),
            waiting: Mutex::default(),
        }
    }

    /// Hands the answer to who asked, if he still waits.
    pub fn answer(&self, number: u32, answer: Answer) {
        if let Some(waiting) = lock(&self.waiting).answers.remove(&number) {
            // He may have gone meanwhile.
            let _ = waiting.send(answer);
        }
    }
}

impl Ask for Questions {
    fn ask(&self) -> BoxFuture<'static, Answer> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        waiting.last = waiting.last.wrapping_add(1);
        let number = waiting.last;
        // Nobody waits for the answers to earlier ones, unless he has not given up yet.
        waiting.answers.retain(|_, answer| !answer.is_closed());
        waiting.answers.insert(number, answer);
        drop(waiting);
        (self.tell)(Output::Json(format!("{{\"question\":{number}}}")));
        Box::pin(async move {
            let gone = |_| Err("nobody is there any more to answer".to_owned());
            answered.await.unwrap_or_else(gone)
        })
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    // Nothing that holds this lock can panic half-way through a change.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
