//! What can be asked of one record, and what comes back.

use std::collections::BTreeMap;

use aerospike::expressions::Expression;
use aerospike::operations::exp::{write_exp, ExpWriteFlags};
use aerospike::operations::maps::{put_items, remove_by_key_list, MapOrder};
use aerospike::operations::{self, Operation};
use aerospike::{Bin, Bins, Expiration, MapPolicy, MapReturnType, MapWriteFlags, Record, Value};

/// Bytes: the most that a server can be told to take of one record (`max-record-size`, WBLOCK_SZ in
/// as/include/storage/storage.h), before it compresses any. What is larger need not travel.
pub const LARGEST_RECORD: usize = 8 * 1024 * 1024;

/// What can be asked of one record.
#[derive(Clone)]
pub enum Command {
    /// Its header and these bins.
    Read {
        bins: Bins,
        /// Ask the server to extend the record, if less than this percentage of its life is left.
        touch: Option<u8>,
    },
    /// The operations are applied and then the bins written, if the record is there, passes the filter and still has
    /// the generation. Doing so twice must be the same as doing it once.
    Change {
        operations: Vec<Step>,
        /// About how many bytes the operations hold; no fewer, if more than [`LARGEST_RECORD`].
        size: usize,
        bins: Vec<Bin>,
        ttl: Expiration,
        only_if: Expression,
        generation: Option<u32>,
    },
    /// As [`Command::Change`], but the record is created if it is missing.
    Upsert {
        operations: Vec<Step>,
        bins: Vec<Bin>,
        ttl: Expiration,
        /// Store the key itself, not only its digest.
        send_key: bool,
        only_if: Expression,
    },
    /// The record is removed if it passes the filter, and what the operations read of it just before is returned.
    Delete {
        reading: Vec<Step>,
        /// Leave a tombstone that survives a cold restart (Enterprise Edition).
        durable: bool,
        only_if: Expression,
    },
}

/// One thing that a command does to a record.
#[derive(Clone)]
pub enum Step {
    /// Reads a bin.
    Read(String),
    /// Writes a bin.
    Put(Bin),
    /// Writes what an expression comes to into a bin.
    PutExpression(&'static str, Expression),
    /// Puts entries into the map that a bin holds.
    PutEntries(String, BTreeMap<Value, Value>),
    /// Takes keys out of the map that a bin holds.
    RemoveKeys(String, Vec<Value>),
}

impl Step {
    fn operation(&self) -> Operation {
        match self {
            Step::Read(bin) => operations::get_bin(bin),
            Step::Put(bin) => operations::put(bin),
            Step::PutExpression(bin, value) => {
                write_exp(*bin, value.clone(), ExpWriteFlags::DEFAULT)
            }
            Step::PutEntries(bin, entries) => {
                let policy = MapPolicy::new(MapOrder::KeyOrdered, MapWriteFlags::DEFAULT);
                put_items(&policy, bin, entries.clone())
            }
            Step::RemoveKeys(bin, keys) => {
                remove_by_key_list(bin, keys.clone(), MapReturnType::NONE)
            }
        }
    }
}

impl Command {
    /// Sets another TTL, where the command sets one.
    pub fn set_ttl(&mut self, new: Expiration) {
        match self {
            Command::Change { ttl, .. } | Command::Upsert { ttl, .. } => *ttl = new,
            Command::Read { .. } | Command::Delete { .. } => {}
        }
    }

    /// About how many bytes it sends, apart from what every command does.
    pub(super) fn size(&self) -> usize {
        let (bins, operations) = self.sizes();
        bins + operations
    }

    /// Whether no server can take it.
    pub(super) fn is_too_big(&self) -> bool {
        let (bins, operations) = self.sizes();
        bins > LARGEST_RECORD || operations > LARGEST_RECORD
    }

    /// Bytes of the bins, and, about, of the operations.
    fn sizes(&self) -> (usize, usize) {
        let size = |bin: &Bin| match &bin.value {
            Value::String(text) => text.len(),
            Value::Unknown(_, packed) | Value::Blob(packed) => packed.len(),
            _ => 0,
        };
        match self {
            Command::Upsert { bins, .. } => (bins.iter().map(size).sum(), 0),
            Command::Change {
                bins, size: more, ..
            } => (bins.iter().map(size).sum(), *more),
            Command::Read { .. } | Command::Delete { .. } => (0, 0),
        }
    }

    pub(super) fn is_write(&self) -> bool {
        !matches!(self, Command::Read { .. })
    }

    /// What the server is to do, one after the other, of a command that writes.
    pub(super) fn operations(&self) -> Vec<Operation> {
        let (steps, bins): (&[Step], &[Bin]) = match self {
            Command::Read { .. } => (&[], &[]),
            Command::Change {
                operations, bins, ..
            }
            | Command::Upsert {
                operations, bins, ..
            } => (operations, bins),
            Command::Delete { reading, .. } => (reading, &[]),
        };
        let mut all = Vec::with_capacity(steps.len() + bins.len() + 1);
        all.extend(steps.iter().map(Step::operation));
        all.extend(bins.iter().map(operations::put));
        if matches!(self, Command::Delete { .. }) {
            all.push(operations::delete());
        }
        all
    }
}

/// What came of a command.
// A record is moved once or twice on its way; a box would be one allocation more a read.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Reply {
    /// The record that was asked for, or, of a change, its header and what was read.
    Record(Record),
    /// The command was applied.
    Done,
    /// There is no such record, or the filter kept the command from it.
    Missing,
    /// The record has another generation than asked for.
    Moved,
    /// A bin holds another type than the operation works on.
    WrongType,
}
