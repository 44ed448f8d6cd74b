//! Walks a namespace or a set through the primary index or a secondary one, partition by partition.
//!
//! The answer is frames of about 256 KiB with one message a record, and a closing frame. There is no mark for a
//! partition that went well: the server only reports those it could not read (`basic_query_job_slice()` in
//! `as/src/query/query.c`). Records come from the greatest digest of a partition to the smallest, which is what makes
//! the last digest a place to go on from; a secondary index has an order of its own, and there the place is the
//! last value and digest.

pub mod background;
mod lookup;
mod parse;

use std::sync::Arc;

use self::lookup::Lookup;
use super::ops;
use crate::exp::{Expression, View};
use crate::state::State;
use crate::storage::namespace::Namespace;
use crate::storage::partition::Partition;
use crate::storage::record::{Digest, Record};
use crate::wire::consts::{field, info1, info3};
use crate::wire::message::{HEADER_SIZE, Op};
use crate::wire::proto::{self, FrameType};
use crate::wire::reply::{self, ReplyHeader};
use crate::wire::result::ResultCode;

/// Bytes after which a frame is sent. The server waits for 1 MiB; smaller parts hold a partition's lock for less.
const PART_SIZE: usize = 256 * 1024;
/// Records looked at under one lock, whether they are answered or not.
const STRIDE: usize = 1024;

/// Which records are wanted.
enum Scope {
    Namespace,
    Set(u16),
    /// A set nobody has written to: no record, and no error.
    Nothing,
}

/// What is wanted of each record.
enum Projection {
    Everything,
    /// Generation and void time only.
    Metadata,
    /// The old form: names alone, and records without any of them are left out.
    Bins(Vec<Vec<u8>>),
    Ops {
        ops: Vec<OwnedOp>,
        respond_all: bool,
    },
}

/// An operation that outlives the request's buffer.
struct OwnedOp {
    code: u8,
    particle: u8,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl From<&Op<'_>> for OwnedOp {
    fn from(op: &Op<'_>) -> OwnedOp {
        OwnedOp {
            code: op.code,
            particle: op.particle,
            name: op.name.to_vec(),
            value: op.value.to_vec(),
        }
    }
}

impl<'a> From<&'a OwnedOp> for Op<'a> {
    fn from(op: &'a OwnedOp) -> Op<'a> {
        Op {
            code: op.code,
            particle: op.particle,
            name: &op.name,
            value: &op.value,
        }
    }
}

/// One partition to walk, and where to go on in it.
struct Stop {
    partition: usize,
    behind: Option<Place>,
}

/// The last record seen, and its value in the secondary index.
#[derive(Clone, Copy)]
struct Place {
    value: i64,
    digest: Digest,
}

/// A query being worked off.
pub struct Query<'a> {
    state: &'a State,
    namespace: Arc<Namespace>,
    scope: Scope,
    /// The condition on a secondary index, if there is one.
    lookup: Option<Arc<Lookup>>,
    projection: Projection,
    filter: Option<Expression>,
    /// Records still to be answered; `None` = all there are.
    records_left: Option<u64>,
    /// Whether the client expects few records; it matters to the counters only.
    is_short: bool,
    stops: std::vec::IntoIter<Stop>,
    stop: Option<Stop>,
    /// A fault: no partition is held.
    holds_none: bool,
}

