//! One command, within its deadline, with retries.
//!
//! Every command may be repeated, also one that was perhaps applied: they all set absolute values, and what updates
//! a session does not create it. A whole write could bring back a session that was removed in between; but then it
//! was still under way when the session was removed, and might as well have come after that.
//!
//! An attempt gets a part of the time only, so that enough is left for another: a node that has died, or stopped answering,
//! is not waited for. Reads then go to other nodes that have the record, at once as soon as the node is known to be in
//! trouble, and take whichever answer comes first. Writes have to wait until the cluster has noticed as well and made another node the master, which takes two to
//! three seconds; they are repeated until then.

use std::sync::Arc;
use std::time::Duration;

use aerospike::{Bins, Client, Key, ResultCode};
use tokio::sync::oneshot::{self, error::RecvError};
use tokio::time::{timeout_at, Instant};

use super::failure::{self, Kind};
use super::lane::Outcome;
use super::trace::{Trace, Way};
use super::{policy, Cluster, Command, Reply};
use crate::error::{Code, Error, Result};

/// The first pause before a repetition; it doubles up to [`LONGEST_PAUSE`], with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// The part of its time that the first attempt of an operation gets.
const FIRST_PART: u32 = 3;
/// The part that an attempt gets where the last one failed; each further one gets twice that of the one before.
pub const SMALLEST_PART: u32 = 12;

/// Runs `command` until it is answered, up to `deadline`.
pub async fn run(
    cluster: &Cluster,
    key: &Key,
    command: &Command,
    deadline: Instant,
    trace: Option<&Arc<Trace>>,
) -> Result<Reply> {
    if command.is_too_big() {
        return Err(failure::too_big());
    }
    let client = cluster.connection.client(deadline).await?;
    let (outcome, pending) = match command.is_write() {
        true => {
            let patience = cluster.options.timeout / FIRST_PART;
            let written = write(cluster, &client, key, command, patience, deadline, trace);
            (written.await?, None)
        }
        false => read(cluster, &client, key, command, deadline, trace).await?,
    };
    // What follows is rare, and much larger than all before: boxed, it is no part of every operation.
    let again = match pending {
        Some(_) => {
            cluster.connection.routes().common().counters.retry();
            Box::pin(again(cluster, key, command, deadline, trace, None, pending))
        }
        None => match judge(cluster, &client, command, outcome, None)? {
            Verdict::Answered(reply) => return Ok(reply),
            Verdict::Failed(error) => {
                let error = Some(error);
                Box::pin(again(cluster, key, command, deadline, trace, error, None))
            }
        },
    };
    again.await.map_err(|error| explained(cluster, error))
}

/// A write, together with others, if there are any. `None` where its time is up, or that of those it went with.
///
/// A write that has left is waited for: as long as it may still be carried out it is not repeated, or else it might be
/// carried out after the repetition, and after what comes then; that would undo a change, or a logout.
async fn write(
    cluster: &Cluster,
    client: &Client,
    key: &Key,
    command: &Command,
    patience: Duration,
    deadline: Instant,
    trace: Option<&Arc<Trace>>,
) -> Result<Option<Outcome>> {
    let lane = cluster.connection.routes().lane(key, true);
    let patience = match lane.is_in_trouble() {
        true => patience.min(cluster.options.timeout / SMALLEST_PART),
        false => patience,
    };
    let until = deadline.min(Instant::now() + patience);
    let mut pass = lane.enter(client, deadline, key, command, trace);
    // The crate's own timeouts start anew with every read from the socket; these do not.
    let mut answer = timeout_at(until, &mut pass.answer).await;
    if answer.is_err() && !lane.withdraw(&pass) {
        answer = timeout_at(deadline, &mut pass.answer).await;
    }
    answer.map_or(Ok(None), |answer| received(cluster, command, answer))
}

