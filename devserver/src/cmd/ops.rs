//! One operation on one bin: its result, or its effect on the bin.

use std::borrow::Cow;

use crate::cdt;
use crate::exp::{self, View};
use crate::storage::namespace::Namespace;
use crate::storage::record::{BinName, Digest, Record};
use crate::wire::consts::{op, particle};
use crate::wire::message::Op;
use crate::wire::particle::Particle;
use crate::wire::result::{Outcome, ResultCode};

/// Executes an operation that reads (`process_bin_read_op()` in `as/src/transaction/rw_utils.c`).
///
/// The outer `None` means that the bin does not exist, the inner one that the operation has no result.
pub fn read<'v>(view: &View<'v>, op: &Op<'_>) -> Outcome<Option<Option<Cow<'v, Particle>>>> {
    if op.code == op::EXP_READ {
        return Ok(Some(exp::op::read(view, op.value)?.map(Cow::Owned)));
    }
    if !op.is_read() {
        return Err(ResultCode::PARAMETER);
    }
    let Some(value) = view.record.bins.get(op.name) else {
        return Ok(None);
    };
    match op.code {
        op::READ => Ok(Some(Some(Cow::Borrowed(value)))),
        op::CDT_READ => Ok(Some(cdt::read(value, op.value)?.map(Cow::Owned))),
        // Bit and HyperLogLog operations are not implemented.
        _ => Err(ResultCode::UNSUPPORTED_FEATURE),
    }
}

/// Executes an operation that changes the record. Returns its result, if it has one.
pub fn modify(
    namespace: &Namespace,
    digest: &Digest,
    record: &mut Record,
    op: &Op<'_>,
) -> Outcome<Option<Particle>> {
    let name = BinName::new(op.name)?;
    match op.code {
        op::WRITE if op.particle == particle::NULL => record.bins.remove(op.name),
        op::WRITE => record
            .bins
            .set(name, Particle::from_wire(op.particle, op.value)?),
        op::INCR | op::APPEND | op::PREPEND => {
            let value = match record.bins.get(op.name) {
                // All of these create a missing bin (`as_bin_particle_modify_from_client()`).
                None => Particle::from_wire(op.particle, op.value)?,
                Some(_) if op.particle == particle::NULL => return Err(ResultCode::PARAMETER),
                Some(old) if op.code == op::INCR => old.increment(op.particle, op.value)?,
                Some(old) => old.concat(op.particle, op.value, op.code == op::PREPEND)?,
            };
            record.bins.set(name, value);
        }
        op::DELETE_ALL => record.bins.clear(),
        op::CDT_MODIFY => {
            let change = cdt::modify(record.bins.get(op.name), op.value)?;
            if let Some(value) = change.value {
                record.bins.set(name, value);
            }
            return Ok(change.result);
        }
        op::EXP_MODIFY => {
            match exp::op::modify(&View::new(namespace, digest, record), op.name, op.value)? {
                exp::op::Change::Keep => {}
                exp::op::Change::Set(value) => record.bins.set(name, value),
                exp::op::Change::Remove => record.bins.remove(op.name),
            }
        }
        op::BITS_MODIFY | op::HLL_MODIFY => return Err(ResultCode::UNSUPPORTED_FEATURE),
        _ => return Err(ResultCode::PARAMETER),
    }
    Ok(None)
}
