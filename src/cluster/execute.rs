//! One command, within its deadline, with retries.
//!
//! Every command may be repeated, also one that was perhaps applied: they all set absolute values, and what updates
//! a session does not create it. A whole write could bring back a session that was removed in between; but then it
//! was still under way when the session was removed, and might as well have come after that.

use std::time::Duration;

use aerospike::operations;
use aerospike::{Client, Key, ResultCode};
use tokio::time::{timeout_at, Instant};

use super::failure::{self, Kind};
use super::lane::Turn;
use super::{batch, Cluster, Command, Reply};
use crate::error::{Error, Result};

/// The first pause before a repetition; it doubles up to [`LONGEST_PAUSE`], with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Runs `command` until it is answered, up to `deadline`.
pub async fn run(
    cluster: &Cluster,
    key: &Key,
    command: &Command,
    deadline: Instant,
) -> Result<Reply> {
    let mut pause = FIRST_PAUSE;
    let mut last: Option<Error> = None;
    let mut is_first = true;
    loop {
        let client = match cluster.connection.client(deadline).await {
            Ok(client) => client,
            Err(error) => return Err(last.unwrap_or(error)),
        };
        let attempt = async {
            match std::mem::take(&mut is_first) {
                true => in_turn(cluster, &client, key, command, deadline).await,
                // Alone: a read then looks at the other replicas by itself.
                false => Box::pin(once(cluster, &client, key, command, deadline)).await,
            }
        };
        // The crate's own timeouts start anew with every read from the socket; this one does not.
        let error = match timeout_at(deadline, attempt).await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(error)) => {
                let is_passing = match failure::kind(&error) {
                    Kind::Missing => return Ok(Reply::Missing),
                    Kind::Moved => return Ok(Reply::Moved),
                    Kind::WrongType => return Ok(Reply::WrongType),
                    Kind::Final => false,
                    Kind::Passing => true,
                };
                let mut told = failure::operation(&cluster.options, &client, &error);
                // Of what an earlier try may have done this one knows nothing.
                told.in_doubt |= last.is_some_and(|last| last.in_doubt);
                if !is_passing {
                    return Err(told);
                }
                told
            }
            Err(_) => {
                let mut told = last.unwrap_or_else(|| failure::late(&cluster.options, &client));
                told.in_doubt |= client.is_connected() && command.is_write();
                return Err(told);
            }
        };
        last = Some(error);
        let wake = Instant::now() + jittered(pause);
        if wake >= deadline {
            return Err(last.unwrap_or_else(|| cluster.unreachable()));
        }
        tokio::time::sleep_until(wake).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
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

/// Goes alone at once, or, while much is under way to the node, together with others.
async fn in_turn(
    cluster: &Cluster,
    client: &Client,
    key: &Key,
    command: &Command,
    deadline: Instant,
) -> aerospike::Result<Reply> {
    let lane = cluster.connection.routes().lane(key);
    match lane.enter(client, deadline, || {
        batch::row(&cluster.policies, key, command)
    }) {
        // The crate's futures are large; boxed, they are not part of every request's own, which is
        // moved on its way to its task, also where it goes in a batch.
        Turn::Go(_flight) => Box::pin(once(cluster, client, key, command, deadline)).await,
        Turn::Wait(answer) => match answer.await {
            Ok(reply) => reply,
            // The others' time was up, and so is ours.
            Err(_) => std::future::pending().await,
        },
    }
}

async fn once(
    cluster: &Cluster,
    client: &Client,
    key: &Key,
    command: &Command,
    deadline: Instant,
) -> aerospike::Result<Reply> {
    let policies = &cluster.policies;
    let write = policies.write(command, deadline).unwrap_or_default();
    match command {
        Command::Read { bins, touch } => client
            .get(&policies.read(*touch, deadline), key, bins.clone())
            .await
            .map(Reply::Record),
        Command::Write { bins, .. } => client.put(&write, key, bins).await.map(|()| Reply::Done),
        Command::Change { operations, .. } | Command::Upsert { operations, .. } => {
            let record = client.operate(&write, key, operations).await;
            record.map(Reply::Record)
        }
        Command::Delete { reading, .. } if reading.is_empty() => {
            let existed = client.delete(&write, key).await?;
            Ok(if existed { Reply::Done } else { Reply::Missing })
        }
        Command::Delete { reading, .. } => {
            let mut operations = reading.clone();
            operations.push(operations::delete());
            let record = client.operate(&write, key, &operations).await;
            record.map(Reply::Record)
        }
    }
}

impl Command {
    pub(super) fn is_write(&self) -> bool {
        !matches!(self, Command::Read { .. })
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
    )
}
