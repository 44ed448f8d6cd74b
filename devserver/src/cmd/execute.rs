//! Executes a command on one record, alone or as a row of a batch.

use super::request::Request;
use super::response_builder::ResponseBuilder;
use super::{delete, read, write};
use crate::cluster::Stall;
use crate::faults::{Target, When};
use crate::security::permission;
use crate::state::State;
use crate::storage::counters::CommandKind;
use crate::storage::namespace::Namespace;
use crate::wire::consts::{info1, info2};
use crate::wire::result::{Outcome, ResultCode};

/// Executes a command on one record. The response holds the result or the error.
pub fn execute(
    state: &State,
    namespace: &Namespace,
    digest: [u8; 20],
    request: &Request<'_>,
    response: &mut ResponseBuilder<'_>,
) {
    let header = &request.header;
    if let Err(code) = check(namespace, request) {
        return response.fail(code);
    }
    let fault = state.faults.code(|| {
        Target::of_record(
            namespace,
            digest,
            &request.header,
            &request.fields,
            request.ops,
        )
    });
    if let Some((When::Before, code)) = fault {
        return response.fail(code);
    }
    let is_write = header.info2 & info2::WRITE != 0;
    let stall = state.cluster.stall(state.node, &digest, is_write);
    if stall == Some(Stall::Owner) {
        return response.fail(ResultCode::TIMEOUT);
    }
    let outcome = if is_write {
        if header.info2 & info2::DELETE != 0 {
            delete::delete(namespace, digest, request)
        } else if request.fields.udf_file.is_some() {
            // This server has no UDFs. The result code is a real server's for a feature that it does not have.
            Err(ResultCode::UNSUPPORTED_FEATURE)
        } else {
            write::write(namespace, digest, request, response)
        }
    } else if header.info1 & info1::READ != 0 {
        read::read(namespace, digest, request, response)
    } else {
        Err(ResultCode::PARAMETER)
    };
    match (outcome, stall) {
        (Err(code), _) => response.fail(code),
        // Executed, but a replica has not confirmed it.
        (Ok(()), Some(Stall::Replica)) => response.fail(ResultCode::TIMEOUT),
        (Ok(()), _) => {}
    }
    if let Some((_, code)) = fault {
        response.fail(code);
    }
}

/// Checks whether a client may execute a command on a record.
fn check(namespace: &Namespace, request: &Request<'_>) -> Outcome<()> {
    let mut needed = 0;
    if request.header.info1 & info1::READ != 0 {
        needed |= permission::READ;
    }
    if request.header.info2 & info2::WRITE != 0 {
        needed |= permission::WRITE;
    }
    request
        .access
        .require_in(needed, namespace.name(), request.set())
}

/// Counts a command by its kind and result.
pub fn count(namespace: &Namespace, request: &Request<'_>, is_batch_row: bool, code: ResultCode) {
    let kind = match request.header.info2 {
        flags if flags & info2::WRITE == 0 => CommandKind::Read,
        flags if flags & info2::DELETE == 0 => CommandKind::Write,
        _ => CommandKind::Delete,
    };
    namespace.counters.count_command(kind, is_batch_row, code);
}
