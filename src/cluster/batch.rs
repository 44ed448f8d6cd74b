//! Commands as rows of a batch, and back.

use aerospike::policy::ReadTouchTtl;
use aerospike::{BatchDeletePolicy, BatchOperation, BatchReadPolicy, Error, ErrorKind, Key};

use super::lane::Outcome;
use super::{policy, Command, Reply};
use crate::planted;

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
pub fn outcome(
    row: BatchOperation,
    shape: Shape,
    alone: bool,
    whole: &aerospike::Result<()>,
) -> Outcome {
    let row = row.into_batch_record();
    planted::panic_in("flight", row.key.set_name());
    if let Some(error) = row.error() {
        return match alone || !is_unreadable(error) {
            true => Outcome::Own(Err(error.clone())),
            false => Outcome::Lost(error.clone()),
        };
    }
    Outcome::Own(match (row.record, shape) {
        (Some(record), Shape::Read | Shape::Record) => Ok(Reply::Record(record)),
        (Some(_), Shape::Done) => Ok(Reply::Done),
        // Every row has an outcome, unless the batch has failed as a whole.
        (None, _) => Err(match whole {
            Err(error) if !alone && is_unreadable(error) => return Outcome::Lost(error.clone()),
            Err(error) => error.clone(),
            Ok(()) => Error::client_error("a row of a batch was not answered"),
        }),
    })
}

/// Whether the crate could not make sense of what a node answered: it gives up the rest of the answer then, and all
/// rows in it.
fn is_unreadable(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidUtf8(_) | ErrorKind::BadResponse
    )
}
