//! Finds the command of a message, and executes it.

use super::batch::Batch;
use super::execute::{count, execute};
use super::query::{Query, background};
use super::request::Request;
use super::response_builder::ResponseBuilder;
use crate::faults::Target;
use crate::security::{Access, permission};
use crate::state::State;
use crate::storage::namespace::Namespace;
use crate::wire::consts::{info1, info2};
use crate::wire::message::Message;
use crate::wire::proto::{self, FrameType};
use crate::wire::response;
use crate::wire::result::{Outcome, ResultCode};

/// What remains to be done after a message was handled.
pub enum Response<'a> {
    /// Nothing: the whole response is in the buffer.
    Complete,
    /// The response has several parts.
    Parts(Parts<'a>),
}

/// A long response, created part by part as the client reads it.
pub enum Parts<'a> {
    Batch(Box<Batch<'a>>),
    Query(Box<Query<'a>>),
}

impl Parts<'_> {
    /// Appends the next part to `out`. Returns false if it was the last one.
    pub fn next(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Parts::Batch(batch) => batch.next(out),
            Parts::Query(query) => query.next(out),
        }
    }
}

/// Handles the body of one message, and appends the response or its beginning to `out`.
pub fn handle<'a>(
    state: &'a State,
    access: &'a Access,
    body: &'a [u8],
    out: &mut Vec<u8>,
) -> Response<'a> {
    // A flag in the second byte marks a batch. It is checked before parsing, because the rows have their own format.
    if body.get(1).is_some_and(|byte| byte & info1::BATCH != 0) {
        let fault = state.faults.code(Target::of_batch);
        let batch = fault.map_or_else(|| Batch::parse(state, access, body), |(_, code)| Err(code));
        return match batch {
            Ok(batch) => Response::Parts(Parts::Batch(Box::new(batch))),
            Err(code) => {
                response::write_last(out, code);
                Response::Complete
            }
        };
    }
    match dispatch(state, access, body, out) {
        Ok(reply) => reply,
        Err(code) => {
            response::write_result(out, code);
            Response::Complete
        }
    }
}

fn dispatch<'a>(
    state: &'a State,
    access: &Access,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Outcome<Response<'a>> {
    let message = Message::parse(body)?;
    access.require_login()?;
    let namespace = state.namespace(message.fields.namespace)?;
    let Some(digest) = message.fields.digest else {
        check_query(access, namespace, &message)?;
        let fault = state.faults.code(|| Target::of_message(&message));
        let fault = fault.map(|(_, code)| code);
        // An unavailable partition is reported by its own message, not as the result of the query.
        if let Some(code) = fault.filter(|code| *code != ResultCode::UNAVAILABLE) {
            return Err(code);
        }
        let is_background = message.header.info2 & info2::WRITE != 0;
        if is_background && message.fields.udf_file.is_none() {
            background::start(state, namespace, &message)?;
            response::write_last(out, ResultCode::OK);
            return Ok(Response::Complete);
        }
        let mut query = Query::parse(state, namespace, &message)?;
        if fault.is_some() {
            query.make_unavailable();
        }
        return Ok(Response::Parts(Parts::Query(Box::new(query))));
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
    let mut response = ResponseBuilder::begin(out);
    execute(state, namespace, digest, &request, &mut response);
    let code = response.finish();
    count(namespace, &request, false, code);
    proto::finish(out, start);
    Ok(Response::Complete)
}

/// Checks whether a client may query a set.
fn check_query(access: &Access, namespace: &Namespace, message: &Message<'_>) -> Outcome<()> {
    let needed = if message.fields.udf_file.is_some() {
        permission::UDF_QUERY
    } else if message.header.info2 & info2::WRITE != 0 {
        permission::OPS_QUERY
    } else {
        permission::QUERY
    };
    let set = message.fields.set.unwrap_or_default();
    access.require_in(needed, namespace.name(), set)
}
