//! Many commands in one request: reads, writes, touches and deletes mixed, each with its own policies.
//!
//! The request is one field: a count, flags, then rows. A row is an index, a digest, and either a flag that repeats
//! the previous row or its own small header, fields and operations. The response is frames of about 128 KiB with rows,
//! each with its index, and a closing frame. Source: `as/src/base/batch.c`.

use std::sync::Arc;

use super::execute::{count, execute};
use super::request::Request;
use super::response_builder::ResponseBuilder;
use crate::exp::Expression;
use crate::faults::Target;
use crate::security::Access;
use crate::state::State;
use crate::storage::namespace::Namespace;
use crate::storage::record::Digest;
use crate::wire::consts::{batch_flags, batch_row, field, info1, info2};
use crate::wire::message::{Fields, Header, Op, parse_field};
use crate::wire::proto::{self, FrameType};
use crate::wire::reader::Reader;
use crate::wire::response;
use crate::wire::result::{Outcome, ResultCode};

/// Bytes after which a frame of rows is sent (`BATCH_BLOCK_SIZE`).
const PART_SIZE: usize = 128 * 1024;

/// The part of a row after its digest, which later rows may repeat.
struct RowHeader<'a> {
    namespace: Arc<Namespace>,
    header: Header,
    fields: Fields<'a>,
    ops: Vec<Op<'a>>,
}

/// A batch that is being executed.
pub struct Batch<'a> {
    state: &'a State,
    access: &'a Access,
    rows: Reader<'a>,
    rows_left: u32,
    flags: u8,
    filter: Option<Expression>,
    row_header: Option<RowHeader<'a>>,
    /// The result code of the closing frame. Once it is an error, further rows are executed but not returned.
    result: ResultCode,
}