/// A read, together with others, if there are any. If there is no answer soon, as there will hardly be from a node in
/// trouble, it is not waited for alone any more: `Some` is where it will come, if it does.
async fn read(
    cluster: &Cluster,
    client: &Client,
    key: &Key,
    command: &Command,
    deadline: Instant,
    trace: Option<&Arc<Trace>>,
) -> Result<(Option<Outcome>, Option<Pending>)> {
    let lane = cluster.connection.routes().lane(key, false);
    let patience = match lane.is_in_trouble() {
        true => Duration::ZERO,
        false => lane.silence(),
    };
    let until = deadline.min(Instant::now() + patience);
    let mut answer = lane.enter(client, deadline, key, command, trace).answer;
    match timeout_at(until, &mut answer).await {
        Ok(answer) => Ok((received(cluster, command, answer)?, None)),
        Err(_) => Ok((None, Some(answer))),
    }
}

type Pending = oneshot::Receiver<Outcome>;

/// What a lane has answered. `None`: its time was up.
fn received(
    cluster: &Cluster,
    command: &Command,
    answer: std::result::Result<Outcome, RecvError>,
) -> Result<Option<Outcome>> {
    match answer {
        Ok(Outcome::Away) => Ok(None),
        Ok(outcome) => Ok(Some(outcome)),
        Err(_) if cluster.connection.is_closed() => Err(Error::closed()),
        // Nobody gave it up for a reason: what carried it has panicked.
        Err(_) => Err(Error::given_up().in_doubt(command.is_write())),
    }
}

