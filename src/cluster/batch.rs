//! Commands as rows of a batch, and back.

use aerospike::operations;
use aerospike::policy::ReadTouchTtl;
use aerospike::{
    BatchDeletePolicy, BatchOperation, BatchReadPolicy, BatchWritePolicy, Error, Expiration,
    GenerationPolicy, Key, RecordExistsAction,
};

use super::{Command, Reply};

/// What the answer to a command looks like.
#[derive(Clone, Copy)]
pub enum Shape {
    Record,
    Done,
}

/// A command as a row of a batch. Its policies are those of [`super::execute`].
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
        Command::Write {
            bins,
            replace,
            ttl,
            send_key,
        } => {
            let action = match replace {
                true => RecordExistsAction::Replace,
                false => RecordExistsAction::Update,
            };
            let mut policy = write(action, *ttl);
            policy.send_key = *send_key;
            let puts: Vec<_> = bins.iter().map(operations::put).collect();
            (BatchOperation::write(&policy, key, puts), Shape::Done)
        }
        Command::Change {
            operations,
            ttl,
            only_if,
            generation,
        } => {
            let mut policy = write(RecordExistsAction::UpdateOnly, *ttl);
            policy.filter_expression.clone_from(only_if);
            if let Some(generation) = generation {
                policy.generation_policy = GenerationPolicy::ExpectGenEqual;
                policy.generation = *generation;
            }
            let row = BatchOperation::write(&policy, key, operations.clone());
            (row, Shape::Record)
        }
        Command::Upsert {
            operations,
            ttl,
            send_key,
        } => {
            let mut policy = write(RecordExistsAction::Update, *ttl);
            policy.send_key = *send_key;
            let row = BatchOperation::write(&policy, key, operations.clone());
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
        Command::Delete {
            reading,
            durable,
            only_if,
        } => {
            let mut policy = write(RecordExistsAction::UpdateOnly, Expiration::DontUpdate);
            policy.durable_delete = *durable;
            policy.filter_expression.clone_from(only_if);
            let mut operations = reading.clone();
            operations.push(operations::delete());
            let row = BatchOperation::write(&policy, key, operations);
            (row, Shape::Record)
        }
    }
}

fn write(action: RecordExistsAction, ttl: Expiration) -> BatchWritePolicy {
    BatchWritePolicy {
        record_exists_action: action,
        expiration: ttl,
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
