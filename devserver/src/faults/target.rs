//! What the filters of a fault look at: a request, or one record of it.

use std::borrow::Cow;

use super::operations::Operation;
use crate::storage::namespace::Namespace;
use crate::storage::record::Digest;
use crate::wire::consts::{info2, op};
use crate::wire::message::{Fields, Header, Message, Op};

/// A request or record, as the filters of faults see it.
pub struct Target<'a> {
    pub operation: Operation,
    /// Whether an overloaded device refuses it, as it does writes. The Community Edition still accepts deletes
    /// (`delete_storage_overloaded()` in `as/src/transaction/delete_ce.c`).
    pub needs_device: bool,
    pub namespace: Option<&'a [u8]>,
    /// `None` if there is no record, empty for a record without a set.
    pub set: Option<Cow<'a, [u8]>>,
    pub digest: Option<Digest>,
}

impl<'a> Target<'a> {
    /// Returns the target of a single command, or of a query.
    pub fn of_message(message: &Message<'a>) -> Target<'a> {
        let digest = message.fields.digest;
        let mut target = Target::of_command(&message.header, &message.fields, &message.ops);
        target.digest = digest.and_then(|digest| digest.try_into().ok());
        if digest.is_none() {
            target.operation = Operation::Query;
            target.needs_device = false;
        }
        target
    }

    /// Returns the target of a whole batch.
    pub fn of_batch() -> Target<'static> {
        Target::of(Operation::Batch)
    }

    /// Returns the target of one row of a batch, or of the record of a single command. If the request does not name
    /// the set, it is that of the stored record.
    pub fn of_record(
        namespace: &Namespace,
        digest: Digest,
        header: &Header,
        fields: &Fields<'a>,
        ops: &[Op<'_>],
    ) -> Target<'a> {
        let mut target = Target::of_command(header, fields, ops);
        target.digest = Some(digest);
        if fields.set.is_none() {
            let set_id = namespace.lock(&digest).any().map(|record| record.set_id);
            let name = |id| namespace.sets.name(id).unwrap_or_default();
            target.set = set_id.map(|id| Cow::Owned(name(id).as_bytes().to_vec()));
        }
        target
    }

    /// Returns a target with nothing but an operation.
    pub fn of(operation: Operation) -> Target<'static> {
        Target {
            operation,
            needs_device: false,
            namespace: None,
            set: None,
            digest: None,
        }
    }

    fn of_command(header: &Header, fields: &Fields<'a>, ops: &[Op<'_>]) -> Target<'a> {
        let is_write = header.info2 & info2::WRITE != 0;
        Target {
            operation: match is_write {
                true => write_operation(header, ops),
                false => Operation::Read,
            },
            needs_device: is_write && header.info2 & info2::DELETE == 0,
            namespace: fields.namespace,
            set: Some(Cow::Borrowed(fields.set.unwrap_or_default())),
            digest: None,
        }
    }
}

/// Returns what a request with the flag for writes does.
fn write_operation(header: &Header, ops: &[Op<'_>]) -> Operation {
    let deletes = |op: &Op<'_>| op.code == op::DELETE_ALL;
    if header.info2 & info2::DELETE != 0 || ops.iter().any(deletes) {
        return Operation::Delete;
    }
    let mut changes = ops.iter().filter(|op| !op.is_read());
    let is_touch = changes.clone().next().is_some() && changes.all(|op| op.code == op::TOUCH);
    if is_touch {
        Operation::Touch
    } else {
        Operation::Write
    }
}
