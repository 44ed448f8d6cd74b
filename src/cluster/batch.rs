//! Commands as rows of a batch, and back.

use aerospike::policy::ReadTouchTtl;
use aerospike::{BatchDeletePolicy, BatchOperation, BatchReadPolicy, Error, Key};

use super::{policy, Command, Reply};

/// What the answer to a command looks like.
#[derive(Clone, Copy)]
pub enum Shape {
    Record,
    Done,
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
            (row, Shape::Record)
        }
        Command::Delete {
            reading,
            durable,
            only_if,
        } if reading.is_empty() => {
            let policy = BatchDeletePolicy {
                durable_delete: *durable,
                filter_expression: only_if.clone(),
                ..BatchDeletePolicy::default()
            };
            (BatchOperation::delete(&policy, key), Shape::Done)
        }
        _ => {
            let row = BatchOperation::write(&policy::row(command), key, command.operations());
            let shape = match command {
                Command::Write { .. } => Shape::Done,
                _ => Shape::Record,
            };
            (row, shape)
        }
    }
}

/// What a row has come to; `whole` is what the batch has.
pub fn reply(
    row: BatchOperation,
    shape: Shape,
    whole: &aerospike::Result<()>,
) -> aerospike::Result<Reply> {
    let row = row.into_batch_record();
    if let Some(error) = row.error() {
        return Err(error.clone());
    }
    match (row.record, shape) {
        (Some(record), Shape::Record) => Ok(Reply::Record(record)),
        (Some(_), Shape::Done) => Ok(Reply::Done),
        // Every row has an outcome, unless the batch has failed before it was sent.
        (None, _) => Err(match whole {
            Err(error) => error.clone(),
            Ok(()) => Error::client_error("a row of a batch was not answered"),
        }),
    }
}