impl Query<'_> {
    /// Answers as if this node held none of the partitions.
    pub fn lose_partitions(&mut self) {
        self.holds_none = true;
    }

    /// Walks on until a frame is full. False: the closing frame is written.
    pub fn next(&mut self, out: &mut Vec<u8>) -> bool {
        let start = proto::begin(out, FrameType::Message);
        let first = out.len();
        let mut more = true;
        while more && out.len() - start < PART_SIZE {
            more = self.walk(out);
        }
        if out.len() == first {
            out.truncate(start);
        } else {
            proto::finish(out, start);
        }
        if !more {
            let is_secondary = self.lookup.is_some();
            self.namespace
                .counters
                .count_query(is_secondary, self.is_short);
            reply::write_last(out, ResultCode::OK);
        }
        more
    }

    /// Answers the next records of the current partition. False: all partitions are done.
    fn walk(&mut self, out: &mut Vec<u8>) -> bool {
        if matches!(self.scope, Scope::Nothing) || self.records_left == Some(0) {
            return false;
        }
        let Some(stop) = self.stop.take().or_else(|| self.stops.next()) else {
            return false;
        };
        let namespace = Arc::clone(&self.namespace);
        if self.holds_none || !self.state.cluster.holds(self.state.node, stop.partition) {
            write_unavailable(stop.partition, out);
            return true;
        }
        let Some(partition) = namespace.partition(stop.partition) else {
            return true;
        };
        let lookup = self.lookup.clone();
        let start = out.len();
        let mut seen = 0;
        for (value, digest, record) in records(&partition, lookup.as_deref(), stop.behind) {
            if self.records_left == Some(0) {
                return false;
            }
            self.answer(value, digest, record, out);
            seen += 1;
            if seen == STRIDE || out.len() - start >= PART_SIZE {
                self.stop = Some(Stop {
                    partition: stop.partition,
                    behind: Some(Place {
                        value: value.unwrap_or_default(),
                        digest: *digest,
                    }),
                });
                return true;
            }
        }
        true
    }

    /// Writes one record, if it is wanted (`basic_query_job_reduce_cb()`).
    fn answer(&mut self, value: Option<i64>, digest: &Digest, record: &Record, out: &mut Vec<u8>) {
        if matches!(self.scope, Scope::Set(set_id) if set_id != record.set_id)
            || self.namespace.is_doomed(record)
        {
            return;
        }
        let view = View::new(&self.namespace, digest, record);
        if self
            .filter
            .as_ref()
            .is_some_and(|filter| !filter.matches(&view))
        {
            return;
        }
        // The limit counts what passed the filter, even if nothing of it is then answered.
        if let Some(left) = &mut self.records_left {
            *left -= 1;
        }
        let start = out.len();
        out.resize(start + HEADER_SIZE, 0);
        let set = self.namespace.sets.name(record.set_id);
        let mut n_fields = reply::write_record_fields(
            out,
            self.namespace.name(),
            digest,
            set.as_deref(),
            record.key.as_deref(),
        );
        if let Some(value) = value {
            reply::write_field(out, field::BVAL_ARRAY, &value.to_le_bytes());
            n_fields += 1;
        }
        let Some(n_ops) = self.projection.write(&view, out) else {
            out.truncate(start);
            return;
        };
        let header = ReplyHeader {
            info1: if matches!(self.projection, Projection::Metadata) {
                info1::GET_NO_BINS
            } else {
                0
            },
            generation: u32::from(record.generation),
            void_time: record.void_time,
            n_fields,
            n_ops,
            ..ReplyHeader::default()
        };
        let mut bytes = Vec::with_capacity(HEADER_SIZE);
        header.write(&mut bytes);
        if let Some(slot) = out.get_mut(start..start + HEADER_SIZE) {
            slot.copy_from_slice(&bytes);
        }
    }
}

/// Says that this node does not hold a partition (`as_msg_pid_done_bufbuilder()`).
fn write_unavailable(partition: usize, out: &mut Vec<u8>) {
    ReplyHeader {
        info3: info3::PARTITION_DONE,
        result: ResultCode::UNAVAILABLE.0,
        // The number of the partition, in want of a field for it.
        generation: partition as u32,
        ..ReplyHeader::default()
    }
    .write(out);
}

/// A record, with its value in the secondary index if there is one.
type Found<'a> = (Option<i64>, &'a Digest, &'a Record);

/// The records of a partition to look at, in the order of the index.
fn records<'a>(
    partition: &'a Partition,
    lookup: Option<&'a Lookup>,
    behind: Option<Place>,
) -> Box<dyn Iterator<Item = Found<'a>> + 'a> {
    match lookup {
        Some(lookup) => Box::new(
            lookup
                .records(partition, behind)
                .map(|(value, digest, record)| (Some(value), digest, record)),
        ),
        None => Box::new(
            partition
                .descend(behind.map(|place| place.digest))
                .map(|(digest, record)| (None, digest, record)),
        ),
    }
}

impl Projection {
    /// Writes what is wanted of a record. `None`: there is none of it, and the record is left out.
    fn write(&self, view: &View<'_>, out: &mut Vec<u8>) -> Option<u16> {
        let bins = &view.record.bins;
        let mut count = 0;
        match self {
            Projection::Metadata => return Some(0),
            Projection::Everything => {
                for bin in bins.iter() {
                    reply::write_bin(out, bin.name.as_bytes(), &bin.value);
                    count += 1;
                }
                return Some(count);
            }
            Projection::Bins(names) => {
                for name in names {
                    if let Some(value) = bins.get(name) {
                        reply::write_bin(out, name, value);
                        count += 1;
                    }
                }
            }
            Projection::Ops { ops, respond_all } => {
                for op in ops {
                    let op = Op::from(op);
                    let value = ops::read(view, &op).ok()?.flatten();
                    if value.is_some() || *respond_all {
                        reply::write_op(out, op.code, op.name, value.as_deref());
                        count += 1;
                    }
                }
            }
        }
        (count > 0).then_some(count)
    }
}
