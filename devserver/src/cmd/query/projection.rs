//! The part of each record that a query returns.

use super::owned_op::OwnedOp;
use crate::cmd::ops;
use crate::exp::View;
use crate::wire::message::Op;
use crate::wire::response;

/// The part of each record that a query returns.
pub enum Projection {
    Everything,
    /// Generation and void time only.
    Metadata,
    /// The old form: names of bins. Records without any of these bins are left out.
    Bins(Vec<Vec<u8>>),
    Ops {
        ops: Vec<OwnedOp>,
        respond_all: bool,
    },
}

impl Projection {
    /// Writes the selected part of a record, and returns the number of bins or results. Returns `None` if the record
    /// is left out.
    pub fn write(&self, view: &View<'_>, out: &mut Vec<u8>) -> Option<u16> {
        let bins = &view.record.bins;
        let mut count = 0;
        match self {
            Projection::Metadata => return Some(0),
            Projection::Everything => {
                for bin in bins.iter() {
                    response::write_bin(out, bin.name.as_bytes(), &bin.value);
                    count += 1;
                }
                return Some(count);
            }
            Projection::Bins(names) => {
                for name in names {
                    if let Some(value) = bins.get(name) {
                        response::write_bin(out, name, value);
                        count += 1;
                    }
                }
            }
            Projection::Ops { ops, respond_all } => {
                for op in ops {
                    let op = Op::from(op);
                    let value = ops::read(view, &op).ok()?.flatten();
                    if value.is_some() || *respond_all {
                        response::write_op(out, op.code, op.name, value.as_deref());
                        count += 1;
                    }
                }
            }
        }
        (count > 0).then_some(count)
    }
}
