//! Operations that faults strike, and sets of them, as JSON writes them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Includes an `operate` that only reads.
    Read,
    /// Anything that changes bins.
    Write,
    /// A touch and nothing else.
    Touch,
    Delete,
    /// A batch as a whole, whatever its rows do.
    Batch,
    /// Includes scans.
    Query,
    /// Info commands, with which clients connect, find the nodes and watch them.
    Info,
    Login,
}

const NAMES: [(&str, Operation); 8] = [
    ("read", Operation::Read),
    ("write", Operation::Write),
    ("touch", Operation::Touch),
    ("delete", Operation::Delete),
    ("batch", Operation::Batch),
    ("query", Operation::Query),
    ("info", Operation::Info),
    ("login", Operation::Login),
];

/// A set of operations. In JSON the name of one, an array of names, or "any".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations(u8);

impl Operations {
    pub const ANY: Operations = Operations(0xff);
    /// All operations on records.
    pub const RECORDS: Operations = Operations(0b0011_1111);

    pub fn has(self, operation: Operation) -> bool {
        self.0 & (1 << operation as u8) != 0
    }

    pub fn is_subset_of(self, other: Operations) -> bool {
        self.0 & !other.0 == 0
    }

    pub fn without(self, operation: Operation) -> Operations {
        Operations(self.0 & !(1 << operation as u8))
    }

    fn named(word: &str) -> Option<Operations> {
        if word == "any" {
            return Some(Operations::ANY);
        }
        let (_, operation) = NAMES.iter().find(|(name, _)| *name == word)?;
        Some(Operations(1 << *operation as u8))
    }
}

struct OperationsVisitor;

const OPERATIONS: &str = "read, write, touch, delete, batch, query, info, login or any";

impl<'de> Visitor<'de> for OperationsVisitor {
    type Value = Operations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OPERATIONS}, or an array of these")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Operations, E> {
        Operations::named(word)
            .ok_or_else(|| E::custom(format!("unknown operation '{word}': there is {OPERATIONS}")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Operations, A::Error> {
        let mut all = Operations(0);
        while let Some(one) = words.next_element::<Operations>()? {
            all.0 |= one.0;
        }
        if all.0 == 0 {
            return Err(A::Error::custom("'on' must name at least one operation"));
        }
        Ok(all)
    }
}

impl<'de> Deserialize<'de> for Operations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OperationsVisitor)
    }
}

impl Serialize for Operations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut words = serializer.serialize_seq(None)?;
        for (name, operation) in NAMES {
            if self.has(operation) {
                words.serialize_element(name)?;
            }
        }
        words.end()
    }
}
