//! An operation that outlives the request's buffer.

use crate::wire::message::Op;

/// An operation that outlives the request's buffer.
pub struct OwnedOp {
    code: u8,
    particle: u8,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl From<&Op<'_>> for OwnedOp {
    fn from(op: &Op<'_>) -> OwnedOp {
        OwnedOp {
            code: op.code,
            particle: op.particle,
            name: op.name.to_vec(),
            value: op.value.to_vec(),
        }
    }
}

impl<'a> From<&'a OwnedOp> for Op<'a> {
    fn from(op: &'a OwnedOp) -> Op<'a> {
        Op {
            code: op.code,
            particle: op.particle,
            name: &op.name,
            value: &op.value,
        }
    }
}
