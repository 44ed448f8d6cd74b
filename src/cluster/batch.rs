//! Turns commands into rows of a batch, and answered rows into outcomes.

use aerospike::policy::ReadTouchTtl;
use aerospike::{BatchDeletePolicy, BatchOperation, BatchReadPolicy, Error, Key};

use super::command::{Command, Repeat, Reply};
use super::failure::Failure;
use super::policy;
use super::rows::Row;
use crate::failpoint;

/// The outcome of one attempt of a command.
// Not boxed, like `Reply`: a box would cost one more allocation for each command.
#[allow(clippy::large_enum_variant)]
pub enum Outcome {
    /// The command has its own answer, or its own failure.
    Own(Result<Reply, Failure>),
    /// The batch was given up at a row that cannot be read. This row has no answer of its own, and is probably not the unreadable
    /// one.
    NoAnswer(Failure),
    /// The command was sent, but not answered in time: the node is silent, or its batch ended with an earlier deadline.
    TimedOut,
    /// The store was closed before the command was sent.
    Closed,
}

/// The form of the answer to a command.
#[derive(Clone, Copy)]
pub enum Shape {
    /// The bins that were read: the whole session, or a part that is about as large.
    Read,
    /// The bins of a [`Command::Check`] or a [`Command::ReadSmall`], which say nothing about the size of the session.
    Check,
    /// A header, and the bins that the write has read.
    Record,
    /// Like [`Shape::Record`], for a command that is not repeated if it is in doubt.
    Count,
    /// No record.
    Done,
}

impl Shape {
    pub fn is_read(self) -> bool {
        matches!(self, Shape::Read)
    }

    pub fn is_count(self) -> bool {
        matches!(self, Shape::Count)
    }
}

/// Returns a command as a row of a batch, under the same policies as a command sent alone.
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
        Command::ReadSteps { .. } => {
            let policy = BatchReadPolicy::default();
            let row = BatchOperation::read_ops(&policy, key, command.operations());
            (row, Shape::Read)
        }
        Command::Check { bins } | Command::ReadSmall { bins } => {
            let policy = BatchReadPolicy {
                read_touch_ttl: ReadTouchTtl::DontReset,
                ..BatchReadPolicy::default()
            };
            let row = BatchOperation::read(&policy, key, bins.clone());
            (row, Shape::Check)
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
            let shape = match command.repeat() {
                Repeat::Always => Shape::Record,
                Repeat::UnlessInDoubt => Shape::Count,
            };
            (row, shape)
        }
    }
}

/// Returns the outcome of a row. `batch` is the outcome of the whole batch. `is_alone`: the batch has no other row.
pub fn outcome(row: Row, shape: Shape, is_alone: bool, batch: &Result<(), Failure>) -> Outcome {
    let row = match row {
        Row::Client(row) => row.into_batch_record(),
        #[cfg(test)]
        Row::Simulated(row) => {
            return match row.outcome {
                Some(outcome) => Outcome::Own(outcome),
                None => unanswered(is_alone, batch),
            };
        }
    };
    failpoint::panic_in("flight", row.key.set_name());
    if let Some(error) = row.error() {
        let failure = Failure::Client(error.clone());
        return match is_alone || !failure.is_unreadable() {
            true => Outcome::Own(Err(failure)),
            false => Outcome::NoAnswer(failure),
        };
    }
    match (row.record, shape) {
        (Some(record), Shape::Read | Shape::Check | Shape::Record | Shape::Count) => {
            Outcome::Own(Ok(Reply::Record(record)))
        }
        (Some(_), Shape::Done) => Outcome::Own(Ok(Reply::Done)),
        (None, _) => unanswered(is_alone, batch),
    }
}

/// Returns the outcome of a row without an answer. Every row has one, unless the whole batch failed.
fn unanswered(is_alone: bool, batch: &Result<(), Failure>) -> Outcome {
    match batch {
        Err(failure) if !is_alone && failure.is_unreadable() => Outcome::NoAnswer(failure.clone()),
        Err(failure) => Outcome::Own(Err(failure.clone())),
        Ok(()) => {
            let error = Error::client_error("a row of a batch was not answered");
            Outcome::Own(Err(Failure::Client(error)))
        }
    }
}
