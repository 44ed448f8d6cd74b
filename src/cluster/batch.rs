//! Commands as rows of a batch, and back.

use aerospike::operations;
use aerospike::policy::ReadTouchTtl;
use aerospike::{
    BatchDeletePolicy, BatchOperation, BatchReadPolicy, BatchWritePolicy, Error, Key, WritePolicy,
};
use tokio::time::Instant;

use super::policy::Policies;
use super::{Command, Reply};

/// What the answer to a command looks like.
#[derive(Clone, Copy)]
pub enum Shape {
    Record,
    Done,
}

/// A command as a row of a batch, under the policies it would have alone.
pub fn row(policies: &Policies, key: &Key, command: &Command) -> (BatchOperation, Shape) {
    let key = key.clone();
    // The deadline of a batch is that of the whole.
    let write = policies.write(command, Instant::now()).unwrap_or_default();
    match command {
        Command::Read { bins, touch } => {
            let mut policy = BatchReadPolicy::default();
            if let Some(percent) = touch {
                policy.read_touch_ttl = ReadTouchTtl::Percent(*percent);
            }
            let row = BatchOperation::read(&policy, key, bins.clone());
            (row, Shape::Record)
        }
        Command::Write { bins, .. } => {
            let puts: Vec<_> = bins.iter().map(operations::put).collect();
            let row = BatchOperation::write(&of_row(write), key, puts);
            (row, Shape::Done)
        }
        Command::Change { operations, .. } | Command::Upsert { operations, .. } => {
            let row = BatchOperation::write(&of_row(write), key, operations.clone());
            (row, Shape::Record)
        }
        Command::Delete { reading, .. } if reading.is_empty() => {
            let policy = BatchDeletePolicy {
                durable_delete: write.durable_delete,
                filter_expression: write.base_policy.filter_expression,
                ..BatchDeletePolicy::default()
            };
            (BatchOperation::delete(&policy, key), Shape::Done)
        }
        Command::Delete { reading, .. } => {
            let mut operations = reading.clone();
            operations.push(operations::delete());
            let row = BatchOperation::write(&of_row(write), key, operations);
            (row, Shape::Record)
        }
    }
}

/// The policy of a row, from that of a command alone.
fn of_row(policy: WritePolicy) -> BatchWritePolicy {
    BatchWritePolicy {
        record_exists_action: policy.record_exists_action,
        generation_policy: policy.generation_policy,
        generation: policy.generation,
        expiration: policy.expiration,
        send_key: policy.send_key,
        durable_delete: policy.durable_delete,
        filter_expression: policy.base_policy.filter_expression,
        ..BatchWritePolicy::default()
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
