//! Commands as rows of a batch, and back.

use aerospike::policy::ReadTouchTtl;
use aerospike::{BatchDeletePolicy, BatchOperation, BatchReadPolicy, Error, Key};

use super::command::{Command, Reply};
use super::failure::Failure;
use super::policy;
use super::rows::Row;
use crate::failpoint;

/// What came of an operation.
// As `Reply`: a box would be one allocation more for each.
#[allow(clippy::large_enum_variant)]
pub enum Outcome {
    /// Of its own doing.
    Own(Result<Reply, Failure>),
    /// It has none: the answer to all was given up at a row that cannot be read, and it was not this one, as far as is
    /// known.
    Lost(Failure),
    /// It was sent away: the node is silent, or the time of those it went with was up.
    TimedOut,
    /// The store was closed before it left.
    Closed,
}

/// What the answer to a command looks like.
#[derive(Clone, Copy)]
pub enum Shape {
    /// What a read returns.
    Read,
    /// A header, and what was read besides.
    Record,
    Done,
}

impl Shape {
    pub fn is_read(self) -> bool {
        matches!(self, Shape::Read)
    }
}

/// A command as a row of a batch, under the policies it would have alone.
pub fn row(key: &Key, command: &Command) -> (BatchOperation, Shape) {
    let key = key.clone();
    match command {
        Command::Read { bins, touch } => {
            let mut policy = BatchReadPolicy::default();
            if let Some(percent) = touch {
                policy.read_touch_ttl = ReadTouchTtl::Percent(*percent);
            }
            let row = BatchOperation::read(&policy, key, bins.clone());
            (row, Shape::Read)
        }
        Command::Delete {
            reading,
            durable,
            only_if,
        } if reading.is_empty() => {
            let policy = BatchDeletePolicy {
                durable_delete: *durable,
                filter_expression: Some(only_if.clone()),
                ..BatchDeletePolicy::default()
            };
            (BatchOperation::delete(&policy, key), Shape::Done)
        }
        _ => {
            let row = BatchOperation::write(&policy::row(command), key, command.operations());
            (row, Shape::Record)
        }
    }
}

/// What a row has come to; `whole` is what the batch has, `alone`: with no other row.
pub fn outcome(row: Row, shape: Shape, alone: bool, whole: &Result<(), Failure>) -> Outcome {
    let row = match row {
        Row::Client(row) => row.into_batch_record(),
        #[cfg(test)]
        Row::Simulated(row) => {
            return match row.outcome {
                Some(outcome) => Outcome::Own(outcome),
                None => unanswered(alone, whole),
            };
        }
    };
    failpoint::panic_in("flight", row.key.set_name());
    if let Some(error) = row.error() {
        let failure = Failure::Client(error.clone());
        return match alone || !failure.is_unreadable() {
            true => Outcome::Own(Err(failure)),
            false => Outcome::Lost(failure),
        };
    }
    match (row.record, shape) {
        (Some(record), Shape::Read | Shape::Record) => Outcome::Own(Ok(Reply::Record(record))),
        (Some(_), Shape::Done) => Outcome::Own(Ok(Reply::Done)),
        (None, _) => unanswered(alone, whole),
    }
}

/// Every row has an outcome, unless the batch has failed as a whole.
fn unanswered(alone: bool, whole: &Result<(), Failure>) -> Outcome {
    match whole {
        Err(failure) if !alone && failure.is_unreadable() => Outcome::Lost(failure.clone()),
        Err(failure) => Outcome::Own(Err(failure.clone())),
        Ok(()) => {
            let error = Error::client_error("a row of a batch was not answered");
            Outcome::Own(Err(Failure::Client(error)))
        }
    }
}
