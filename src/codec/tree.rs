//! Converts JSON text to a value of the crate, for use inside a map operation.

use std::collections::BTreeMap;
use std::fmt;

use aerospike::Value;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::encode::{data_error, enter, nesting};
use super::number::Number;
use super::{CodecError, MAX_DEPTH};

/// Converts the text of a JSON value to a value of the crate. Map operations need this, because they accept no packed
/// values. `depth`: the nesting depth of the value in the session.
///
/// Returns `None` if only JSON can hold the value, as [`super::encode::Encoded::OnlyJson`].
pub fn value(text: &str, depth: usize) -> Result<Option<Value>, CodecError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let built = ValueBuilder { depth }
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value));
    match built {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_data() => Err(data_error(&error)),
        Err(error) => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) if depth - 1 + nesting(text) > MAX_DEPTH => Err(CodecError::TooDeep),
            Ok(_) => Ok(None),
            Err(_) => Err(error.into()),
        },
    }
}

/// Builds the next value.
struct ValueBuilder {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for ValueBuilder {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueBuilder {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Number::from_i64(value).into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Number::from_u64(value).into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let depth = enter(self.depth)?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(ValueBuilder { depth })? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let depth = enter(self.depth)?;
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            entries.insert(
                Value::String(key),
                map.next_value_seed(ValueBuilder { depth })?,
            );
        }
        Ok(Value::SortedMap(entries))
    }
}
