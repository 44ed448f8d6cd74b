//! Frames around the entries of a data file. The header of a frame is the marker of the file, the length and the CRC-32 of
//! the entry, and the CRC-32 of these two.

use std::io::{self, Read};

use super::header::Marker;

/// Bytes of a frame's header.
pub const HEADER_SIZE: usize = 20;

/// The same, in files of earlier versions.
pub const OLD_HEADER_SIZE: usize = 8;

/// Longest entry that is accepted in a file of an earlier version, in bytes: far more than the largest record.
const MAX_SIZE: usize = 64 * 1024 * 1024;

/// The result of reading a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameRead {
    /// An entry.
    Entry(Vec<u8>),
    /// The end of the file.
    End,
    /// The beginning of a frame, then the end of the file.
    Torn,
    /// No frame, nor the beginning of one.
    Damage,
}

/// Appends a frame around what `write` appends.
pub fn write(marker: &Marker, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_SIZE]);
    write(out);
    let content = out.get(start + HEADER_SIZE..).unwrap_or_default();
    let header = header_of(marker, content.len() as u32, crc32fast::hash(content));
    if let Some(place) = out.get_mut(start..start + HEADER_SIZE) {
        place.copy_from_slice(&header);
    }
}

fn header_of(marker: &Marker, size: u32, crc: u32) -> [u8; HEADER_SIZE] {
    let mut header = [0; HEADER_SIZE];
    header[..8].copy_from_slice(marker);
    header[8..12].copy_from_slice(&size.to_be_bytes());
    header[12..16].copy_from_slice(&crc.to_be_bytes());
    let own = crc32fast::hash(&header[8..16]);
    header[16..].copy_from_slice(&own.to_be_bytes());
    header
}

/// Reads the next frame of a file with this marker.
pub fn read(reader: &mut impl Read, marker: &Marker) -> io::Result<FrameRead> {
    let mut header = Vec::with_capacity(HEADER_SIZE);
    reader.take(HEADER_SIZE as u64).read_to_end(&mut header)?;
    let Ok(header) = <[u8; HEADER_SIZE]>::try_from(&header[..]) else {
        return Ok(match &header[..] {
            [] => FrameRead::End,
            start if is_prefix_of(start, marker) => FrameRead::Torn,
            _ => FrameRead::Damage,
        });
    };
    let [.., s0, s1, s2, s3, c0, c1, c2, c3, _, _, _, _] = header;
    let (size, crc) = (
        u32::from_be_bytes([s0, s1, s2, s3]),
        u32::from_be_bytes([c0, c1, c2, c3]),
    );
    if header != header_of(marker, size, crc) {
        return Ok(FrameRead::Damage);
    }
    read_content(reader, size as usize, crc)
}

fn is_prefix_of(start: &[u8], marker: &Marker) -> bool {
    start.iter().zip(marker).all(|(one, other)| one == other)
}

/// Reads the next frame of a file of an earlier version.
pub fn read_old(reader: &mut impl Read) -> io::Result<FrameRead> {
    let mut header = Vec::with_capacity(OLD_HEADER_SIZE);
    reader
        .take(OLD_HEADER_SIZE as u64)
        .read_to_end(&mut header)?;
    match header[..] {
        [] => Ok(FrameRead::End),
        [a, b, c, d, e, f, g, h] => {
            let size = u32::from_be_bytes([a, b, c, d]) as usize;
            match size > MAX_SIZE {
                true => Ok(FrameRead::Damage),
                false => read_content(reader, size, u32::from_be_bytes([e, f, g, h])),
            }
        }
        _ => Ok(FrameRead::Torn),
    }
}

fn read_content(reader: &mut impl Read, size: usize, crc: u32) -> io::Result<FrameRead> {
    let mut content = Vec::new();
    reader.take(size as u64).read_to_end(&mut content)?;
    Ok(if content.len() < size {
        FrameRead::Torn
    } else if crc32fast::hash(&content) != crc {
        FrameRead::Damage
    } else {
        FrameRead::Entry(content)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MARKER: &Marker = b"a marker";

    #[test]
    fn reports_a_truncated_frame_as_torn_and_a_changed_one_as_damaged() {
        let mut out = Vec::new();
        write(MARKER, &mut out, |out| out.extend_from_slice(b"content"));
        assert_eq!(read(&mut &out[..0], MARKER).unwrap(), FrameRead::End);
        for size in 1..out.len() {
            assert_eq!(read(&mut &out[..size], MARKER).unwrap(), FrameRead::Torn);
        }
        for at in 0..out.len() {
            let mut changed = out.clone();
            changed[at] ^= 1;
            assert_eq!(read(&mut &changed[..], MARKER).unwrap(), FrameRead::Damage);
        }
    }
}