impl<'a> Batch<'a> {
    /// Parses everything but the rows (`as_batch_queue_task()`).
    pub fn parse(state: &'a State, access: &'a Access, body: &'a [u8]) -> Outcome<Batch<'a>> {
        access.require_login()?;
        let mut reader = Reader::new(body);
        let header = Header::parse(&mut reader)?;
        let fields = Fields::parse(&mut reader, header.n_fields)?;
        let mut rows = Reader::new(fields.batch.ok_or(ResultCode::PARAMETER)?);
        let (rows_left, flags) = (rows.u32()?, rows.u8()?);
        // No upper bound: `batch-max-requests` is 0 by default, and a row takes at least 25 bytes of a message of
        // limited size.
        if rows_left == 0 {
            return Err(ResultCode::PARAMETER);
        }
        let filter = fields.filter.map(Expression::parse).transpose()?;
        Ok(Batch {
            state,
            access,
            rows,
            rows_left,
            flags,
            filter,
            row_header: None,
            result: ResultCode::OK,
        })
    }

    /// Executes rows until a frame is full. Returns false when the closing frame is written.
    pub fn next(&mut self, out: &mut Vec<u8>) -> bool {
        let start = proto::begin(out, FrameType::Message);
        let first_row = out.len();
        let is_over = self.result != ResultCode::OK;
        while self.rows_left > 0 && out.len() - start < PART_SIZE {
            self.rows_left -= 1;
            match self.run_row(out) {
                Ok(code) => self.note(code, is_over),
                Err(code) => {
                    // After an unreadable row, the start of the next one is unknown.
                    self.rows_left = 0;
                    self.result = code;
                    out.truncate(first_row);
                }
            }
            // With REPORT_ERROR_ROW, the frame with the failed row is still sent, whole.
            if is_over
                || (self.result != ResultCode::OK && !self.has(batch_flags::REPORT_ERROR_ROW))
            {
                out.truncate(first_row);
            }
        }
        if out.len() == first_row {
            out.truncate(start);
        } else {
            proto::finish(out, start);
        }
        if self.rows_left > 0 {
            return true;
        }
        response::write_last(out, self.result);
        false
    }

    /// Returns the records of all readable rows, each with whether it is written to.
    pub fn records(mut self) -> Vec<(Digest, bool)> {
        let mut records = Vec::new();
        while self.rows_left > 0 {
            self.rows_left -= 1;
            let Ok((_, digest, row_header)) = self.read_row() else {
                break;
            };
            records.push((digest, row_header.header.info2 & info2::WRITE != 0));
        }
        records
    }

    /// Calls `look` with the target of each readable row.
    pub fn each_target(mut self, look: &mut dyn FnMut(&Target<'_>)) {
        while self.rows_left > 0 {
            self.rows_left -= 1;
            let Ok((_, digest, row_header)) = self.read_row() else {
                break;
            };
            look(&Target::of_record(
                &row_header.namespace,
                digest,
                &row_header.header,
                &row_header.fields,
                &row_header.ops,
            ));
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Sets the result of the batch. Without REPORT_ALL_ERRORS, a failed row fails the batch, with the code of the
    /// last failed row, because all rows are executed. With REPORT_ERROR_ROW, rows after the frame with the failed row
    /// do not count (`as_batch_reserve()`, `as_batch_send_response()`).
    fn note(&mut self, code: ResultCode, is_over: bool) {
        let is_answer = matches!(
            code,
            ResultCode::OK | ResultCode::NOT_FOUND | ResultCode::FILTERED_OUT
        );
        let is_settled = is_over && self.has(batch_flags::REPORT_ERROR_ROW);
        if !is_answer && !self.has(batch_flags::REPORT_ALL_ERRORS) && !is_settled {
            self.result = code;
        }
    }

    /// Reads one row: its index, its digest and its header.
    fn read_row(&mut self) -> Outcome<(u32, Digest, &RowHeader<'a>)> {
        let index = self.rows.u32()?;
        let digest = self.rows.digest()?;
        let flags = self.rows.u8()?;
        if flags & batch_row::REPEAT == 0 {
            self.row_header = Some(parse_row_header(self.state, &mut self.rows, flags)?);
        } else if self
            .row_header
            .as_ref()
            .is_none_or(|row_header| row_header.fields.key.is_some())
        {
            // "batch must not repeat key"
            return Err(ResultCode::PARAMETER);
        }
        let row_header = self.row_header.as_ref().ok_or(ResultCode::PARAMETER)?;
        Ok((index, digest, row_header))
    }

    /// Reads and executes one row. Returns its result code.
    fn run_row(&mut self, out: &mut Vec<u8>) -> Outcome<ResultCode> {
        let (index, digest, _) = self.read_row()?;
        let row_header = self.row_header.as_ref().ok_or(ResultCode::PARAMETER)?;
        let request = Request {
            header: row_header.header,
            fields: row_header.fields,
            ops: &row_header.ops,
            filter: self.filter.as_ref(),
            access: self.access,
        };
        let mut response = ResponseBuilder::begin_row(out, index);
        execute(
            self.state,
            &row_header.namespace,
            digest,
            &request,
            &mut response,
        );
        let code = response.finish();
        count(&row_header.namespace, &request, true, code);
        Ok(code)
    }
}

fn parse_row_header<'a>(state: &State, rows: &mut Reader<'a>, flags: u8) -> Outcome<RowHeader<'a>> {
    let has = |bit: u8| flags & bit != 0;
    let mut header = Header {
        info1: rows.u8()? & !(info1::COMPRESS_RESPONSE | info1::XDR),
        ..Header::default()
    };
    if has(batch_row::EXTRA_INFO) {
        header.info2 = rows.u8()?;
        header.info3 = rows.u8()?;
    }
    if has(batch_row::INFO4) {
        header.info4 = rows.u8()?;
    }
    if has(batch_row::GENERATION) {
        header.generation = u32::from(rows.u16()?);
    }
    if has(batch_row::TTL) {
        header.ttl = rows.u32()?;
    }
    // Old clients send 0 fields, but send the namespace anyway.
    header.n_fields = rows.u16()?.max(1);
    header.n_ops = rows.u16()?;
    // The first field is the namespace, whatever its type byte.
    let (_, name) = parse_field(rows)?;
    let namespace = Arc::clone(
        state
            .namespace(Some(name))
            .map_err(|_| ResultCode::PARAMETER)?,
    );
    let mut fields = Fields::parse(rows, header.n_fields - 1)?;
    fields.put(field::NAMESPACE, name);
    let ops = Op::parse_all(rows, header.n_ops)?;
    Ok(RowHeader {
        namespace,
        header,
        fields,
        ops,
    })
}
