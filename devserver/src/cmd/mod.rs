//! Commands on records: one file a command.
//!
//! | file | command |
//! |---|---|
//! | [`read`] | get, some bins, header only, exists, operations that only read |
//! | [`mod@write`] | put in all its kinds, append, incr, operations that write |
//! | [`touch`] | the touch operation, and reads that extend a record's life |
//! | [`delete`] | delete |
//! | [`batch`] | many of the above in one request |
//! | [`query`] | walking a set or a namespace |
//!
//! [`ops`] applies one operation to one bin; [`request`] is what all of the above are given, [`answer`] what they write; [`stalled`] is where they wait for a node that is gone.
//! Order of dispatch as in `as_tsvc_process_transaction()` (`as/src/base/thr_tsvc.c`).

pub mod answer;
pub mod batch;
pub mod delete;
pub mod ops;
pub mod query;
pub mod read;
pub mod request;
pub mod stalled;
pub mod touch;
pub mod write;

use crate::cluster::Stall;
use crate::faults::{Target, When};
use crate::security::{Access, permission};
use crate::state::State;
use crate::storage::counters::CommandKind;
use crate::storage::namespace::Namespace;
use crate::wire::consts::{info1, info2};
use crate::wire::message::Message;
use crate::wire::proto::{self, FrameType};
use crate::wire::reply;
use crate::wire::result::{Outcome, ResultCode};
use answer::Answer;
use request::Request;

/// What is left to do after a message was handled.
pub enum Reply<'a> {
    /// Nothing: the answer is in the buffer.
    Whole,
    /// The answer comes in parts.
    Parts(Parts<'a>),
}

/// An answer too long for one buffer, made part by part as the client takes it.
pub enum Parts<'a> {
    Batch(Box<batch::Batch<'a>>),
    Query(Box<query::Query<'a>>),
}

impl Parts<'_> {
    /// Appends the next part to `out`. False: that was the last one.
    pub fn next(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Parts::Batch(batch) => batch.next(out),
            Parts::Query(query) => query.next(out),
        }
    }
}

/// Handles the body of one message and appends the answer, or its beginning, to `out`.
pub fn handle<'a>(
    state: &'a State,
    access: &'a Access,
    body: &'a [u8],
    out: &mut Vec<u8>,
) -> Reply<'a> {
    // A batch is recognised by the second byte, before anything is parsed: its rows have a form of their own.
    if body.get(1).is_some_and(|byte| byte & info1::BATCH != 0) {
        let fault = state.faults.code(Target::of_batch);
        let batch = fault.map_or_else(
            || batch::Batch::parse(state, access, body),
            |(_, code)| Err(code),
        );
        return match batch {
            Ok(batch) => Reply::Parts(Parts::Batch(Box::new(batch))),
            Err(code) => {
                reply::write_last(out, code);
                Reply::Whole
            }
        };
    }
    match dispatch(state, access, body, out) {
        Ok(reply) => reply,
        Err(code) => {
            reply::write_result(out, code);
            Reply::Whole
        }
    }
}

fn dispatch<'a>(
    state: &'a State,
    access: &Access,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Outcome<Reply<'a>> {
    let message = Message::parse(body)?;
    access.known()?;
    let namespace = state.namespace(message.fields.namespace)?;
    let Some(digest) = message.fields.digest else {
        check_query(access, namespace, &message)?;
        let fault = state.faults.code(|| Target::of_message(&message));
        let fault = fault.map(|(_, code)| code);
        // Of partitions it is told one by one, and only so.
        if let Some(code) = fault.filter(|code| *code != ResultCode::UNAVAILABLE) {
            return Err(code);
        }
        let is_background = message.header.info2 & info2::WRITE != 0;
        if is_background && message.fields.udf_file.is_none() {
            query::background::start(state, namespace, &message)?;
            reply::write_last(out, ResultCode::OK);
            return Ok(Reply::Whole);
        }
        let mut query = query::Query::parse(state, namespace, &message)?;
        if fault.is_some() {
            query.lose_partitions();
        }
        return Ok(Reply::Parts(Parts::Query(Box::new(query))));
    };
    let digest = digest.try_into().map_err(|_| ResultCode::PARAMETER)?;
    let request = Request {
        header: message.header,
        fields: message.fields,
        ops: &message.ops,
        filter: None,
        access,
    };
    let start = proto::begin(out, FrameType::Message);
    let mut answer = Answer::begin(out);
    execute(state, namespace, digest, &request, &mut answer);
    let code = answer.finish();
    count(namespace, &request, false, code);
    proto::finish(out, start);
    Ok(Reply::Whole)
}

/// Counts a command by what it was and how it ended.
fn count(namespace: &Namespace, request: &Request<'_>, is_batch_row: bool, code: ResultCode) {
    let kind = match request.header.info2 {
        flags if flags & info2::WRITE == 0 => CommandKind::Read,
        flags if flags & info2::DELETE == 0 => CommandKind::Write,
        _ => CommandKind::Delete,
    };
    namespace.counters.count_command(kind, is_batch_row, code);
}

/// Whether a client may walk through what a query names.
fn check_query(access: &Access, namespace: &Namespace, message: &Message<'_>) -> Outcome<()> {
    let needed = if message.fields.udf_file.is_some() {
        permission::UDF_QUERY
    } else if message.header.info2 & info2::WRITE != 0 {
        permission::OPS_QUERY
    } else {
        permission::QUERY
    };
    let set = message.fields.set.unwrap_or_default();
    access.allows_in(needed, namespace.name(), set)
}

/// Whether a client may do what it asks of a record.
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
        .allows_in(needed, namespace.name(), request.set())
}

/// Runs a command on one record; the result, good or bad, is in the answer.
pub fn execute(
    state: &State,
    namespace: &Namespace,
    digest: [u8; 20],
    request: &Request<'_>,
    answer: &mut Answer<'_>,
) {
    let header = &request.header;
    if let Err(code) = check(namespace, request) {
        return answer.fail(code);
    }
    let fault = state
        .faults
        .code(|| Target::of_request(namespace, digest, request));
    if let Some((When::Before, code)) = fault {
        return answer.fail(code);
    }
    let is_write = header.info2 & info2::WRITE != 0;
    let stall = state.cluster.stall(state.node, &digest, is_write);
    if stall == Some(Stall::Owner) {
        return answer.fail(ResultCode::TIMEOUT);
    }
    let outcome = if is_write {
        if header.info2 & info2::DELETE != 0 {
            delete::delete(namespace, digest, request)
        } else if request.fields.udf_file.is_some() {
            // We run no UDFs. The server's own word for a feature that is not there.
            Err(ResultCode::UNSUPPORTED_FEATURE)
        } else {
            write::write(namespace, digest, request, answer)
        }
    } else if header.info1 & info1::READ != 0 {
        read::read(namespace, digest, request, answer)
    } else {
        Err(ResultCode::PARAMETER)
    };
    match (outcome, stall) {
        (Err(code), _) => answer.fail(code),
        // Done, but a replica has not confirmed it.
        (Ok(()), Some(Stall::Replica)) => answer.fail(ResultCode::TIMEOUT),
        (Ok(()), _) => {}
    }
    if let Some((_, code)) = fault {
        answer.fail(code);
    }
}