/// Makes further attempts. `last` is the failure of the first, if there was one; `pending`, where it may still be answered.
async fn again(
    cluster: &Cluster,
    key: &Key,
    command: &Command,
    deadline: Instant,
    trace: Option<&Arc<Trace>>,
    mut last: Option<Error>,
    mut pending: Option<Pending>,
) -> Result<Reply> {
    let mut pause = FIRST_PAUSE;
    let mut patience = cluster.options.timeout / SMALLEST_PART;
    loop {
        if let Some(error) = last.take_if(|_| Instant::now() + pause >= deadline) {
            return Err(error);
        }
        let is_first = last.is_none();
        if !is_first {
            cluster.connection.routes().common().counters.retry();
        }
        let attempt = async {
            if !is_first {
                tokio::time::sleep(jittered(pause)).await;
            }
            let client = cluster.connection.client(deadline).await?;
            let outcome = match command.is_write() {
                // Together with others that wait for the same node.
                true => write(cluster, &client, key, command, patience, deadline, trace).await?,
                false => {
                    let until = deadline.min(Instant::now() + patience);
                    let elsewhere = async {
                        // An error means that the semaphore was closed, and it never is.
                        let _permit = cluster.elsewhere.acquire().await;
                        if let Some(trace) = trace {
                            // Which node it is, the crate alone knows.
                            trace.note(Way {
                                node: None,
                                together: 1,
                            });
                        }
                        once(&client, key, command, until).await
                    };
                    timeout_at(until, elsewhere).await.ok().map(Outcome::Own)
                }
            };
            Ok::<_, Error>((client, outcome))
        };
        let attempt = tokio::select! {
            biased;
            Some(reply) = late_reply(&mut pending) => return Ok(reply),
            attempt = attempt => attempt,
            () = cluster.closed() => return Err(Error::closed()),
        };
        let (client, outcome) = match attempt {
            Ok(attempt) => attempt,
            // Nobody there: what was known before says more.
            Err(error) if error.code == Code::Unavailable => return Err(last.unwrap_or(error)),
            Err(error) => return Err(error.in_doubt(last.is_some_and(|last| last.in_doubt))),
        };
        match judge(cluster, &client, command, outcome, last)? {
            Verdict::Answered(reply) => return Ok(reply),
            Verdict::Failed(error) if Instant::now() >= deadline => return Err(error),
            Verdict::Failed(error) => last = Some(error),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        patience *= 2;
    }
}

/// What a lane has answered after all, if that is of any use.
async fn late_reply(pending: &mut Option<Pending>) -> Option<Reply> {
    let answer = pending.as_mut()?.await;
    *pending = None;
    match answer.ok()? {
        Outcome::Own(Ok(reply)) => Some(reply),
        Outcome::Own(Err(error)) if matches!(failure::kind(&error), Kind::Missing) => {
            Some(Reply::Missing)
        }
        _ => None,
    }
}

/// What an attempt has come to.
enum Verdict {
    Answered(Reply),
    /// It may well succeed the next time.
    Failed(Error),
}

/// `outcome`: `None` where its time was up. `last`: the failure of the attempt before.
fn judge(
    cluster: &Cluster,
    client: &Client,
    command: &Command,
    outcome: Option<Outcome>,
    last: Option<Error>,
) -> Result<Verdict> {
    let error = match outcome {
        Some(Outcome::Own(Ok(reply))) => return Ok(Verdict::Answered(reply)),
        Some(Outcome::Own(Err(error))) => error,
        // Another's fault, or ours: alone it will show.
        Some(Outcome::Lost(error)) => {
            let told = failure::operation(&cluster.options, client, &error);
            return Ok(Verdict::Failed(told));
        }
        Some(Outcome::Away) | None => {
            cluster.connection.doubts().no_connection();
            let mut told = last.unwrap_or_else(|| failure::late(&cluster.options, client));
            told.in_doubt |= client.is_connected() && command.is_write();
            return Ok(Verdict::Failed(told));
        }
    };
    let is_passing = match failure::kind(&error) {
        Kind::Missing => return Ok(Verdict::Answered(Reply::Missing)),
        Kind::Moved => return Ok(Verdict::Answered(Reply::Moved)),
        Kind::WrongType => return Ok(Verdict::Answered(Reply::WrongType)),
        Kind::Final => false,
        Kind::Passing => true,
    };
    if failure::is_not_logged_in(&error) {
        cluster.connection.doubts().not_logged_in();
    }
    let mut told = failure::operation(&cluster.options, client, &error);
    if told.code == Code::Unavailable {
        cluster.connection.doubts().no_connection();
    }
    // Of what an earlier try may have done this one knows nothing.
    told.in_doubt |= last.is_some_and(|last| last.in_doubt);
    match is_passing {
        true => Ok(Verdict::Failed(told)),
        false => Err(told),
    }
}

/// That there is no connection, or none in time, has a reason of its own where connecting anew is refused.
fn explained(cluster: &Cluster, error: Error) -> Error {
    match error.code {
        Code::Unavailable | Code::Timeout => match cluster.connection.doubts().finding() {
            Some(reason) => reason.in_doubt(error.in_doubt),
            None => error,
        },
        _ => error,
    }
}

/// Between half of `pause` and all of it, so that many waiting operations do not return at once.
fn jittered(pause: Duration) -> Duration {
    // Clock noise is jitter enough: nothing depends on its quality.
    let noise = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |now| now.subsec_nanos() % 1_000);
    pause / 2 + (pause / 2) * noise / 1_000
}

/// A command that reads, alone, from whichever node has the record and answers.
async fn once(
    client: &Client,
    key: &Key,
    command: &Command,
    until: Instant,
) -> aerospike::Result<Reply> {
    let (bins, touch) = match command {
        Command::Read { bins, touch } => (bins.clone(), *touch),
        _ => (Bins::None, None),
    };
    let record = client.get(&policy::read(touch, until), key, bins).await;
    record.map(Reply::Record)
}

/// Result codes that a later attempt may well not meet.
pub fn is_passing(code: ResultCode) -> bool {
    matches!(
        code,
        ResultCode::Timeout
            | ResultCode::KeyBusy
            | ResultCode::DeviceOverload
            | ResultCode::PartitionUnavailable
            // A connection whose login is no more: another one, or another client, has one.
            | ResultCode::NotAuthenticated
            | ResultCode::ExpiredSession
    )
}
