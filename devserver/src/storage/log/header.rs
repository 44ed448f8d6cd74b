//! The header of a data file: its format, and the marker of its frames. It is written twice, so that one damaged byte
//! does not make the file unreadable.

use std::io;

use ring::rand::{SecureRandom, SystemRandom};

/// The first bytes of each frame. They are random for each file and never sent to a client, so no record can contain
/// what looks like a frame.
pub type Marker = [u8; 8];

/// The first bytes of every data file.
const MAGIC: &[u8; 8] = b"asdevlg2";
/// The first bytes of the files of earlier versions, whose entries have no marker.
pub const OLD_MAGIC: &[u8; 8] = b"asdevlg1";
/// Bytes of one copy: magic, marker, and the CRC-32 of both.
const COPY_SIZE: usize = 20;
/// Bytes in front of the first entry.
pub const SIZE: usize = 2 * COPY_SIZE;

/// The header of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Header {
    /// Nothing, or a part of a header: the file is new.
    Empty,
    /// The file of an earlier version.
    Old,
    Current {
        marker: Marker,
        /// Both copies are intact.
        is_whole: bool,
    },
    /// The file is not a data file.
    Unknown,
}

/// Returns a random marker.
///
/// # Errors
/// The system has no random numbers.
pub fn new_marker() -> io::Result<Marker> {
    let mut marker = Marker::default();
    SystemRandom::new()
        .fill(&mut marker)
        .map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(marker)
}

/// Returns the header of a file with this marker.
pub fn write(marker: &Marker) -> Vec<u8> {
    let mut copy = [&MAGIC[..], marker].concat();
    let crc = crc32fast::hash(&copy);
    copy.extend_from_slice(&crc.to_be_bytes());
    copy.repeat(2)
}

/// Parses the first [`SIZE`] bytes of a file, or all of a shorter one.
pub fn read(bytes: &[u8]) -> Header {
    let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
    if bytes.len() == SIZE {
        let (first, second) = bytes.split_at(COPY_SIZE);
        if let Some(marker) = read_copy(first).or_else(|| read_copy(second)) {
            let is_whole = first == second;
            return Header::Current { marker, is_whole };
        }
    } else if MAGIC.starts_with(magic) || OLD_MAGIC.starts_with(magic) && magic != OLD_MAGIC {
        return Header::Empty;
    }
    match magic == OLD_MAGIC {
        true => Header::Old,
        false => Header::Unknown,
    }
}

fn read_copy(copy: &[u8]) -> Option<Marker> {
    let (content, crc) = copy.split_last_chunk::<4>()?;
    let (magic, marker) = content.split_first_chunk::<8>()?;
    let is_whole = magic == MAGIC && crc32fast::hash(content) == u32::from_be_bytes(*crc);
    is_whole.then(|| marker.try_into().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_marker_despite_any_damaged_byte() {
        let marker = *b"a marker";
        let whole = write(&marker);
        let current = |is_whole| Header::Current { marker, is_whole };
        assert_eq!(read(&whole), current(true));
        for at in 0..SIZE {
            for flip in 1..=u8::MAX {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                assert_eq!(read(&bytes), current(false), "byte {at}");
            }
        }
    }

    #[test]
    fn treats_a_truncated_header_as_a_new_file() {
        let whole = write(b"a marker");
        for size in 0..SIZE {
            assert_eq!(read(&whole[..size]), Header::Empty, "{size} bytes");
        }
    }

    #[test]
    fn recognizes_old_and_foreign_files() {
        assert_eq!(read(OLD_MAGIC), Header::Old);
        assert_eq!(read(&[&OLD_MAGIC[..], &[0; 32]].concat()), Header::Old);
        assert_eq!(read(b"hello"), Header::Unknown);
        assert_eq!(read(&[b'x'; SIZE]), Header::Unknown);
    }
}
