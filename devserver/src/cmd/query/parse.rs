//! Parses a query. The fields are checked as in the server, in the same order.

use std::sync::Arc;

use super::foreground::Query;
use super::lookup::Lookup;
use super::owned_op::OwnedOp;
use super::projection::Projection;
use super::scope::{PartitionCursor, Position, Scope};
use crate::exp::Expression;
use crate::state::State;
use crate::storage::namespace::{Namespace, partition_id};
use crate::storage::record::BinName;
use crate::wire::consts::{MAX_SET_NAME, PARTITIONS, info1, info2, info3};
use crate::wire::message::{Fields, Message};
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

impl<'a> Query<'a> {
    /// Parses a query (`basic_query_job_start()`). Aggregations and UDFs are refused.
    pub fn parse(
        state: &'a State,
        namespace: &Arc<Namespace>,
        message: &Message<'_>,
    ) -> Outcome<Query<'a>> {
        let (header, fields) = (&message.header, &message.fields);
        if fields.udf_file.is_some() || header.info3 & info3::PARTITION_DONE == 0 {
            return Err(ResultCode::UNSUPPORTED_FEATURE);
        }
        let scope = parse_scope(namespace, fields.set.unwrap_or_default())?;
        let cursors = parse_cursors(fields)?;
        let wanted = Lookup::parse(fields)?;
        if header.info1 & info1::SHORT_QUERY != 0 && fields.records_per_second.is_some() {
            return Err(ResultCode::PARAMETER);
        }
        check_width(fields.records_per_second, 4)?;
        let lookup = wanted
            .map(|wanted| wanted.find(namespace, &scope))
            .transpose()?;
        check_width(fields.socket_timeout, 4)?;
        check_width(fields.sample_max, 8)?;
        let sample_max = fields
            .sample_max
            .map_or(Ok(0), |bytes| Reader::new(bytes).u64())?;
        let filter = fields.filter.map(Expression::parse).transpose()?;
        Ok(Query {
            state,
            namespace: Arc::clone(namespace),
            scope,
            lookup: lookup.map(Arc::new),
            projection: parse_projection(message)?,
            filter,
            records_left: (sample_max != 0).then_some(sample_max),
            is_short: header.info1 & info1::SHORT_QUERY != 0,
            cursors: cursors.into_iter(),
            cursor: None,
            is_unavailable: false,
        })
    }
}

fn check_width(field: Option<&[u8]>, width: usize) -> Outcome<()> {
    match field {
        Some(bytes) if bytes.len() != width => Err(ResultCode::PARAMETER),
        _ => Ok(()),
    }
}

pub fn parse_scope(namespace: &Namespace, set: &[u8]) -> Outcome<Scope> {
    match set.len() {
        0 => Ok(Scope::Namespace),
        1..=MAX_SET_NAME => Ok(namespace.sets.find(set).map_or(Scope::Nothing, Scope::Set)),
        _ => Err(ResultCode::PARAMETER),
    }
}

/// Parses the partitions: little-endian 16-bit numbers, or digests to continue after (`get_query_pids()`). In a query
/// on a secondary index, each digest has a value.
fn parse_cursors(fields: &Fields<'_>) -> Outcome<Vec<PartitionCursor>> {
    let (partitions, digests) = (fields.partitions, fields.digests);
    if partitions.is_none() && digests.is_none() {
        return Err(ResultCode::UNSUPPORTED_FEATURE);
    }
    let mut wanted: Vec<Option<PartitionCursor>> = (0..PARTITIONS).map(|_| None).collect();
    let mut want = |partition: usize, after: Option<Position>| match wanted.get_mut(partition) {
        Some(slot @ None) => {
            *slot = Some(PartitionCursor { partition, after });
            Ok(())
        }
        _ => Err(ResultCode::PARAMETER),
    };
    if let Some(bytes) = partitions {
        if !(2..2 * PARTITIONS + 2).contains(&bytes.len()) {
            return Err(ResultCode::PARAMETER);
        }
        for pair in bytes.chunks_exact(2) {
            let id = pair
                .iter()
                .rev()
                .fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            want(id, None)?;
        }
    }
    if let Some(bytes) = digests {
        if !(20..20 * PARTITIONS + 20).contains(&bytes.len()) {
            return Err(ResultCode::PARAMETER);
        }
        let values = match (fields.index_range, fields.index_values) {
            (None, _) => &[],
            (Some(_), Some(values)) if values.len() / 8 == bytes.len() / 20 => values,
            _ => return Err(ResultCode::PARAMETER),
        };
        let mut values = values.chunks_exact(8);
        let mut reader = Reader::new(bytes);
        while let Ok(digest) = reader.digest() {
            let value = values.next().and_then(|bytes| bytes.try_into().ok());
            let value = value.map_or(0, i64::from_le_bytes);
            want(partition_id(&digest), Some(Position { value, digest }))?;
        }
    } else if fields.index_values.is_some() {
        return Err(ResultCode::PARAMETER);
    }
    Ok(wanted.into_iter().flatten().collect())
}

fn parse_projection(message: &Message<'_>) -> Outcome<Projection> {
    if message.header.info1 & info1::GET_NO_BINS != 0 {
        return Ok(Projection::Metadata);
    }
    match (message.fields.bin_list, message.ops.as_slice()) {
        (None, []) => Ok(Projection::Everything),
        (Some(bytes), []) => parse_bin_list(bytes),
        (Some(_), _) => Err(ResultCode::PARAMETER),
        (None, list) => {
            let mut ops = Vec::with_capacity(list.len());
            for op in list {
                BinName::new(op.name).map_err(|_| ResultCode::PARAMETER)?;
                if !op.is_read() {
                    return Err(ResultCode::PARAMETER);
                }
                ops.push(OwnedOp::from(op));
            }
            Ok(Projection::Ops {
                ops,
                respond_all: message.header.info2 & info2::RESPOND_ALL_OPS != 0,
            })
        }
    }
}

/// Parses a count, then names with their lengths in front. Invalid names are skipped, as in the server.
fn parse_bin_list(bytes: &[u8]) -> Outcome<Projection> {
    let mut reader = Reader::new(bytes);
    let mut names = Vec::new();
    for _ in 0..reader.u8()? {
        let size = reader.u8()?;
        let name = reader.take(usize::from(size))?;
        if BinName::new(name).is_ok() {
            names.push(name.to_vec());
        }
    }
    Ok(Projection::Bins(names))
}
