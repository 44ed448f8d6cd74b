//! A request for records: a header of 22 bytes, then fields, then operations.
//! Source: `as_msg` in `as/include/base/proto.h`, `as_transaction_prepare()` in `as/src/base/transaction.c`.

use super::consts::{field, op};
use super::reader::Reader;
use super::result::{Outcome, ResultCode};

/// Bytes of the header of a message.
pub const HEADER_SIZE: usize = 22;

/// The header of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub info1: u8,
    pub info2: u8,
    pub info3: u8,
    pub info4: u8,
    pub generation: u32,
    /// TTL in seconds, or a value of [`super::consts::ttl`]; in a read, the read-touch percentage.
    pub ttl: u32,
    /// Timeout of the client in ms; 0 = none.
    pub timeout: u32,
    pub n_fields: u16,
    pub n_ops: u16,
}

impl Header {
    /// Parses the 22 bytes. `header_sz` is ignored, as in the server.
    pub fn parse(reader: &mut Reader<'_>) -> Outcome<Header> {
        let _header_size = reader.u8()?;
        let [info1, info2, info3, info4] = [reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?];
        let _result_code = reader.u8()?;
        let generation = reader.u32()?;
        let ttl = reader.u32()?;
        Ok(Header {
            info1,
            info2,
            info3,
            info4,
            generation,
            ttl,
            timeout: reader.u32()?,
            n_fields: reader.u16()?,
            n_ops: reader.u16()?,
        })
    }
}

/// The fields of a message that this server uses. Unknown ones are skipped, as in the server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fields<'a> {
    pub namespace: Option<&'a [u8]>,
    pub set: Option<&'a [u8]>,
    /// The user's key with its particle type in front.
    pub key: Option<&'a [u8]>,
    pub digest: Option<&'a [u8]>,
    pub filter: Option<&'a [u8]>,
    pub batch: Option<&'a [u8]>,
    pub partitions: Option<&'a [u8]>,
    pub digests: Option<&'a [u8]>,
    pub sample_max: Option<&'a [u8]>,
    /// The ID that the client has chosen for its query.
    pub query_id: Option<&'a [u8]>,
    pub records_per_second: Option<&'a [u8]>,
    pub socket_timeout: Option<&'a [u8]>,
    pub bin_list: Option<&'a [u8]>,
    pub index_name: Option<&'a [u8]>,
    /// The condition of a query on a secondary index.
    pub index_range: Option<&'a [u8]>,
    pub index_context: Option<&'a [u8]>,
    pub index_expression: Option<&'a [u8]>,
    pub index_type: Option<&'a [u8]>,
    /// The index values for `digests`.
    pub index_values: Option<&'a [u8]>,
    pub udf_file: Option<&'a [u8]>,
    pub udf_op: Option<&'a [u8]>,
    pub mrt_id: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// Parses `count` fields. A field's length includes its type byte, so it is never 0.
    pub fn parse(reader: &mut Reader<'a>, count: u16) -> Outcome<Fields<'a>> {
        let mut fields = Fields::default();
        for _ in 0..count {
            let (kind, data) = parse_field(reader)?;
            fields.put(kind, data);
        }
        Ok(fields)
    }

    /// Sets one field. If a type occurs more than once, the first counts, as in the server's `as_msg_field_get()`.
    pub fn put(&mut self, kind: u8, data: &'a [u8]) {
        let slot = match kind {
            field::NAMESPACE => &mut self.namespace,
            field::SET => &mut self.set,
            field::KEY => &mut self.key,
            field::DIGEST => &mut self.digest,
            field::FILTER => &mut self.filter,
            field::BATCH | field::BATCH_WITH_SET => &mut self.batch,
            field::PID_ARRAY => &mut self.partitions,
            field::DIGEST_ARRAY => &mut self.digests,
            field::SAMPLE_MAX => &mut self.sample_max,
            field::QUERY_ID => &mut self.query_id,
            field::RECS_PER_SEC => &mut self.records_per_second,
            field::SOCKET_TIMEOUT => &mut self.socket_timeout,
            field::QUERY_BINLIST => &mut self.bin_list,
            field::INDEX_NAME => &mut self.index_name,
            field::INDEX_RANGE => &mut self.index_range,
            field::INDEX_CONTEXT => &mut self.index_context,
            field::INDEX_EXPRESSION => &mut self.index_expression,
            field::INDEX_TYPE => &mut self.index_type,
            field::BVAL_ARRAY => &mut self.index_values,
            field::UDF_FILENAME => &mut self.udf_file,
            field::UDF_OP => &mut self.udf_op,
            field::MRT_ID => &mut self.mrt_id,
            _ => return,
        };
        slot.get_or_insert(data);
    }
}

/// Parses one field: its type and its data.
pub fn parse_field<'a>(reader: &mut Reader<'a>) -> Outcome<(u8, &'a [u8])> {
    let size = reader.u32()?.checked_sub(1).ok_or(ResultCode::PARAMETER)?;
    let kind = reader.u8()?;
    Ok((kind, reader.take(size as usize)?))
}

/// One operation on a bin, or on the record if the name is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op<'a> {
    /// A code of [`super::consts::op`].
    pub code: u8,
    /// Type of the value, of [`super::consts::particle`].
    pub particle: u8,
    pub name: &'a [u8],
    pub value: &'a [u8],
}

impl<'a> Op<'a> {
    /// Parses one operation: size, code, type, flags, name, value.
    pub fn parse(reader: &mut Reader<'a>) -> Outcome<Op<'a>> {
        let size = reader.u32()? as usize;
        let mut body = Reader::new(reader.take(size)?);
        let [code, particle, flags, name_size] = [body.u8()?, body.u8()?, body.u8()?, body.u8()?];
        let name = body.take(usize::from(name_size))?;
        // The lowest flag bit marks a bin with its own last-update time: eight bytes that only XDR sends.
        if flags & 1 != 0 {
            body.u64()?;
        }
        Ok(Op {
            code,
            particle,
            name,
            value: body.rest(),
        })
    }

    /// Whether the operation only reads.
    pub fn is_read(&self) -> bool {
        matches!(
            self.code,
            op::READ | op::CDT_READ | op::BITS_READ | op::HLL_READ | op::EXP_READ
        )
    }

    /// Parses `count` operations.
    pub fn parse_all(reader: &mut Reader<'a>, count: u16) -> Outcome<Vec<Op<'a>>> {
        // The capacity follows the bytes that are there (at least 8 for each), not the count that the header claims.
        let mut ops = Vec::with_capacity(usize::from(count).min(reader.rest().len() / 8));
        for _ in 0..count {
            ops.push(Op::parse(reader)?);
        }
        Ok(ops)
    }
}

/// A whole request. It borrows from the connection's buffer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message<'a> {
    pub header: Header,
    pub fields: Fields<'a>,
    pub ops: Vec<Op<'a>>,
}

impl<'a> Message<'a> {
    /// Parses a request. Missing or extra bytes are [`ResultCode::PARAMETER`].
    pub fn parse(body: &'a [u8]) -> Outcome<Message<'a>> {
        let mut reader = Reader::new(body);
        let header = Header::parse(&mut reader)?;
        let fields = Fields::parse(&mut reader, header.n_fields)?;
        let ops = Op::parse_all(&mut reader, header.n_ops)?;
        if reader.is_empty() {
            Ok(Message {
                header,
                fields,
                ops,
            })
        } else {
            Err(ResultCode::PARAMETER)
        }
    }
}
