//! A result code as JSON writes it: by its number or its name.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::wire::result::ResultCode;

/// A result code of an error. In JSON its number or its name.
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
