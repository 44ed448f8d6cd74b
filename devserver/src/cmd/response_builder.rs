//! Writes the response to a command on one record into the connection's buffer.

use crate::storage::record::Record;
use crate::wire::consts::op;
use crate::wire::message::HEADER_SIZE;
use crate::wire::particle::Particle;
use crate::wire::proto;
use crate::wire::response::{self, ResponseHeader};
use crate::wire::result::{Outcome, ResultCode};

/// A response that is being written: space for the header, then the results of the operations.
pub struct ResponseBuilder<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    header: ResponseHeader,
    is_row: bool,
}

impl<'o> ResponseBuilder<'o> {
    /// Begins a response at the end of `out`.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        out.resize(start + HEADER_SIZE, 0);
        ResponseBuilder {
            out,
            start,
            header: ResponseHeader::default(),
            is_row: false,
        }
    }

    /// Begins the response to one row of a batch.
    pub fn begin_row(out: &'o mut Vec<u8>, batch_index: u32) -> Self {
        let mut response = ResponseBuilder::begin(out);
        response.header.batch_index = batch_index;
        response.is_row = true;
        response
    }

    /// Sets generation and void time. They are sent even if the command fails later, as in the server.
    pub fn describe(&mut self, record: &Record) {
        self.header.generation = u32::from(record.generation);
        self.header.void_time = record.void_time;
    }

    /// Resets generation and void time, for a deleted record.
    pub fn describe_nothing(&mut self) {
        self.header.generation = 0;
        self.header.void_time = 0;
    }

    /// Adds the result of an operation. `None` is written with type NULL.
    ///
    /// # Errors
    /// [`ResultCode::UNKNOWN`] if the response becomes larger than a frame may be.
    pub fn add(&mut self, code: u8, name: &[u8], value: Option<&Particle>) -> Outcome<()> {
        let grown = self.out.len() - self.start + value.map_or(0, Particle::size);
        if grown > proto::MAX_SIZE || self.header.n_ops == u16::MAX {
            return Err(ResultCode::UNKNOWN);
        }
        response::write_op(self.out, code, name, value);
        self.header.n_ops += 1;
        Ok(())
    }

    /// Adds the result of a read operation. In a batch it is returned as a plain read (`as_batch_add_result()`).
    pub fn add_read(&mut self, code: u8, name: &[u8], value: Option<&Particle>) -> Outcome<()> {
        self.add(if self.is_row { op::READ } else { code }, name, value)
    }

    /// Makes the response an error, without the results added so far.
    pub fn fail(&mut self, code: ResultCode) {
        self.out.truncate(self.start + HEADER_SIZE);
        self.header.n_ops = 0;
        self.header.result = code.0;
    }

    /// Writes the header. Returns the result code.
    pub fn finish(self) -> ResultCode {
        let mut header = Vec::with_capacity(HEADER_SIZE);
        self.header.write(&mut header);
        if let Some(slot) = self.out.get_mut(self.start..self.start + HEADER_SIZE) {
            slot.copy_from_slice(&header);
        }
        ResultCode(self.header.result)
    }
}
