//! Packs values, always in the shortest form.

use super::value::{COMPARE_EXT, Value};

impl Value {
    /// Returns the packed value in its shortest form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_value(self, &mut out);
        out
    }
}

/// Appends a value in its shortest form.
pub fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nil => out.push(0xc0),
        Value::Bool(false) => out.push(0xc2),
        Value::Bool(true) => out.push(0xc3),
        Value::Int(value) => write_int(*value, out),
        Value::BigUint(value) => {
            out.push(0xcf);
            out.extend_from_slice(&value.to_be_bytes());
        }
        Value::Float(value) => {
            out.push(0xcb);
            out.extend_from_slice(&value.to_bits().to_be_bytes());
        }
        Value::Bytes(bytes) => {
            write_count(out, bytes.len(), (0xa0, 31), Some(0xd9), 0xda, 0xdb);
            out.extend_from_slice(bytes);
        }
        Value::List(list) => {
            write_list_header(out, list.items.len(), list.flags);
            list.items.iter().for_each(|item| write_value(item, out));
        }
        Value::Map(map) => {
            write_map_header(out, map.pairs.len(), map.flags);
            for (key, value) in &map.pairs {
                write_value(key, out);
                write_value(value, out);
            }
        }
        Value::Ext(kind, data) => write_ext(out, *kind, data),
        Value::Wildcard => write_ext(out, COMPARE_EXT, &[0]),
        Value::Infinity => write_ext(out, COMPARE_EXT, &[1]),
    }
}

/// Appends the header of a list of `count` items and its flags, if any.
fn write_list_header(out: &mut Vec<u8>, count: usize, flags: u8) {
    write_count(
        out,
        count + usize::from(flags != 0),
        (0x90, 15),
        None,
        0xdc,
        0xdd,
    );
    if flags != 0 {
        write_ext(out, flags, &[]);
    }
}

/// Appends the header of a map of `count` pairs and its flags, if any.
fn write_map_header(out: &mut Vec<u8>, count: usize, flags: u8) {
    write_count(
        out,
        count + usize::from(flags != 0),
        (0x80, 15),
        None,
        0xde,
        0xdf,
    );
    if flags != 0 {
        write_ext(out, flags, &[]);
        out.push(0xc0);
    }
}

fn write_count(
    out: &mut Vec<u8>,
    count: usize,
    (small, small_max): (u8, usize),
    tag8: Option<u8>,
    tag16: u8,
    tag32: u8,
) {
    match (count, tag8) {
        (count, _) if count <= small_max => out.push(small | count as u8),
        (count, Some(tag8)) if count <= 0xff => out.extend_from_slice(&[tag8, count as u8]),
        (count, _) if count <= 0xffff => {
            out.push(tag16);
            out.extend_from_slice(&(count as u16).to_be_bytes());
        }
        (count, _) => {
            out.push(tag32);
            out.extend_from_slice(&(count as u32).to_be_bytes());
        }
    }
}

fn write_ext(out: &mut Vec<u8>, kind: u8, data: &[u8]) {
    match data.len() {
        size @ (1 | 2 | 4 | 8 | 16) => out.push(0xd4 + size.trailing_zeros() as u8),
        size => match size {
            0..=0xff => out.extend_from_slice(&[0xc7, size as u8]),
            0x100..=0xffff => {
                out.push(0xc8);
                out.extend_from_slice(&(size as u16).to_be_bytes());
            }
            _ => {
                out.push(0xc9);
                out.extend_from_slice(&(size as u32).to_be_bytes());
            }
        },
    }
    out.push(kind);
    out.extend_from_slice(data);
}

fn write_int(value: i64, out: &mut Vec<u8>) {
    match value {
        0..=0x7f => out.push(value as u8),
        -32..=-1 => out.push(value as i8 as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        0x1_0000_0000..=i64::MAX => {
            out.push(0xcf);
            out.extend_from_slice(&value.to_be_bytes());
        }
        -0x80..=-33 => out.extend_from_slice(&[0xd0, value as i8 as u8]),
        -0x8000..=-0x81 => {
            out.push(0xd1);
            out.extend_from_slice(&(value as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xd2);
            out.extend_from_slice(&(value as i32).to_be_bytes());
        }
        i64::MIN..=-0x8000_0001 => {
            out.push(0xd3);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}
