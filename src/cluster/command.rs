//! Commands on one record, and their replies.

use std::collections::BTreeMap;

use aerospike::expressions::Expression;
use aerospike::operations::exp::{ExpReadFlags, ExpWriteFlags, read_exp, write_exp};
use aerospike::operations::maps::{MapOrder, put_items, remove_by_key_list};
use aerospike::operations::{self, Operation};
use aerospike::{Bin, Bins, Expiration, MapPolicy, MapReturnType, MapWriteFlags, Record, Value};

/// The largest record that a server can be configured to accept, in bytes before compression (`max-record-size`, WBLOCK_SZ in
/// as/include/storage/storage.h). Larger records are not sent.
pub const LARGEST_RECORD: usize = 8 * 1024 * 1024;

/// A command on one record.
#[derive(Clone)]
pub enum Command {
    /// Reads the header of the record and these bins.
    Read {
        bins: Bins,
        /// The server extends the record if less than this percentage of its lifetime is left.
        touch: Option<u8>,
    },
    /// Reads the header of the record and what the steps read, which must be at least one. A bin that is missing is read as nil.
    ReadSteps { steps: Vec<Step> },
    /// Reads the header of the record and these small bins, in the background. It never extends the record, whatever the server's
    /// default is. It is sent once, by the thread for long work: no other operation waits for it.
    Check { bins: Bins },
    /// Reads the header of the record and these small bins. It never extends the record, whatever the server's default is.
    ReadSmall { bins: Bins },
    /// Applies the operations and then writes the bins, if the record exists, passes the filter and still has the generation. Doing so
    /// twice must have the same effect as doing it once.
    Change {
        operations: Vec<Step>,
        /// The approximate size of the operations, in bytes. If they are larger than [`LARGEST_RECORD`], this is not an underestimate.
        size: usize,
        bins: Vec<Bin>,
        ttl: Expiration,
        only_if: Expression,
        generation: Option<u32>,
    },
    /// Like [`Command::Change`], but creates the record if it is missing.
    Upsert {
        operations: Vec<Step>,
        bins: Vec<Bin>,
        ttl: Expiration,
        /// Store the key itself, not only its digest.
        send_key: bool,
        only_if: Expression,
    },
    /// Deletes the record if it passes the filter. Returns the bins that the operations read just before.
    Delete {
        reading: Vec<Step>,
        /// Leave a tombstone that survives a cold restart (Enterprise Edition).
        durable: bool,
        only_if: Expression,
    },
    /// Applies the operations, which read and add to what the record holds: doing so twice has another effect than doing it once. It is
    /// never sent again once it may have been applied, see [`Repeat::UnlessInDoubt`].
    Count {
        operations: Vec<Step>,
        ttl: Expiration,
        /// Create the record if it is missing.
        creates: bool,
    },
}

/// Whether a command is sent again after an attempt has failed in a way that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Applying it twice has the same effect as applying it once.
    Always,
    /// Only if it is certain that the failed attempt was not applied. If it is not, the command fails and is in doubt.
    UnlessInDoubt,
}

/// One step of a command.
#[derive(Clone)]
pub enum Step {
    /// Reads a bin.
    Read(String),
    /// Returns the value of an expression, under this name.
    ReadExpression(&'static str, Expression),
    /// Writes a bin.
    Put(Bin),
    /// Writes the value of an expression into a bin.
    PutExpression(&'static str, Expression),
    /// Puts entries into the map in a bin.
    PutEntries(String, BTreeMap<Value, Value>),
    /// Removes keys from the map in a bin.
    RemoveKeys(String, Vec<Value>),
}

impl Step {
    fn operation(&self) -> Operation {
        match self {
            Step::Read(bin) => operations::get_bin(bin),
            Step::ReadExpression(name, value) => {
                read_exp(*name, value.clone(), ExpReadFlags::DEFAULT)
            }
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
    /// Replaces the TTL, if the command sets one.
    pub fn set_ttl(&mut self, new: Expiration) {
        match self {
            Command::Change { ttl, .. }
            | Command::Upsert { ttl, .. }
            | Command::Count { ttl, .. } => *ttl = new,
            Command::Read { .. }
            | Command::ReadSteps { .. }
            | Command::Check { .. }
            | Command::ReadSmall { .. }
            | Command::Delete { .. } => {}
        }
    }

    /// Returns about how many bytes of data it sends.
    pub(super) fn size(&self) -> usize {
        let (bins, operations) = self.sizes();
        bins + operations
    }

    /// Returns whether it is too large for any server.
    pub(super) fn is_too_big(&self) -> bool {
        let (bins, operations) = self.sizes();
        bins > LARGEST_RECORD || operations > LARGEST_RECORD
    }

    /// Returns the bytes of the bins, and the approximate bytes of the operations.
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
            Command::Read { .. }
            | Command::ReadSteps { .. }
            | Command::Check { .. }
            | Command::ReadSmall { .. }
            | Command::Delete { .. }
            | Command::Count { .. } => (0, 0),
        }
    }

    pub fn is_write(&self) -> bool {
        !matches!(
            self,
            Command::Read { .. }
                | Command::ReadSteps { .. }
                | Command::Check { .. }
                | Command::ReadSmall { .. }
        )
    }

    /// Returns whether it may be sent again.
    pub fn repeat(&self) -> Repeat {
        match self {
            Command::Read { .. }
            | Command::ReadSteps { .. }
            | Command::Check { .. }
            | Command::ReadSmall { .. }
            | Command::Change { .. }
            | Command::Upsert { .. }
            | Command::Delete { .. } => Repeat::Always,
            Command::Count { .. } => Repeat::UnlessInDoubt,
        }
    }

    /// Returns whether no operation waits for it.
    pub(super) fn is_check(&self) -> bool {
        matches!(self, Command::Check { .. })
    }

    /// Returns the server's operations of a command that writes, or that reads by steps, in order.
    pub(super) fn operations(&self) -> Vec<Operation> {
        let (steps, bins): (&[Step], &[Bin]) = match self {
            Command::Read { .. } | Command::Check { .. } | Command::ReadSmall { .. } => (&[], &[]),
            Command::ReadSteps { steps } => (steps, &[]),
            Command::Count { operations, .. } => (operations, &[]),
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

/// The reply to a command.
// A record is moved once or twice. A box would cost one more allocation for each read.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Reply {
    /// The record that was read. For a write: its header and the bins that the operations read.
    Record(Record),
    /// The command was applied.
    Done,
    /// The record does not exist.
    Missing,
    /// The record exists, but does not pass the filter.
    Filtered,
    /// The record has another generation than the command requires.
    Moved,
    /// A bin holds a type that the operation cannot be applied to.
    WrongType,
}
