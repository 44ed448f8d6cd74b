//! The words of a fault: operations, result codes, keys, and how JSON writes them.

use std::fmt;

use ripemd::{Digest as _, Ripemd160};
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use crate::storage::record::Digest;
use crate::wire::consts::particle;
use crate::wire::result::ResultCode;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Also an operate that only reads.
    Read,
    /// Everything that changes bins.
    Write,
    /// Only more life.
    Touch,
    Delete,
    /// A batch as a whole, whatever its rows are.
    Batch,
    /// Also a scan.
    Query,
    /// Text commands: how clients connect, find the nodes and look after them.
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

/// A set of operations: in JSON the name of one, an array of such, or "any".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations(u8);

impl Operations {
    pub const ANY: Operations = Operations(0xff);
    /// All that has to do with records.
    pub const RECORDS: Operations = Operations(0b0011_1111);

    pub fn has(self, operation: Operation) -> bool {
        self.0 & (1 << operation as u8) != 0
    }

    pub fn within(self, other: Operations) -> bool {
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

/// A result code that says that something went wrong: in JSON its number or its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub ResultCode);

struct CodeVisitor;

impl Visitor<'_> for CodeVisitor {
    type Value = Code;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a result code from 1 to 255, or the name of one, such as KEY_BUSY")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Code, E> {
        match u8::try_from(number) {
            Ok(code) if code != 0 => Ok(Code(ResultCode(code))),
            _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Code, E> {
        ResultCode::named(name)
            .filter(|code| *code != ResultCode::OK)
            .map(Code)
            .ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CodeVisitor)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0.0)
    }
}

/// A user's key: in JSON a string or an integer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Key {
    Text(String),
    Number(i64),
}

impl Key {
    /// The digest of the record with this key: RIPEMD-160 of the set, the type of the key and the key.
    pub fn digest(&self, set: &[u8]) -> Digest {
        let hash = Ripemd160::new().chain_update(set);
        let hash = match self {
            Key::Text(text) => hash.chain_update([particle::STRING]).chain_update(text),
            Key::Number(number) => hash
                .chain_update([particle::INTEGER])
                .chain_update(number.to_be_bytes()),
        };
        hash.finalize().into()
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key: a string or an integer")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
        Ok(Key::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Key, E> {
        Ok(Key::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Key, E> {
        let signed = i64::try_from(number);
        signed
            .map(Key::Number)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}
