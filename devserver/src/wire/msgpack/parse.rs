//! Parses values, and checks all rules for stored ones.

use std::cmp::Ordering;

use super::value::{COMPARE_EXT, List, MAP_FLAGS, MAX_BYTES, MAX_DEPTH, Map, ORDERED, Value};
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

impl Value {
    /// Parses one value. Bytes after it are not read.
    ///
    /// # Errors
    /// [`ResultCode::UNKNOWN`] if the bytes are invalid, keys of a map have a wrong type, are not sorted although
    /// declared so, or are not unique, or if the nesting is deeper than [`MAX_DEPTH`].
    pub fn parse(reader: &mut Reader<'_>) -> Outcome<Value> {
        if reader.rest().len() > MAX_BYTES {
            return Err(ResultCode::RECORD_TOO_BIG);
        }
        parse_value(reader, 0).map_err(|_| ResultCode::UNKNOWN)
    }

    /// Parses bytes that are exactly one value.
    pub fn from_bytes(bytes: &[u8]) -> Outcome<Value> {
        let mut reader = Reader::new(bytes);
        let value = Value::parse(&mut reader)?;
        if reader.is_empty() {
            Ok(value)
        } else {
            Err(ResultCode::UNKNOWN)
        }
    }
}

/// Parses one value at a depth.
fn parse_value(reader: &mut Reader<'_>, depth: usize) -> Outcome<Value> {
    if depth > MAX_DEPTH {
        return Err(ResultCode::UNKNOWN);
    }
    let tag = reader.u8()?;
    let signed = |value: i64| Value::Int(value);
    Ok(match tag {
        0x00..=0x7f => Value::Int(i64::from(tag)),
        0xe0..=0xff => signed(i64::from(tag as i8)),
        0x80..=0x8f => parse_map(reader, u32::from(tag & 0x0f), depth)?,
        0x90..=0x9f => parse_list(reader, u32::from(tag & 0x0f), depth)?,
        0xa0..=0xbf => Value::Bytes(reader.take(usize::from(tag & 0x1f))?.to_vec()),
        0xc0 => Value::Nil,
        0xc2 => Value::Bool(false),
        0xc3 => Value::Bool(true),
        0xc4 | 0xd9 => parse_bytes(reader, 1)?,
        0xc5 | 0xda => parse_bytes(reader, 2)?,
        0xc6 | 0xdb => parse_bytes(reader, 4)?,
        0xc7..=0xc9 | 0xd4..=0xd8 => parse_ext(reader, tag)?,
        0xca => Value::Float(f64::from(f32::from_bits(reader.u32()?))),
        0xcb => Value::Float(f64::from_bits(reader.u64()?)),
        0xcc => Value::Int(i64::from(reader.u8()?)),
        0xcd => Value::Int(i64::from(reader.u16()?)),
        0xce => Value::Int(i64::from(reader.u32()?)),
        0xcf => {
            let value = reader.u64()?;
            i64::try_from(value).map_or(Value::BigUint(value), Value::Int)
        }
        0xd0 => signed(i64::from(reader.u8()? as i8)),
        0xd1 => signed(i64::from(reader.u16()? as i16)),
        0xd2 => signed(i64::from(reader.u32()? as i32)),
        0xd3 => signed(reader.u64()? as i64),
        0xdc => parse_list_of(reader, 2, depth)?,
        0xdd => parse_list_of(reader, 4, depth)?,
        0xde => parse_map_of(reader, 2, depth)?,
        0xdf => parse_map_of(reader, 4, depth)?,
        0xc1 => return Err(ResultCode::UNKNOWN),
    })
}

fn parse_count(reader: &mut Reader<'_>, width: u8) -> Outcome<u32> {
    match width {
        1 => reader.u8().map(u32::from),
        2 => reader.u16().map(u32::from),
        _ => reader.u32(),
    }
}

fn parse_bytes(reader: &mut Reader<'_>, width: u8) -> Outcome<Value> {
    let size = parse_count(reader, width)?;
    Ok(Value::Bytes(reader.take(size as usize)?.to_vec()))
}

