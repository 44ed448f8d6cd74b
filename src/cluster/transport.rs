//! Sends commands: through the crate's client or, in tests, to a simulated cluster.
//!
//! The layers above decide on queues, batches, repetitions and timeouts.

use std::sync::Arc;

use aerospike::policy::{ReadPolicy, ReadTouchTtl, Replica};
use aerospike::{BatchPolicy, Bins, Client, Key, Record, WritePolicy};
#[cfg(test)]
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::batch::{self, Shape};
use super::command::{Command, Reply};
use super::failure::{self, Failure};
use super::options::Options;
use super::policy;
#[cfg(test)]
use super::rows::SimulatedRow;
use super::rows::{Row, Rows};
#[cfg(test)]
use super::scan::Query;
use super::trace::Trace;
use crate::error::Error;

#[derive(Clone)]
pub enum Transport {
    Client(Client),
    #[cfg(test)]
    Simulated(Arc<dyn Simulated>),
}

impl Transport {
    /// Returns a command as a row, and the form of its answer.
    #[cfg_attr(not(test), allow(unused_variables))]
    pub fn row(&self, key: &Key, command: &Command, trace: Option<&Arc<Trace>>) -> (Row, Shape) {
        let (row, shape) = batch::row(key, command);
        match self {
            Transport::Client(_) => (Row::Client(row), shape),
            #[cfg(test)]
            Transport::Simulated(_) => (
                Row::Simulated(SimulatedRow::new(key, command, trace)),
                shape,
            ),
        }
    }

    pub fn rows(&self, capacity: usize) -> Rows {
        match self {
            Transport::Client(_) => Rows::Client(Vec::with_capacity(capacity)),
            #[cfg(test)]
            Transport::Simulated(_) => Rows::Simulated(Vec::with_capacity(capacity)),
        }
    }

    /// Sends rows as one batch. Rows that were answered then hold their outcome, even if the batch has failed.
    pub async fn batch(&self, policy: &BatchPolicy, rows: &mut Rows) -> Result<(), Failure> {
        match (self, rows) {
            (Transport::Client(client), Rows::Client(rows)) => {
                client.batch(policy, rows).await.map_err(Failure::Client)
            }
            #[cfg(test)]
            (Transport::Simulated(cluster), Rows::Simulated(rows)) => cluster.batch(rows).await,
            #[cfg(test)]
            _ => unreachable!("rows of another transport"),
        }
    }

    /// Sends a command alone, to the node that has the record.
    pub async fn alone(
        &self,
        key: &Key,
        command: &Command,
        replica: Replica,
        deadline: Instant,
        #[cfg_attr(not(test), allow(unused_variables))] trace: Option<&Arc<Trace>>,
    ) -> Result<Reply, Failure> {
        #[cfg_attr(not(test), allow(clippy::infallible_destructuring_match))]
        let client = match self {
            Transport::Client(client) => client,
            #[cfg(test)]
            Transport::Simulated(cluster) => {
                let mut rows = [SimulatedRow::new(key, command, trace)];
                cluster.batch(&mut rows).await?;
                let [row] = rows;
                return row.outcome.unwrap_or(Err(Failure::Simulated(None, false)));
            }
        };
        let reply = match command {
            Command::Read { bins, touch } => {
                let policy = policy::read_alone(*touch, replica, deadline);
                client
                    .get(&policy, key, bins.clone())
                    .await
                    .map(Reply::Record)
            }
            Command::Check { bins } | Command::ReadSmall { bins } => {
                let mut policy = policy::read_alone(None, replica, deadline);
                policy.base_policy.read_touch_ttl = ReadTouchTtl::DontReset;
                client
                    .get(&policy, key, bins.clone())
                    .await
                    .map(Reply::Record)
            }
            Command::Delete { reading, .. } if reading.is_empty() => {
                let policy = policy::write_alone(command, replica, deadline);
                client
                    .delete(&policy, key)
                    .await
                    .map(|existed| match existed {
                        true => Reply::Done,
                        false => Reply::Missing,
                    })
            }
            _ => {
                let policy = policy::write_alone(command, replica, deadline);
                let operations = command.operations();
                client
                    .operate(&policy, key, &operations)
                    .await
                    .map(Reply::Record)
            }
        };
        reply.map_err(Failure::Client)
    }

    /// Reads one record, from any node that has it.
    pub async fn get(
        &self,
        policy: &ReadPolicy,
        key: &Key,
        command: &Command,
    ) -> Result<Record, Failure> {
        #[cfg_attr(not(test), allow(clippy::infallible_destructuring_match))]
        let client = match self {
            Transport::Client(client) => client,
            #[cfg(test)]
            Transport::Simulated(cluster) => return cluster.get(key, command).await,
        };
        let record = match command {
            Command::ReadSteps { .. } => {
                let policy = WritePolicy {
                    base_policy: policy.base_policy.clone(),
                    ..WritePolicy::default()
                };
                client.operate(&policy, key, &command.operations()).await
            }
            Command::Read { bins, .. } | Command::Check { bins } | Command::ReadSmall { bins } => {
                client.get(policy, key, bins.clone()).await
            }
            _ => client.get(policy, key, Bins::None).await,
        };
        record.map_err(Failure::Client)
    }

    pub fn is_connected(&self) -> bool {
        match self {
            Transport::Client(client) => client.is_connected(),
            #[cfg(test)]
            Transport::Simulated(_) => true,
        }
    }

    /// Returns whether it is known which nodes have the partitions of a namespace.
    pub fn knows(&self, namespace: &str) -> bool {
        match self {
            Transport::Client(client) => knows_namespace(client, namespace),
            #[cfg(test)]
            Transport::Simulated(_) => true,
        }
    }

    /// Returns our error for the failure of a command on a record of this namespace.
    pub fn to_error(&self, options: &Options, failure: &Failure, namespace: &str) -> Error {
        match (self, failure) {
            (Transport::Client(client), Failure::Client(error)) => {
                failure::operation(options, client, error, Some(namespace))
            }
            #[cfg(test)]
            _ => failure::simulated(failure),
        }
    }

    /// Returns the error of a command that is not answered by its deadline.
    pub fn timed_out(&self, options: &Options) -> Error {
        match self {
            Transport::Client(client) => failure::timed_out(options, client),
            #[cfg(test)]
            Transport::Simulated(_) => Error::new(crate::error::Code::Timeout, "no answer"),
        }
    }
}

/// A cluster in place of the crate, for tests.
#[cfg(test)]
pub trait Simulated: Send + Sync {
    fn batch<'a>(&'a self, rows: &'a mut [SimulatedRow]) -> BoxFuture<'a, Result<(), Failure>>;

    fn get<'a>(
        &'a self,
        key: &'a Key,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Record, Failure>>;

    /// Returns the records of a query.
    fn scan<'a>(&'a self, query: &'a Query<'_>) -> BoxFuture<'a, Result<Vec<Record>, Failure>>;
}

/// Returns whether the crate knows which nodes have the partitions of a namespace.
pub fn knows_namespace(client: &Client, namespace: &str) -> bool {
    client.is_strong_consistency(namespace).is_some()
}
