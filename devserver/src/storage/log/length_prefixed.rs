//! Names and values with their lengths in front.

use crate::wire::reader::Reader;
use crate::wire::result::Outcome;

pub fn write_short(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

pub fn write_long(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

pub fn read_short<'a>(reader: &mut Reader<'a>) -> Outcome<&'a [u8]> {
    let size = reader.u8()?;
    reader.take(usize::from(size))
}

pub fn read_long<'a>(reader: &mut Reader<'a>) -> Outcome<&'a [u8]> {
    let size = reader.u32()?;
    reader.take(size as usize)
}