fn parse_list_of(reader: &mut Reader<'_>, width: u8, depth: usize) -> Outcome<Value> {
    let count = parse_count(reader, width)?;
    parse_list(reader, count, depth)
}

fn parse_map_of(reader: &mut Reader<'_>, width: u8, depth: usize) -> Outcome<Value> {
    let count = parse_count(reader, width)?;
    parse_map(reader, count, depth)
}

fn parse_ext(reader: &mut Reader<'_>, tag: u8) -> Outcome<Value> {
    let size = match tag {
        0xc7 => parse_count(reader, 1)?,
        0xc8 => parse_count(reader, 2)?,
        0xc9 => parse_count(reader, 4)?,
        fixed => 1 << (fixed - 0xd4),
    };
    let kind = reader.u8()?;
    let data = reader.take(size as usize)?;
    Ok(match (kind, data) {
        (COMPARE_EXT, [0]) => Value::Wildcard,
        (COMPARE_EXT, [1]) => Value::Infinity,
        _ => Value::Ext(kind, data.to_vec()),
    })
}

/// Whether the next element is an extension. If it is the first of a list or map, it holds the flags.
fn is_ext(reader: &Reader<'_>) -> bool {
    matches!(reader.peek(), Some(0xc7..=0xc9 | 0xd4..=0xd8))
}

/// Parses the flags at the start of a list or map. A wildcard at the start is a value, not flags.
fn parse_flags(reader: &mut Reader<'_>, count: &mut u32) -> Outcome<Option<u8>> {
    if *count == 0 || !is_ext(reader) {
        return Ok(None);
    }
    let mut ahead = *reader;
    let Value::Ext(flags, _) = parse_value(&mut ahead, 0)? else {
        return Ok(None);
    };
    *reader = ahead;
    *count -= 1;
    Ok(Some(flags))
}

/// Returns the initial capacity. The count is not reliable, and every level of a nested list has its own.
fn capacity(count: u32) -> usize {
    count.min(64) as usize
}

fn parse_list(reader: &mut Reader<'_>, mut count: u32, depth: usize) -> Outcome<Value> {
    let flags = parse_flags(reader, &mut count)?.unwrap_or(0) & ORDERED;
    let mut items: Vec<Value> = Vec::with_capacity(capacity(count));
    for _ in 0..count {
        let item = parse_value(reader, depth + 1)?;
        if flags != 0 && items.last().is_some_and(|last| last.compare(&item).is_gt()) {
            return Err(ResultCode::UNKNOWN);
        }
        items.push(item);
    }
    Ok(Value::List(List { flags, items }))
}

fn parse_map(reader: &mut Reader<'_>, mut count: u32, depth: usize) -> Outcome<Value> {
    let mut flags = 0;
    if let Some(found) = parse_flags(reader, &mut count)? {
        flags = found & MAP_FLAGS;
        parse_value(reader, depth + 1)?;
    }
    let mut pairs: Vec<(Value, Value)> = Vec::with_capacity(capacity(count));
    let mut in_order = true;
    for _ in 0..count {
        let key = parse_value(reader, depth + 1)?;
        if !key.is_key() {
            return Err(ResultCode::UNKNOWN);
        }
        if in_order {
            match pairs
                .last()
                .map_or(Ordering::Less, |(last, _)| last.compare(&key))
            {
                Ordering::Less => {}
                Ordering::Equal => return Err(ResultCode::UNKNOWN),
                Ordering::Greater if flags & ORDERED != 0 => return Err(ResultCode::UNKNOWN),
                Ordering::Greater => in_order = false,
            }
        }
        pairs.push((key, parse_value(reader, depth + 1)?));
    }
    if !in_order {
        pairs.sort_by(|left, right| left.0.compare(&right.0));
        if pairs
            .windows(2)
            .any(|pair| matches!(pair, [left, right] if left.0.compare(&right.0).is_eq()))
        {
            return Err(ResultCode::UNKNOWN);
        }
    }
    Ok(Value::Map(Map { flags, pairs }))
}
