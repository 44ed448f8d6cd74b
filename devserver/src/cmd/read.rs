//! Reads: get, some bins, header only (also `exists`), and operations that only read.
//! The order of the checks is that of `read_local()` in `as/src/transaction/read.c`.

use super::ops;
use super::request::Request;
use super::response_builder::ResponseBuilder;
use super::touch;
use crate::exp::View;
use crate::storage::namespace::Namespace;
use crate::storage::record::{BinName, Digest, Record};
use crate::wire::consts::{MAX_OPS, info1, info2, op};
use crate::wire::result::{Outcome, ResultCode};

/// Reads a record into the response.
pub fn read(
    namespace: &Namespace,
    digest: Digest,
    request: &Request<'_>,
    response: &mut ResponseBuilder<'_>,
) -> Outcome<()> {
    request.refuse_transaction()?;
    let mut slot = namespace.lock(&digest);
    let record = slot.any().ok_or(ResultCode::NOT_FOUND)?;
    response.describe(record);
    request.check_set(namespace, record)?;
    if namespace.is_expired_or_truncated(record) {
        return Err(ResultCode::NOT_FOUND);
    }
    let touch = touch::due_on_read(namespace, record, request.header.ttl)?;
    let outcome = read_live(namespace, &digest, record, request, response);
    // A real server extends the record in a separate transaction, which it starts before it evaluates the filter. So
    // the response has the old void time, and a record that is filtered out is extended, too.
    if let Some(ttl) = touch {
        touch::extend(namespace, &mut slot, ttl);
    }
    outcome
}

fn read_live(
    namespace: &Namespace,
    digest: &Digest,
    record: &Record,
    request: &Request<'_>,
    response: &mut ResponseBuilder<'_>,
) -> Outcome<()> {
    request.check_filter(namespace, digest, record)?;
    request.check_key(record)?;
    if request.header.info1 & info1::GET_NO_BINS != 0 {
        return Ok(());
    }
    read_bins(namespace, digest, record, request, response)
}

fn read_bins(
    namespace: &Namespace,
    digest: &Digest,
    record: &Record,
    request: &Request<'_>,
    response: &mut ResponseBuilder<'_>,
) -> Outcome<()> {
    if request.ops.len() > MAX_OPS {
        return Err(ResultCode::PARAMETER);
    }
    if request.header.info1 & info1::GET_ALL != 0 {
        return record
            .bins
            .iter()
            .try_for_each(|bin| response.add(op::READ, bin.name.as_bytes(), Some(&bin.value)));
    }
    if request.ops.is_empty() {
        return Err(ResultCode::PARAMETER);
    }
    let respond_all = request.info2(info2::RESPOND_ALL_OPS);
    let view = View::new(namespace, digest, record);
    for op in request.ops {
        BinName::new(op.name)?;
        // Without RESPOND_ALL_OPS, an operation without a result is left out, whatever the reason.
        let value = ops::read(&view, op)?.flatten();
        if value.is_some() || respond_all {
            response.add_read(op.code, op.name, value.as_deref())?;
        }
    }
    Ok(())
}
