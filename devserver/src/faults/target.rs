//! What a fault looks at: a request, or one record of it.

use std::borrow::Cow;

use super::words::Operation;
use crate::cmd::batch::Batch;
use crate::cmd::request::Request;
use crate::security::Access;
use crate::state::State;
use crate::storage::namespace::Namespace;
use crate::storage::record::Digest;
use crate::wire::consts::{info1, info2, op};
use crate::wire::message::{Fields, Header, Message, Op};
use crate::wire::proto::FrameType;

/// A request, as far as faults care.
pub struct Target<'a> {
    pub operation: Operation,
    /// Whether it goes the way of a write, which an overloaded device closes. That of a delete stays open in the
    /// Community Edition (`delete_storage_overloaded()` in `as/src/transaction/delete_ce.c`).
    pub needs_device: bool,
    pub namespace: Option<&'a [u8]>,
    /// `None` where there is no record; empty for a record without a set.
    pub set: Option<Cow<'a, [u8]>>,
    pub digest: Option<Digest>,
}

impl<'a> Target<'a> {
    /// Shows a whole frame to `look`; of a batch also each row, since it does what they do.
    pub fn each_of_frame(
        state: &State,
        kind: FrameType,
        body: &[u8],
        mut look: impl FnMut(&Target<'_>),
    ) {
        match kind {
            FrameType::Info => look(&Target::of(Operation::Info)),
            FrameType::Security => look(&Target::of(Operation::Login)),
            FrameType::Message | FrameType::Compressed => {
                if body.get(1).is_some_and(|byte| byte & info1::BATCH != 0) {
                    look(&Target::of_batch());
                    if let Ok(batch) = Batch::parse(state, &Access::Open, body) {
                        batch.each_target(look);
                    }
                    return;
                }
                match Message::parse(body) {
                    Ok(message) => look(&Target::of_message(&message)),
                    // What cannot be read is refused as a read of nothing.
                    Err(_) => look(&Target::of(Operation::Read)),
                }
            }
        }
    }

    /// A single command, or a query.
    pub fn of_message(message: &Message<'a>) -> Target<'a> {
        let digest = message.fields.digest;
        let mut target = Target::of_record(&message.header, &message.fields, &message.ops);
        target.digest = digest.and_then(|digest| digest.try_into().ok());
        if digest.is_none() {
            target.operation = Operation::Query;
            target.needs_device = false;
        }
        target
    }

    /// A batch as a whole.
    pub fn of_batch() -> Target<'static> {
        Target::of(Operation::Batch)
    }

    /// One row of a batch, or the record of a single command. A request may leave out the set of a record that is
    /// there.
    pub fn of_request(namespace: &Namespace, digest: Digest, request: &Request<'a>) -> Target<'a> {
        let mut target = Target::of_record(&request.header, &request.fields, request.ops);
        target.digest = Some(digest);
        if request.fields.set.is_none() {
            let set_id = namespace.lock(&digest).any().map(|record| record.set_id);
            let name = |id| namespace.sets.name(id).unwrap_or_default();
            target.set = set_id.map(|id| Cow::Owned(name(id).as_bytes().to_vec()));
        }
        target
    }

    fn of(operation: Operation) -> Target<'static> {
        Target {
            operation,
            needs_device: false,
            namespace: None,
            set: None,
            digest: None,
        }
    }

    fn of_record(header: &Header, fields: &Fields<'a>, ops: &[Op<'_>]) -> Target<'a> {
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

/// What a request with the flag for writes does.
fn write_operation(header: &Header, ops: &[Op<'_>]) -> Operation {
    let deletes = |op: &Op<'_>| op.code == op::DELETE_ALL;
    if header.info2 & info2::DELETE != 0 || ops.iter().any(deletes) {
        return Operation::Delete;
    }
    let mut changes = ops.iter().filter(|op| !crate::cmd::ops::is_read(op.code));
    let is_touch = changes.clone().next().is_some() && changes.all(|op| op.code == op::TOUCH);
    if is_touch {
        Operation::Touch
    } else {
        Operation::Write
    }
}
