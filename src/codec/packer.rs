//! Aerospike's dialect of MessagePack, appended to one buffer.
//!
//! It differs from plain MessagePack in two ways. Every string starts with a particle-type byte. A key-ordered map
//! starts with an extension entry before its first key, which counts in the length of the map. Source: server
//! `as/src/base/particle_map.c`, client `msgpack/encoder.rs`.

/// Particle type of a string, the first byte of every packed string.
const PARTICLE_STRING: u8 = 3;
/// Particle type of a map: the type of a whole bin that holds one.
pub const PARTICLE_MAP: u8 = 19;
/// The extension entry that marks a map as key-ordered: ext8, no data, type 1, value nil.
const KEY_ORDERED_MARK: [u8; 4] = [0xc7, 0x00, 0x01, 0xc0];
/// The length of the longest map header: map32 and the mark.
pub const MAX_MAP_HEADER: usize = 5 + KEY_ORDERED_MARK.len();
/// The length of the header of a map with few entries: fixmap and the mark.
pub const SHORT_MAP_HEADER: usize = 1 + KEY_ORDERED_MARK.len();
/// The length of the longest list header: array32.
pub const MAX_LIST_HEADER: usize = 5;
/// The length of the header of a list with few items: fixarray.
pub const SHORT_LIST_HEADER: usize = 1;

pub fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends the shortest encoding, as the server itself stores it.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    match value {
        0..=0x7f => out.push(value as u8),
        -32..=-1 => out.push(value as i8 as u8),
        0x80..=0xff => out.extend([0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((value as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend(value.to_be_bytes());
        }
        -0x80..=-33 => out.extend([0xd0, value as i8 as u8]),
        -0x8000..=-0x81 => {
            out.push(0xd1);
            out.extend((value as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xd2);
            out.extend((value as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend(value.to_be_bytes());
        }
    }
}

pub fn double(out: &mut Vec<u8>, value: f64) {
    out.push(0xcb);
    out.extend(value.to_be_bytes());
}

pub fn string(out: &mut Vec<u8>, value: &str) {
    let length = value.len() + 1;
    match length {
        0..=31 => out.push(0xa0 | length as u8),
        32..=0xff => out.extend([0xd9, length as u8]),
        0x100..=0xffff => {
            out.push(0xda);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(0xdb);
            out.extend((length as u32).to_be_bytes());
        }
    }
    out.push(PARTICLE_STRING);
    out.extend_from_slice(value.as_bytes());
}

/// Writes the header of a list of `count` items to `header`. Returns its length.
pub fn list_header(header: &mut [u8; MAX_LIST_HEADER], count: usize) -> usize {
    match count {
        0..=15 => {
            header[0] = 0x90 | count as u8;
            1
        }
        16..=0xffff => {
            header[0] = 0xdc;
            header[1..3].copy_from_slice(&(count as u16).to_be_bytes());
            3
        }
        _ => {
            header[0] = 0xdd;
            header[1..5].copy_from_slice(&(count as u32).to_be_bytes());
            5
        }
    }
}

/// Writes the header of a key-ordered map of `count` entries to `header`. Returns its length.
pub fn key_ordered_header(header: &mut [u8; MAX_MAP_HEADER], count: usize) -> usize {
    let entries = count + 1;
    let start = match entries {
        0..=15 => {
            header[0] = 0x80 | entries as u8;
            1
        }
        16..=0xffff => {
            header[0] = 0xde;
            header[1..3].copy_from_slice(&(entries as u16).to_be_bytes());
            3
        }
        _ => {
            header[0] = 0xdf;
            header[1..5].copy_from_slice(&(entries as u32).to_be_bytes());
            5
        }
    };
    let end = start + KEY_ORDERED_MARK.len();
    header[start..end].copy_from_slice(&KEY_ORDERED_MARK);
    end
}
