//! Requests of the core to JavaScript for a user name and a password, if the application provides them by a function.
//!
//! A request goes out as a notice with a number. The answer comes back with the same number, through
//! [`give_credentials`](super::entry::give_credentials). An answer that comes after the core has stopped waiting is dropped.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::cluster::credentials::{Ask, Login};
use crate::store::Output;

type Answer = Result<Login, String>;

/// The credential requests of one store.
pub struct CredentialRequests {
    notify: Box<dyn Fn(Output) + Send + Sync>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    last_number: u32,
    answers: HashMap<u32, oneshot::Sender<Answer>>,
}

impl CredentialRequests {
    pub fn new(notify: impl Fn(Output) + Send + Sync + 'static) -> CredentialRequests {
        CredentialRequests {
            notify: Box::new(notify),
            pending: Mutex::default(),
        }
    }

    /// Answers the request of this number, if the core still waits for it.
    pub fn answer(&self, number: u32, answer: Answer) {
        if let Some(answered) = lock(&self.pending).answers.remove(&number) {
            // An error means that the core has stopped waiting.
            let _ = answered.send(answer);
        }
    }
}

impl Ask for CredentialRequests {
    fn ask(&self) -> BoxFuture<'static, Answer> {
        let (answer, answered) = oneshot::channel();
        let mut pending = lock(&self.pending);
        pending.last_number = pending.last_number.wrapping_add(1);
        let number = pending.last_number;
        // Forgets earlier requests that the core has given up.
        pending.answers.retain(|_, answer| !answer.is_closed());
        pending.answers.insert(number, answer);
        drop(pending);
        (self.notify)(Output::Json(format!("{{\"credentialRequest\":{number}}}")));
        Box::pin(async move {
            let gone = |_| Err("nobody is there any more to answer".to_owned());
            answered.await.unwrap_or_else(gone)
        })
    }
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    // Nothing that holds this lock can panic half-way through a change.
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}
