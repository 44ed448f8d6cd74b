//! The order of the requests for one session.

use std::sync::Arc;

use aerospike::{Key, as_val};

use super::super::options::Options;
use super::super::record_ref::RecordRef;
use super::super::request::{Caller, Output, SessionOp, Ticket};
use super::super::view::View;
use super::*;
use crate::error::Result;

const TIMEOUT: Duration = Duration::from_millis(600);
const WRITE_WAIT: Duration = Duration::from_millis(100);

/// An answer with the name of its request.
struct NamedAnswer(&'static str);

impl Answer for NamedAnswer {
    fn give(self, _outcome: Result<Output>, _ticket: Option<Ticket>) {}
}

struct Session {
    queues: SessionQueues<NamedAnswer>,
    view: Arc<View>,
}

impl Session {
    fn new() -> Session {
        Session {
            queues: SessionQueues::new(TIMEOUT),
            view: View::new(Options::default()),
        }
    }

    fn request(&self, name: &'static str) -> Box<SessionRequest<NamedAnswer>> {
        let op = match name.split_once(' ').map_or(name, |(what, _)| what) {
            "get" => SessionOp::Get,
            "has" => SessionOp::Has,
            "touch" => SessionOp::Touch { expires: 0 },
            _ => SessionOp::Destroy,
        };
        Box::new(SessionRequest {
            caller: Caller {
                view: self.view.clone(),
                answer: NamedAnswer(name),
                ticket: Arc::default(),
            },
            target: RecordRef::untraced(
                Key::new("test", "sessions", as_val!("a")).unwrap(),
                Instant::now() + TIMEOUT,
            ),
            op,
        })
    }

    fn digest(&self) -> Digest {
        self.request("get").digest()
    }

    fn enter(&self, name: &'static str) -> &'static str {
        match self.queues.enter(self.request(name)) {
            Entered::Runs(_) => "runs",
            Entered::Waits => "waits",
            Entered::WaitsWatched => "waits and is watched",
        }
    }

    fn next(&self) -> Option<&'static str> {
        self.queues
            .next(&self.digest())
            .map(|one| one.caller.answer.0)
    }

    fn take_overtaking(&self) -> Vec<&'static str> {
        names(self.queues.take_overtaking(&self.digest()))
    }
}

#[allow(clippy::vec_box)]
fn names(requests: Option<Vec<Box<SessionRequest<NamedAnswer>>>>) -> Vec<&'static str> {
    let requests = requests.unwrap_or_default();
    requests.iter().map(|one| one.caller.answer.0).collect()
}

#[tokio::test(start_paused = true)]
async fn a_read_overtakes_a_touch_early_but_not_a_write() {
    let session = Session::new();
    assert_eq!(session.enter("touch"), "runs");
    assert_eq!(session.enter("get"), "waits and is watched");
    assert_eq!(session.enter("destroy"), "waits");
    assert_eq!(session.enter("get 2"), "waits");
    assert_eq!(session.take_overtaking(), [""; 0]);
    let overtakes_at = session.queues.next_overtake(&session.digest()).unwrap();
    assert_eq!(overtakes_at, Instant::now() + WRITE_WAIT / 10);
    tokio::time::sleep_until(overtakes_at).await;
    assert_eq!(session.take_overtaking(), ["get"]);
    assert!(
        session
            .queues
            .finish_overtaking(&session.digest())
            .is_none()
    );
    assert_eq!(session.next(), Some("destroy"));
    assert_eq!(session.next(), Some("get 2"));
    assert_eq!(session.next(), None);
    assert!(session.queues.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_read_waits_for_a_write_for_a_sixth_of_the_timeout() {
    let session = Session::new();
    assert_eq!(session.enter("destroy"), "runs");
    assert_eq!(session.enter("get"), "waits and is watched");
    tokio::time::sleep(WRITE_WAIT / 2).await;
    assert_eq!(session.enter("destroy 2"), "waits");
    assert_eq!(session.enter("has"), "waits");
    assert_eq!(session.enter("get 2"), "waits");
    let overtakes_at = session.queues.next_overtake(&session.digest()).unwrap();
    assert_eq!(overtakes_at, Instant::now() + WRITE_WAIT / 2);
    tokio::time::sleep_until(overtakes_at).await;
    assert_eq!(session.take_overtaking(), ["get"]);
    // One at a time. Reads that have waited long enough by then share the next one.
    assert!(session.queues.next_overtake(&session.digest()).is_none());
    tokio::time::sleep(WRITE_WAIT / 2).await;
    assert_eq!(session.enter("get 3"), "waits");
    assert_eq!(session.take_overtaking(), [""; 0]);
    let more = session.queues.finish_overtaking(&session.digest());
    assert_eq!(names(more), ["has"]);
    let more = session.queues.finish_overtaking(&session.digest());
    assert_eq!(names(more), ["get 2"]);
    assert_eq!(session.next(), Some("destroy 2"));
    assert_eq!(session.next(), Some("get 3"));
}

#[tokio::test(start_paused = true)]
async fn a_read_overtakes_a_touch_early_even_if_a_read_waited_for_a_write_before() {
    let session = Session::new();
    assert_eq!(session.enter("destroy"), "runs");
    assert_eq!(session.enter("get"), "waits and is watched");
    assert_eq!(session.enter("touch"), "waits");
    assert_eq!(session.next(), Some("get"));
    assert_eq!(session.next(), Some("touch"));
    assert_eq!(session.enter("get 2"), "waits and is watched");
    let overtakes_at = session.queues.next_overtake(&session.digest()).unwrap();
    assert_eq!(overtakes_at, Instant::now() + WRITE_WAIT / 10);
    assert_eq!(session.enter("get 3"), "waits");
    tokio::time::sleep_until(overtakes_at).await;
    assert_eq!(session.take_overtaking(), ["get 2", "get 3"]);
}

#[tokio::test(start_paused = true)]
async fn reads_behind_a_read_are_not_watched_and_share_the_next() {
    let session = Session::new();
    assert_eq!(session.enter("get"), "runs");
    assert_eq!(session.enter("get 2"), "waits");
    assert_eq!(session.enter("get 3"), "waits");
    assert_eq!(session.enter("destroy"), "waits");
    assert_eq!(session.enter("get 4"), "waits and is watched");
    assert_eq!(session.next(), Some("get 2"));
    let equal = session.queues.take_equal(&session.request("get"));
    assert_eq!(names(Some(equal)), ["get 3"]);
    assert_eq!(session.next(), Some("destroy"));
}

#[tokio::test(start_paused = true)]
async fn a_read_after_an_acknowledged_write_runs_after_it() {
    let session = Session::new();
    assert_eq!(session.enter("destroy"), "runs");
    assert_eq!(session.enter("get"), "waits and is watched");
    tokio::time::sleep(WRITE_WAIT).await;
    assert_eq!(session.take_overtaking(), ["get"]);
    // The write has ended, but the overtaking read still runs.
    assert_eq!(session.next(), None);
    assert_eq!(session.enter("get 2"), "runs");
    assert!(
        session
            .queues
            .finish_overtaking(&session.digest())
            .is_none()
    );
    assert_eq!(session.next(), None);
    assert!(session.queues.lock().is_empty());
}
