//! Writes responses: message headers, fields and operations.
//! Source: `as_msg_make_response_msg()` and `as_msg_make_response_bufbuilder()` in `as/src/base/proto.c`.

use super::consts::{field, info3, op};
use super::message::HEADER_SIZE;
use super::particle::Particle;
use super::proto::{self, FrameType};
use super::result::ResultCode;

/// The header of a response.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseHeader {
    pub info1: u8,
    pub info3: u8,
    pub result: u8,
    pub generation: u32,
    /// When the record expires, in seconds since 2010; 0 = never.
    pub void_time: u32,
    /// In the response to a batch, the index of the row (in the slot of the transaction TTL).
    pub batch_index: u32,
    pub n_fields: u16,
    pub n_ops: u16,
}

impl ResponseHeader {
    /// Appends the 22 bytes of the header.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[HEADER_SIZE as u8, self.info1, 0, self.info3, 0, self.result]);
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.void_time.to_be_bytes());
        out.extend_from_slice(&self.batch_index.to_be_bytes());
        out.extend_from_slice(&self.n_fields.to_be_bytes());
        out.extend_from_slice(&self.n_ops.to_be_bytes());
    }
}

/// Appends a field.
pub fn write_field(out: &mut Vec<u8>, kind: u8, data: &[u8]) {
    out.extend_from_slice(&(data.len() as u32 + 1).to_be_bytes());
    out.push(kind);
    out.extend_from_slice(data);
}

/// Appends the fields that identify a record in the response to a query. Returns their number.
pub fn write_record_fields(
    out: &mut Vec<u8>,
    namespace: &str,
    digest: &[u8; 20],
    set: Option<&str>,
    key: Option<&[u8]>,
) -> u16 {
    write_field(out, field::NAMESPACE, namespace.as_bytes());
    write_field(out, field::DIGEST, digest);
    if let Some(set) = set {
        write_field(out, field::SET, set.as_bytes());
    }
    if let Some(key) = key {
        write_field(out, field::KEY, key);
    }
    2 + u16::from(set.is_some()) + u16::from(key.is_some())
}

/// Appends an operation with its value. `None` is written with type NULL.
pub fn write_op(out: &mut Vec<u8>, code: u8, name: &[u8], value: Option<&Particle>) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, code]);
    out.push(value.map_or(0, Particle::kind));
    out.push(0);
    out.push(name.len() as u8);
    out.extend_from_slice(name);
    if let Some(value) = value {
        value.write(out);
    }
    let size = (out.len() - start - 4) as u32;
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&size.to_be_bytes());
    }
}

/// Appends a bin as a read returns it.
pub fn write_bin(out: &mut Vec<u8>, name: &[u8], value: &Particle) {
    write_op(out, op::READ, name, Some(value));
}

/// Appends a frame with a result code only.
pub fn write_result(out: &mut Vec<u8>, result: ResultCode) {
    write_header_frame(
        out,
        &ResponseHeader {
            result: result.0,
            ..ResponseHeader::default()
        },
    );
}

/// Appends the frame that ends a response with several parts.
pub fn write_last(out: &mut Vec<u8>, result: ResultCode) {
    write_header_frame(
        out,
        &ResponseHeader {
            info3: info3::LAST,
            result: result.0,
            ..ResponseHeader::default()
        },
    );
}

/// Appends a frame with a header only.
pub fn write_header_frame(out: &mut Vec<u8>, header: &ResponseHeader) {
    let start = proto::begin(out, FrameType::Message);
    header.write(out);
    proto::finish(out, start);
}
