//! The definition of an index, and the values that it takes from a record.

use super::item::{Item, MAX_KEY_SIZE};
use crate::storage::record::{BinName, Record};
use crate::wire::consts::particle;
use crate::wire::msgpack::Value;
use crate::wire::particle::Particle;

/// The part of a bin that is indexed, with its number on the wire.
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

/// The type of the indexed values. Other values are skipped.
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

    /// Returns its number in [`crate::wire::consts::particle`].
    pub fn particle(self) -> u8 {
        match self {
            Type::Numeric => particle::INTEGER,
            Type::String => particle::STRING,
            Type::Blob => particle::BLOB,
        }
    }
}

/// The definition of an index. It is unique in a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The number of the set; 0 = the whole namespace.
    pub set_id: u16,
    pub bin: BinName,
    pub source: Source,
    pub value_type: Type,
}

impl Definition {
    /// Calls `take` with each value that the index takes from a record (`sbin_from_bin()`).
    pub(super) fn each(&self, record: &Record, mut take: impl FnMut(Item<'_>)) {
        if self.set_id != 0 && self.set_id != record.set_id {
            return;
        }
        let (kind, data) = match record.bins.get(self.bin.as_bytes()) {
            Some(Particle::Bytes(kind, data)) => (*kind, data),
            Some(Particle::Int(value)) => {
                if self.source == Source::Default && self.value_type == Type::Numeric {
                    take(Item::Int(*value));
                }
                return;
            }
            _ => return,
        };
        match (self.source, kind) {
            (Source::Default, kind)
                if kind == self.value_type.particle() && data.len() <= MAX_KEY_SIZE =>
            {
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

    /// Returns an element of a list or map, if it has the indexed type.
    fn item<'v>(&self, value: &'v Value) -> Option<Item<'v>> {
        match value {
            Value::Int(value) if self.value_type == Type::Numeric => Some(Item::Int(*value)),
            Value::Bytes(bytes) => match bytes.split_first() {
                Some((kind, data)) if *kind == self.value_type.particle() => {
                    Some(Item::Bytes(data))
                }
                _ => None,
            },
            _ => None,
        }
    }
}
