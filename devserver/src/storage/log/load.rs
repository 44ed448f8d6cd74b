//! Reads a data file on start: all intact entries, and the damage between them.
//!
//! A file can be incomplete in two ways. Its end may be torn, because the process ended during its last write: then it
//! ends with the beginning of a frame, which is ignored without a warning. Anything else is damage. The frames after
//! it are found by their marker, and the bytes before them are lost.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use super::frame::{self, FrameRead};
use super::header::{self, Header, Marker};
use super::replay;
use crate::storage::namespace::Namespace;

/// Size of the read buffer, in bytes.
const READ_AHEAD: usize = 256 * 1024;

/// The result of loading a file.
pub struct Loaded {
    /// The marker of its frames, or a new one for a file without a marker.
    pub marker: Marker,
    /// Number of entries that were read.
    pub entries: u64,
    /// Offset of the end of the last entry that was read.
    pub end: u64,
    /// The ranges that could not be read, in order, without a torn end.
    pub damage: Vec<Range<u64>>,
    /// Whether the file has the current format.
    pub is_current: bool,
}

/// Reads a file into the namespaces.
///
/// # Errors
/// `InvalidData` if the file is not a data file, or has a namespace that is not configured. Errors of the file system.
pub fn load(file: &File, namespaces: &[Arc<Namespace>]) -> io::Result<Loaded> {
    let mut start = Vec::new();
    let mut reader = BufReader::with_capacity(READ_AHEAD, file);
    (&mut reader)
        .take(header::SIZE as u64)
        .read_to_end(&mut start)?;
    let mut loaded = Loaded {
        marker: Marker::default(),
        entries: 0,
        end: header::SIZE as u64,
        damage: Vec::new(),
        is_current: true,
    };
    match header::read(&start) {
        Header::Current { marker, is_whole } => {
            loaded.marker = marker;
            if !is_whole {
                loaded.damage.push(0..loaded.end);
            }
            loaded.read_all(&mut reader, namespaces)?;
        }
        Header::Old => {
            loaded.marker = header::new_marker()?;
            loaded.end = header::OLD_MAGIC.len() as u64;
            loaded.is_current = false;
            loaded.read_old(&mut reader, namespaces)?;
        }
        Header::Empty => {
            loaded.marker = header::new_marker()?;
            loaded.end = 0;
        }
        Header::Unknown => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a data file of the development server",
            ));
        }
    }
    Ok(loaded)
}

impl Loaded {
    fn read_all(
        &mut self,
        reader: &mut BufReader<&File>,
        namespaces: &[Arc<Namespace>],
    ) -> io::Result<()> {
        let mut at = self.end;
        loop {
            let found = frame::read(reader, &self.marker)?;
            if let FrameRead::Entry(content) = &found {
                replay::apply(content, namespaces)?;
                at += content.len() as u64 + frame::HEADER_SIZE as u64;
                self.entries += 1;
                self.end = at;
                continue;
            }
            if let FrameRead::End = found {
                return Ok(());
            }
            // Nothing follows a torn write. If there is another frame, the length was damaged or a part is missing.
            match find(reader, &self.marker, at + 1)? {
                Some(next) => {
                    self.add_damage(at..next);
                    reader.seek(SeekFrom::Start(next))?;
                    at = next;
                }
                None => {
                    if let FrameRead::Damage = found {
                        let end = reader.get_ref().metadata()?.len();
                        self.add_damage(at..end);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Frames of earlier versions have no marker: entries after damage are not found, and a torn end looks like a
    /// damaged length.
    fn read_old(
        &mut self,
        reader: &mut BufReader<&File>,
        namespaces: &[Arc<Namespace>],
    ) -> io::Result<()> {
        reader.seek(SeekFrom::Start(self.end))?;
        loop {
            match frame::read_old(reader)? {
                FrameRead::Entry(content) => {
                    replay::apply(&content, namespaces)?;
                    self.end += (content.len() + frame::OLD_HEADER_SIZE) as u64;
                    self.entries += 1;
                }
                FrameRead::End => return Ok(()),
                FrameRead::Torn | FrameRead::Damage => {
                    let end = reader.get_ref().metadata()?.len();
                    self.add_damage(self.end..end);
                    return Ok(());
                }
            }
        }
    }

    /// Adds a range that could not be read. Adjacent ranges are merged.
    fn add_damage(&mut self, bytes: Range<u64>) {
        match self.damage.last_mut() {
            Some(last) if last.end == bytes.start => last.end = bytes.end,
            _ => self.damage.push(bytes),
        }
    }
}

/// Finds the next marker from an offset on.
fn find(reader: &mut BufReader<&File>, marker: &Marker, from: u64) -> io::Result<Option<u64>> {
    reader.seek(SeekFrom::Start(from))?;
    let mut start = from;
    let mut window = Vec::new();
    loop {
        let bytes = reader.fill_buf()?;
        let count = bytes.len();
        window.extend_from_slice(bytes);
        reader.consume(count);
        if let Some(at) = window.windows(marker.len()).position(|some| some == marker) {
            return Ok(Some(start + at as u64));
        }
        if count == 0 {
            return Ok(None);
        }
        // A marker may begin in the last bytes.
        let done = window.len().saturating_sub(marker.len() - 1);
        window.drain(..done);
        start += done as u64;
    }
}
