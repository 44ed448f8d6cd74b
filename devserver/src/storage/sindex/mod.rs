//! Secondary indexes: which bin of which records, under which values. Source: `as/src/sindex/sindex.c`.
//!
//! The entries themselves live with the records, in [`super::partition`]; [`catalogue`] knows the indexes of a
//! namespace by name and by definition. A string or blob is entered under a hash of 64 bits ([`wyhash`]), as in the server.

pub mod catalogue;
mod wyhash;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use super::record::{BinName, Record};
use crate::wire::consts::{PARTITIONS, particle};
use crate::wire::msgpack::Value;
use crate::wire::particle::Particle;

/// Longest string or blob that is entered, in bytes (`MAX_STRING_KSIZE` in `as/include/sindex/sindex.h`).
pub const MAX_KEY_SIZE: usize = 2048;

/// What of a bin is indexed; the numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// The bin's value.
    Default = 0,
    /// The elements of a list.
    List = 1,
    MapKeys = 2,
    MapValues = 3,
}

impl Source {
    pub const ALL: [Source; 4] = [
        Source::Default,
        Source::List,
        Source::MapKeys,
        Source::MapValues,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Source::Default => "default",
            Source::List => "list",
            Source::MapKeys => "mapkeys",
            Source::MapValues => "mapvalues",
        }
    }
}

/// The type of the values that are indexed; others are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Numeric,
    String,
    Blob,
}

impl Type {
    pub const ALL: [Type; 3] = [Type::Numeric, Type::String, Type::Blob];

    pub fn name(self) -> &'static str {
        match self {
            Type::Numeric => "numeric",
            Type::String => "string",
            Type::Blob => "blob",
        }
    }

    /// Its number, of [`crate::wire::consts::particle`].
    pub fn particle(self) -> u8 {
        match self {
            Type::Numeric => particle::INTEGER,
            Type::String => particle::STRING,
            Type::Blob => particle::BLOB,
        }
    }
}

/// What an index is on. A namespace has no two indexes of the same definition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The set; 0 = all records of the namespace.
    pub set_id: u16,
    pub bin: BinName,
    pub source: Source,
    pub of: Type,
}

/// An index and how far it is built.
pub struct Index {
    pub definition: Definition,
    pub entries: AtomicU64,
    is_dropped: AtomicBool,
    /// Partitions whose records are entered.
    populated: AtomicUsize,
    made: Instant,
    /// Seconds it took to build.
    load_time: AtomicU64,
}

/// The condition of a query, on the values of one index.
pub enum Range {
    /// Integers, both ends included.
    Between(i64, i64),
    /// A string or blob.
    Equal(Type, Vec<u8>),
}

/// A single value found in a bin.
#[derive(Clone, Copy)]
enum Item<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl Item<'_> {
    /// What it is entered under.
    fn key(self) -> i64 {
        match self {
            Item::Int(value) => value,
            Item::Bytes(bytes) => hash(bytes),
        }
    }
}

fn hash(bytes: &[u8]) -> i64 {
    wyhash::hash(bytes) as i64
}

/// The bytes of a string or blob that a query compares (`stub` in `as/include/query/query_job.h`).
const COMPARED_BYTES: usize = 16;

/// Whether a query for `wanted` finds `stored`. The server compares the length, the hash and the first 16 bytes, not the
/// whole (`strings_match()` and `blobs_match()` in `as/src/query/query.c`): two values can be found under each other.
fn matches(wanted: &[u8], stored: &[u8]) -> bool {
    let start = |bytes: &[u8]| bytes.len().min(COMPARED_BYTES);
    wanted.len() == stored.len()
        && wanted[..start(wanted)] == stored[..start(stored)]
        && hash(wanted) == hash(stored)
}

