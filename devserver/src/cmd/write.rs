//! Writes: put in all its kinds, incr, append, prepend, touch, and operations that write and read.
//! The order of the checks is that of `write_master()` in `as/src/transaction/write.c`.

use super::ops;
use super::request::Request;
use super::response_builder::ResponseBuilder;
use super::touch;
use crate::exp::View;
use crate::storage::namespace::{Namespace, Slot};
use crate::storage::record::{BinName, Digest, Record};
use crate::storage::{clock, expiry};
use crate::wire::consts::{MAX_BINS, MAX_OPS, info1, info2, info3, op, particle};
use crate::wire::message::Op;
use crate::wire::result::{Outcome, ResultCode};

/// The policies that follow from the flags and operations of a write.
struct Policies {
    must_exist: bool,
    is_replace: bool,
}

/// Writes a record, and adds the results of its operations to the response.
pub fn write(
    namespace: &Namespace,
    digest: Digest,
    request: &Request<'_>,
    response: &mut ResponseBuilder<'_>,
) -> Outcome<()> {
    if namespace.stops_writes() {
        return Err(ResultCode::OUT_OF_SPACE);
    }
    let policies = check_policies(request)?;
    request.refuse_transaction()?;
    let mut slot = namespace.lock(&digest);
    let mut record = find_or_create(namespace, &slot, &policies, request, response)?;
    let is_new = record.generation == 0;
    if !is_new && request.info2(info2::CREATE_ONLY) {
        return Err(ResultCode::RECORD_EXISTS);
    }
    request.check_generation(&record)?;
    let now = clock::now_ms();
    if is_new {
        record.set_id = namespace.sets.get_or_create(request.set())?;
        if namespace.is_truncated(record.set_id, now) {
            return Err(ResultCode::FORBIDDEN);
        }
    } else {
        request.check_set_on_update(namespace, &record)?;
        request.check_filter(namespace, &digest, &record)?;
    }
    request.store_key(&mut record)?;
    let ttl = expiry::check_ttl(&namespace.settings, request.header.ttl, is_new)?;

    let had_bins = !policies.is_replace && !record.bins.is_empty();
    if policies.is_replace {
        record.bins.clear();
    }
    record.void_time = expiry::void_time(&namespace.settings, &record, ttl, now);
    record.set_last_update(now);
    record.advance_generation();
    apply_ops(namespace, &digest, &mut record, request, response)?;

    if record.bins.is_empty() {
        // Removing the last bin removes the record.
        if !had_bins {
            return Err(ResultCode::NOT_FOUND);
        }
        request.refuse_durable_delete()?;
        response.describe_nothing();
        return slot.remove();
    }
    let set_name = namespace.sets.name(record.set_id);
    if record.flat_size(set_name.as_deref()) > namespace.settings.max_record_size() as usize {
        return Err(ResultCode::RECORD_TOO_BIG);
    }
    response.describe(&record);
    record.bins.shrink();
    slot.put(record)
}

/// Returns a copy of the record to work on (cheap, because it shares the values), or a new one of generation 0.
fn find_or_create(
    namespace: &Namespace,
    slot: &Slot<'_>,
    policies: &Policies,
    request: &Request<'_>,
    response: &mut ResponseBuilder<'_>,
) -> Outcome<Record> {
    if let Some(record) = slot.any() {
        response.describe(record);
        if !namespace.is_expired_or_truncated(record) {
            return Ok(record.clone());
        }
    }
    if policies.must_exist {
        return Err(ResultCode::NOT_FOUND);
    }
    let set_id = namespace.sets.find(request.set()).unwrap_or(0);
    Ok(Record::new(set_id))
}

/// Checks that the operations match the flags and each other (`write_master_policies()`).
fn check_policies(request: &Request<'_>) -> Outcome<Policies> {
    let header = &request.header;
    if request.ops.is_empty() || request.ops.len() > MAX_OPS {
        return Err(ResultCode::PARAMETER);
    }
    let has = |bit: u8| header.info3 & bit != 0;
    let policies = Policies {
        must_exist: has(info3::UPDATE_ONLY)
            || has(info3::REPLACE_ONLY)
            || touch::forbids_creation(request.ops),
        is_replace: has(info3::CREATE_OR_REPLACE) || has(info3::REPLACE_ONLY),
    };
    let (mut reads, mut read_alls, mut answers) = (false, 0, false);
    for op in request.ops {
        if op.code == op::TOUCH {
            if policies.is_replace {
                return Err(ResultCode::PARAMETER);
            }
            continue;
        }
        BinName::new(op.name)?;
        let changes_what_is_there = match op.code {
            op::WRITE => op.particle == particle::NULL,
            op::INCR
            | op::APPEND
            | op::PREPEND
            | op::DELETE_ALL
            | op::BITS_MODIFY
            | op::HLL_MODIFY
            | op::CDT_MODIFY => true,
            _ => false,
        };
        if changes_what_is_there && policies.is_replace {
            return Err(ResultCode::PARAMETER);
        }
        if is_read_all(op, request) {
            if request.info2(info2::RESPOND_ALL_OPS) || read_alls > 0 {
                return Err(ResultCode::PARAMETER);
            }
            reads = true;
            read_alls += 1;
        } else if op.is_read() {
            reads = true;
            answers = true;
        } else if matches!(op.code, op::HLL_MODIFY | op::CDT_MODIFY) {
            answers = true;
        }
    }
    let wants_all = header.info1 & info1::GET_ALL != 0;
    if (reads && header.info1 & info1::READ == 0)
        || (read_alls > 0 && answers)
        || (wants_all && read_alls == 0)
    {
        return Err(ResultCode::PARAMETER);
    }
    Ok(policies)
}

/// Whether this is a read without a bin name in a request for all bins (`op_is_read_all()`).
fn is_read_all(op: &Op<'_>, request: &Request<'_>) -> bool {
    op.code == op::READ && op.name.is_empty() && request.header.info1 & info1::GET_ALL != 0
}

/// Applies the operations in order (`write_master_bin_ops_loop()`). After an error, the record must be discarded.
fn apply_ops(
    namespace: &Namespace,
    digest: &Digest,
    record: &mut Record,
    request: &Request<'_>,
    response: &mut ResponseBuilder<'_>,
) -> Outcome<()> {
    let respond_all = request.info2(info2::RESPOND_ALL_OPS);
    for op in request.ops {
        if op.code == op::TOUCH {
            continue;
        }
        if is_read_all(op, request) {
            record.bins.iter().try_for_each(|bin| {
                response.add(op::READ, bin.name.as_bytes(), Some(&bin.value))
            })?;
        } else if op.is_read() {
            // A read of a missing bin has a result only with RESPOND_ALL_OPS.
            if let Some(value) = ops::read(&View::new(namespace, digest, record), op)? {
                if value.is_some() || respond_all || op.code != op::READ {
                    response.add(op.code, op.name, value.as_deref())?;
                }
            } else if respond_all {
                response.add(op.code, op.name, None)?;
            }
        } else {
            let result = ops::modify(namespace, digest, record, op)?;
            if result.is_some() || respond_all {
                response.add(op.code, op.name, result.as_ref())?;
            }
        }
    }
    if record.bins.len() > MAX_BINS {
        return Err(ResultCode::PARAMETER);
    }
    Ok(())
}
