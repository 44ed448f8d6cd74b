//! One command, within its deadline, with retries.
//!
//! Every command may be repeated, also one that was perhaps applied: they all set absolute values, and what updates
//! a session does not create it. A whole write could bring back a session that was removed in between; but then it
//! was still under way when the session was removed, and might as well have come after that.

use std::time::Duration;

use aerospike::{Client, Key, ResultCode};
use tokio::time::{timeout_at, Instant};

use super::failure::{self, Kind};
use super::{policy, Cluster, Command, Reply};
use crate::error::{Code, Error, Result};

/// The first pause before a repetition; it doubles up to [`LONGEST_PAUSE`], with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// How long an operation may be unanswered before we look whether connections can be had at all.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs `command` until it is answered, up to `deadline`.
pub async fn run(
    cluster: &Cluster,
    key: &Key,
    command: &Command,
    deadline: Instant,
) -> Result<Reply> {
    let client = cluster.connection.client(deadline).await?;
    let lane = cluster.connection.routes().lane(key);
    let mut answer = lane.enter(&client, deadline, key, command);
    let mut answered = timeout_at(doubtful(cluster, deadline), &mut answer).await;
    if answered.is_err() {
        cluster.connection.doubts().no_connection();
        answered = timeout_at(deadline, answer).await;
    }
    let outcome = match answered {
        Ok(Ok(outcome)) => Some(outcome),
        Ok(Err(_)) if cluster.connection.is_closed() => return Err(Error::closed()),
        // Our time is up, or that of those it went with, and then ours is as well.
        Ok(Err(_)) | Err(_) => None,
    };
    // Rare, and much larger than all before: boxed, it is no part of every operation.
    let again = match judge(cluster, &client, command, outcome, None)? {
        Verdict::Answered(reply) => return Ok(reply),
        Verdict::Failed(error) => Box::pin(again(cluster, key, command, deadline, error)),
    };
    again.await
}

/// Repeats a command that failed, alone: a read then looks at the other replicas by itself.
async fn again(
    cluster: &Cluster,
    key: &Key,
    command: &Command,
    deadline: Instant,
    mut last: Error,
) -> Result<Reply> {
    let mut pause = FIRST_PAUSE;
    loop {
        let wake = Instant::now() + jittered(pause);
        if wake >= deadline {
            return Err(last);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        let attempt = async {
            tokio::time::sleep_until(wake).await;
            let client = cluster.connection.client(deadline).await?;
            // The crate's own timeouts start anew with every read from the socket; this one does not.
            let outcome =
                timeout_at(deadline, once(cluster, &client, key, command, deadline)).await;
            Ok::<_, Error>((client, outcome.ok()))
        };
        let attempt = tokio::select! {
            attempt = attempt => attempt,
            () = cluster.closed() => return Err(Error::closed()),
        };
        let (client, outcome) = match attempt {
            Ok(attempt) => attempt,
            // Nobody there: what was known before says more.
            Err(error) if error.code == Code::Unavailable => return Err(last),
            Err(error) => return Err(error.in_doubt(last.in_doubt)),
        };
        match judge(cluster, &client, command, outcome, Some(last))? {
            Verdict::Answered(reply) => return Ok(reply),
            Verdict::Failed(error) => last = error,
        }
    }
}

/// What an attempt has come to.
enum Verdict {
    Answered(Reply),
    /// It may well succeed the next time.
    Failed(Error),
}

/// `outcome`: `None` where the time was up. `last`: the failure of the attempt before.
fn judge(
    cluster: &Cluster,
    client: &Client,
    command: &Command,
    outcome: Option<aerospike::Result<Reply>>,
    last: Option<Error>,
) -> Result<Verdict> {
    let error = match outcome {
        Some(Ok(reply)) => return Ok(Verdict::Answered(reply)),
        Some(Err(error)) => error,
        None => {
            let mut told = last.unwrap_or_else(|| failure::late(&cluster.options, client));
            told.in_doubt |= client.is_connected() && command.is_write();
            return Err(explained(cluster, told));
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
    let told = failure::operation(&cluster.options, client, &error);
    if told.code == Code::Unavailable {
        cluster.connection.doubts().no_connection();
    }
    let mut told = explained(cluster, told);
    // Of what an earlier try may have done this one knows nothing.
    told.in_doubt |= last.is_some_and(|last| last.in_doubt);
    match is_passing {
        true => Ok(Verdict::Failed(told)),
        false => Err(told),
    }
}

/// When an operation that is not answered is to make us doubt that there is a connection for it.
fn doubtful(cluster: &Cluster, deadline: Instant) -> Instant {
    deadline - cluster.options.timeout.saturating_sub(PATIENCE)
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

async fn once(
    cluster: &Cluster,
    client: &Client,
    key: &Key,
    command: &Command,
    deadline: Instant,
) -> aerospike::Result<Reply> {
    let write = || policy::write(command, deadline);
    match command {
        Command::Read { bins, touch } => {
            let policy = policy::read(*touch, policy::replica(&cluster.options), deadline);
            let record = client.get(&policy, key, bins.clone()).await;
            record.map(Reply::Record)
        }
        Command::Write { bins, .. } => client.put(&write(), key, bins).await.map(|()| Reply::Done),
        Command::Delete { reading, .. } if reading.is_empty() => {
            let existed = client.delete(&write(), key).await?;
            Ok(if existed { Reply::Done } else { Reply::Missing })
        }
        _ => {
            let record = client.operate(&write(), key, &command.operations()).await;
            record.map(Reply::Record)
        }
    }
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