impl Definition {
    /// Hands over what the index has of a record (`sbin_from_bin()`).
    fn each(&self, record: &Record, mut take: impl FnMut(Item<'_>)) {
        if self.set_id != 0 && self.set_id != record.set_id {
            return;
        }
        let (kind, data) = match record.bins.get(self.bin.as_bytes()) {
            Some(Particle::Bytes(kind, data)) => (*kind, data),
            Some(Particle::Int(value)) => {
                if self.source == Source::Default && self.of == Type::Numeric {
                    take(Item::Int(*value));
                }
                return;
            }
            _ => return,
        };
        match (self.source, kind) {
            (Source::Default, kind) if kind == self.of.particle() && data.len() <= MAX_KEY_SIZE => {
                take(Item::Bytes(data));
            }
            (Source::List, particle::LIST) => {
                if let Ok(Value::List(list)) = Value::from_bytes(data) {
                    let items = list.items.iter();
                    items.filter_map(|item| self.item(item)).for_each(take);
                }
            }
            (Source::MapKeys, particle::MAP) => {
                if let Ok(Value::Map(map)) = Value::from_bytes(data) {
                    let keys = map.pairs.iter().map(|(key, _)| key);
                    keys.filter_map(|key| self.item(key)).for_each(take);
                }
            }
            (Source::MapValues, particle::MAP) => {
                if let Ok(Value::Map(map)) = Value::from_bytes(data) {
                    let values = map.pairs.iter().map(|(_, value)| value);
                    values.filter_map(|value| self.item(value)).for_each(take);
                }
            }
            _ => {}
        }
    }

    /// An element of a list or map, if it is of the type indexed.
    fn item<'v>(&self, value: &'v Value) -> Option<Item<'v>> {
        match value {
            Value::Int(value) if self.of == Type::Numeric => Some(Item::Int(*value)),
            Value::Bytes(bytes) => match bytes.split_first() {
                Some((kind, data)) if *kind == self.of.particle() => Some(Item::Bytes(data)),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Index {
    fn new(definition: Definition) -> Index {
        Index {
            definition,
            entries: AtomicU64::new(0),
            is_dropped: AtomicBool::new(false),
            populated: AtomicUsize::new(0),
            made: Instant::now(),
            load_time: AtomicU64::new(0),
        }
    }

    /// The values a record is entered under, each once, in their order.
    pub fn values(&self, record: &Record) -> Vec<i64> {
        let mut values = Vec::new();
        self.definition.each(record, |item| values.push(item.key()));
        values.sort_unstable();
        values.dedup();
        values
    }

    /// Whether the record under this value answers the query (see [`matches`]). A collection that has several values in the
    /// range answers once.
    pub fn answers(&self, range: &Range, value: i64, record: &Record) -> bool {
        match range {
            Range::Between(from, to) => {
                self.definition.source == Source::Default
                    || self
                        .values(record)
                        .into_iter()
                        .find(|value| (from..=to).contains(&value))
                        == Some(value)
            }
            Range::Equal(_, wanted) => {
                let mut found = false;
                self.definition.each(record, |item| {
                    found |= matches!(item, Item::Bytes(bytes) if matches(wanted, bytes));
                });
                found
            }
        }
    }

    pub fn is_readable(&self) -> bool {
        self.populated.load(Ordering::Acquire) == PARTITIONS
    }

    /// How much of the namespace is entered, in percent.
    pub fn load_pct(&self) -> usize {
        self.populated.load(Ordering::Acquire) * 100 / PARTITIONS
    }

    /// How long that took, in seconds.
    pub fn load_seconds(&self) -> u64 {
        self.load_time.load(Ordering::Relaxed)
    }
}

impl Range {
    /// The values to look under.
    pub fn bounds(&self) -> (i64, i64) {
        match self {
            Range::Between(from, to) => (*from, *to),
            Range::Equal(_, bytes) => (hash(bytes), hash(bytes)),
        }
    }

    /// The type of the values meant.
    pub fn of(&self) -> Type {
        match self {
            Range::Between(..) => Type::Numeric,
            Range::Equal(of, _) => *of,
        }
    }
}
