//! A query that responds on its connection, part by part as the client reads.

use std::sync::Arc;

use super::lookup::Lookup;
use super::projection::Projection;
use super::records::records;
use super::scope::{PartitionCursor, Position, Scope};
use crate::exp::{Expression, View};
use crate::state::State;
use crate::storage::namespace::Namespace;
use crate::storage::record::{Digest, Record};
use crate::wire::consts::{field, info1, info3};
use crate::wire::message::HEADER_SIZE;
use crate::wire::proto::{self, FrameType};
use crate::wire::response::{self, ResponseHeader};
use crate::wire::result::ResultCode;

/// Bytes after which a frame is sent. The server uses 1 MiB. With smaller frames, the lock of a partition is held for
/// less time.
const PART_SIZE: usize = 256 * 1024;

/// Records that are read under one lock, whether they are returned or not.
const MAX_RECORDS_PER_LOCK: usize = 1024;

/// A query that is being executed.
pub struct Query<'a> {
    pub(super) state: &'a State,
    pub(super) namespace: Arc<Namespace>,
    pub(super) scope: Scope,
    /// The condition on a secondary index, if there is one.
    pub(super) lookup: Option<Arc<Lookup>>,
    pub(super) projection: Projection,
    pub(super) filter: Option<Expression>,
    /// Records still to be returned; `None` = all.
    pub(super) records_left: Option<u64>,
    /// Whether the client expects few records. Used for counters only.
    pub(super) is_short: bool,
    pub(super) cursors: std::vec::IntoIter<PartitionCursor>,
    pub(super) cursor: Option<PartitionCursor>,
    /// Set by a fault: all partitions are unavailable.
    pub(super) is_unavailable: bool,
}

impl Query<'_> {
    /// Makes the query respond as if this node had none of the partitions.
    pub fn make_unavailable(&mut self) {
        self.is_unavailable = true;
    }

    /// Adds records until a frame is full. Returns false when the closing frame is written.
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
            response::write_last(out, ResultCode::OK);
        }
        more
    }

    /// Adds the next records of the current partition. Returns false when all partitions are done.
    fn walk(&mut self, out: &mut Vec<u8>) -> bool {
        if matches!(self.scope, Scope::Nothing) || self.records_left == Some(0) {
            return false;
        }
        let Some(cursor) = self.cursor.take().or_else(|| self.cursors.next()) else {
            return false;
        };
        let namespace = Arc::clone(&self.namespace);
        if self.is_unavailable || !self.state.cluster.holds(self.state.node, cursor.partition) {
            write_unavailable(cursor.partition, out);
            return true;
        }
        let Some(partition) = namespace.partition(cursor.partition) else {
            return true;
        };
        let lookup = self.lookup.clone();
        let start = out.len();
        let mut seen = 0;
        for (value, digest, record) in records(&partition, lookup.as_deref(), cursor.after) {
            if self.records_left == Some(0) {
                return false;
            }
            self.write_record(value, digest, record, out);
            seen += 1;
            if seen == MAX_RECORDS_PER_LOCK || out.len() - start >= PART_SIZE {
                self.cursor = Some(PartitionCursor {
                    partition: cursor.partition,
                    after: Some(Position {
                        value: value.unwrap_or_default(),
                        digest: *digest,
                    }),
                });
                return true;
            }
        }
        true
    }

    /// Adds one record, if the query selects it (`basic_query_job_reduce_cb()`).
    fn write_record(
        &mut self,
        value: Option<i64>,
        digest: &Digest,
        record: &Record,
        out: &mut Vec<u8>,
    ) {
        if matches!(self.scope, Scope::Set(set_id) if set_id != record.set_id)
            || self.namespace.is_expired_or_truncated(record)
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
        // The limit counts records that pass the filter, even if nothing of them is then returned.
        if let Some(left) = &mut self.records_left {
            *left -= 1;
        }
        let start = out.len();
        out.resize(start + HEADER_SIZE, 0);
        let set = self.namespace.sets.name(record.set_id);
        let mut n_fields = response::write_record_fields(
            out,
            self.namespace.name(),
            digest,
            set.as_deref(),
            record.key.as_deref(),
        );
        if let Some(value) = value {
            response::write_field(out, field::BVAL_ARRAY, &value.to_le_bytes());
            n_fields += 1;
        }
        let Some(n_ops) = self.projection.write(&view, out) else {
            out.truncate(start);
            return;
        };
        let header = ResponseHeader {
            info1: if matches!(self.projection, Projection::Metadata) {
                info1::GET_NO_BINS
            } else {
                0
            },
            generation: u32::from(record.generation),
            void_time: record.void_time,
            n_fields,
            n_ops,
            ..ResponseHeader::default()
        };
        let mut bytes = Vec::with_capacity(HEADER_SIZE);
        header.write(&mut bytes);
        if let Some(slot) = out.get_mut(start..start + HEADER_SIZE) {
            slot.copy_from_slice(&bytes);
        }
    }
}

/// Writes that this node does not have a partition (`as_msg_pid_done_bufbuilder()`).
fn write_unavailable(partition: usize, out: &mut Vec<u8>) {
    ResponseHeader {
        info3: info3::PARTITION_DONE,
        result: ResultCode::UNAVAILABLE.0,
        // The number of the partition: there is no field for it.
        generation: partition as u32,
        ..ResponseHeader::default()
    }
    .write(out);
}
