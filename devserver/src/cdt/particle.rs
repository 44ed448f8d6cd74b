//! Converts between values and the particles that bins hold.

use crate::wire::consts::particle;
use crate::wire::msgpack::Value;
use crate::wire::particle::Particle;
use crate::wire::result::Outcome;

/// Converts a value into the particle of a bin. Nil is no value.
pub fn into_particle(value: Value) -> Option<Particle> {
    Some(match value {
        Value::Nil | Value::Wildcard | Value::Infinity | Value::Ext(..) => return None,
        Value::Bool(value) => Particle::Bool(value),
        Value::Int(value) => Particle::Int(value),
        Value::BigUint(value) => Particle::Int(value as i64),
        Value::Float(value) => Particle::Float(value),
        Value::Bytes(bytes) => match bytes.split_first() {
            Some((kind, data)) => Particle::Bytes(*kind, data.into()),
            None => Particle::Bytes(particle::BLOB, Vec::new().into()),
        },
        list @ Value::List(_) => Particle::Bytes(particle::LIST, list.to_bytes().into()),
        map @ Value::Map(_) => Particle::Bytes(particle::MAP, map.to_bytes().into()),
    })
}

/// Converts the particle of a bin into a value.
pub fn from_particle(value: &Particle) -> Outcome<Value> {
    Ok(match value {
        Particle::Int(value) => Value::Int(*value),
        Particle::Float(value) => Value::Float(*value),
        Particle::Bool(value) => Value::Bool(*value),
        Particle::Bytes(particle::LIST | particle::MAP, data) => Value::from_bytes(data)?,
        Particle::Bytes(kind, data) => Value::Bytes([&[*kind], &data[..]].concat()),
    })
}
