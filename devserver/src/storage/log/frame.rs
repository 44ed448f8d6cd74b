//! One change as bytes: a header, then kind, namespace, digest and, for a record, all of it. The header is the marker of
//! the file, the length and the CRC-32 of what follows, and the CRC-32 of these two. Numbers are big-endian; names and
//! values have their lengths in front.

use std::io::{self, Read};
use std::sync::Arc;

use super::header::Marker;
use super::index;
use crate::storage::clock;
use crate::storage::expiry;
use crate::storage::namespace::Namespace;
use crate::storage::record::{BinName, Bins, Digest, Record};
use crate::wire::particle::Particle;
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

/// Bytes in front of a frame's content.
pub const HEADER_SIZE: usize = 20;
/// The same in the files of earlier versions.
pub const OLD_HEADER_SIZE: usize = 8;
/// Longest content that a file of an earlier version is believed to have, in bytes: far above the largest record.
const MAX_SIZE: usize = 64 * 1024 * 1024;

const PUT: u8 = 1;
const DELETE: u8 = 2;
/// Flag of a put: the user's key follows.
const HAS_KEY: u8 = 0x80;

/// A change to one record.
pub struct Frame<'a> {
    pub namespace: &'a str,
    pub digest: Digest,
    pub change: Change<'a>,
}

pub enum Change<'a> {
    Put {
        record: &'a Record,
        set: Option<&'a str>,
    },
    Delete,
}

/// What is at a place of the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The content of an entry.
    Entry(Vec<u8>),
    /// The end of the file.
    End,
    /// The beginning of an entry, and then the end of the file.
    Torn,
    /// No entry, nor the beginning of one.
    Damage,
}

impl Frame<'_> {
    /// Appends the frame. A removal is written twice: if only one copy is damaged, the record does not come back.
    pub fn write(&self, marker: &Marker, out: &mut Vec<u8>) {
        let copies = match self.change {
            Change::Put { .. } => 1,
            Change::Delete => 2,
        };
        for _ in 0..copies {
            write_framed(marker, out, |out| self.write_content(out));
        }
    }

    fn write_content(&self, out: &mut Vec<u8>) {
        match &self.change {
            Change::Delete => out.push(DELETE),
            Change::Put { record, .. } => out.push(if record.key.is_some() {
                PUT | HAS_KEY
            } else {
                PUT
            }),
        }
        write_short(out, self.namespace.as_bytes());
        out.extend_from_slice(&self.digest);
        if let Change::Put { record, set } = &self.change {
            out.extend_from_slice(&record.generation.to_be_bytes());
            out.extend_from_slice(&record.void_time.to_be_bytes());
            out.extend_from_slice(&record.last_update.to_be_bytes());
            write_short(out, set.unwrap_or_default().as_bytes());
            if let Some(key) = &record.key {
                write_long(out, key);
            }
            out.extend_from_slice(&(record.bins.len() as u16).to_be_bytes());
            for bin in record.bins.iter() {
                write_short(out, bin.name.as_bytes());
                out.push(bin.value.kind());
                out.extend_from_slice(&(bin.value.size() as u32).to_be_bytes());
                bin.value.write(out);
            }
        }
    }

    /// Bytes of a put of `record` under this namespace and set.
    pub fn size_with(&self, record: &Record) -> u64 {
        let set = match &self.change {
            Change::Put { set, .. } => set.map_or(0, str::len),
            Change::Delete => 0,
        };
        put_size(self.namespace, set, record)
    }
}

/// Appends a frame around what `write` appends.
pub fn write_framed(marker: &Marker, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
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

fn put_size(namespace: &str, set: usize, record: &Record) -> u64 {
    const FIXED: usize = HEADER_SIZE + 1 + 1 + 20 + 2 + 4 + 8 + 1 + 2;
    let key = record.key.as_ref().map_or(0, |key| key.len() + 4);
    (FIXED + namespace.len() + set + key + record.bins.size() + 6 * record.bins.len()) as u64
}

/// Bytes that all records and indexes of a namespace take in the file.
pub fn live_bytes(namespace: &Namespace) -> u64 {
    let mut sum = index::live_bytes(namespace);
    namespace.for_each(|_, _, record| {
        let set = namespace
            .sets
            .name(record.set_id)
            .map_or(0, |set| set.len());
        sum += put_size(namespace.name(), set, record);
    });
    sum
}

pub fn write_short(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

fn write_long(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Reads what comes next in a file whose entries have this marker.
pub fn read(reader: &mut impl Read, marker: &Marker) -> io::Result<Found> {
    let mut header = Vec::with_capacity(HEADER_SIZE);
    reader.take(HEADER_SIZE as u64).read_to_end(&mut header)?;
    let Ok(header) = <[u8; HEADER_SIZE]>::try_from(&header[..]) else {
        return Ok(match &header[..] {
            [] => Found::End,
            start if begins_alike(start, marker) => Found::Torn,
            _ => Found::Damage,
        });
    };
    let [.., s0, s1, s2, s3, c0, c1, c2, c3, _, _, _, _] = header;
    let (size, crc) = (
        u32::from_be_bytes([s0, s1, s2, s3]),
        u32::from_be_bytes([c0, c1, c2, c3]),
    );
    if header != header_of(marker, size, crc) {
        return Ok(Found::Damage);
    }
    read_content(reader, size as usize, crc)
}

fn begins_alike(start: &[u8], marker: &Marker) -> bool {
    start.iter().zip(marker).all(|(one, other)| one == other)
}

/// Reads what comes next in a file of an earlier version.
pub fn read_old(reader: &mut impl Read) -> io::Result<Found> {
    let mut header = Vec::with_capacity(OLD_HEADER_SIZE);
    reader
        .take(OLD_HEADER_SIZE as u64)
        .read_to_end(&mut header)?;
    match header[..] {
        [] => Ok(Found::End),
        [a, b, c, d, e, f, g, h] => {
            let size = u32::from_be_bytes([a, b, c, d]) as usize;
            match size > MAX_SIZE {
                true => Ok(Found::Damage),
                false => read_content(reader, size, u32::from_be_bytes([e, f, g, h])),
            }
        }
        _ => Ok(Found::Torn),
    }
}

fn read_content(reader: &mut impl Read, size: usize, crc: u32) -> io::Result<Found> {
    let mut content = Vec::new();
    reader.take(size as u64).read_to_end(&mut content)?;
    Ok(if content.len() < size {
        Found::Torn
    } else if crc32fast::hash(&content) != crc {
        Found::Damage
    } else {
        Found::Entry(content)
    })
}

/// Repeats a change that was read.
pub fn apply(content: &[u8], namespaces: &[Arc<Namespace>]) -> io::Result<()> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut reader = Reader::new(content);
    let (kind, name) =
        parse_head(&mut reader).map_err(|_| invalid("a change that cannot be read".into()))?;
    let Some(namespace) = namespaces
        .iter()
        .find(|namespace| namespace.name().as_bytes() == name)
    else {
        return Err(invalid(format!(
            "it holds records of namespace {:?}, which is not configured",
            String::from_utf8_lossy(name)
        )));
    };
    repeat(&mut reader, kind, namespace)
        .map_err(|_| invalid("a record or index that cannot be read".into()))
}

fn parse_head<'a>(reader: &mut Reader<'a>) -> Outcome<(u8, &'a [u8])> {
    Ok((reader.u8()?, read_short(reader)?))
}

fn repeat(reader: &mut Reader<'_>, kind: u8, namespace: &Namespace) -> Outcome<()> {
    if matches!(kind, index::MADE | index::DROPPED) {
        return index::repeat(reader, kind, namespace);
    }
    let digest = reader.digest()?;
    if kind == DELETE {
        namespace.forget(&digest);
        return Ok(());
    }
    if kind & !HAS_KEY != PUT {
        return Err(ResultCode::PARAMETER);
    }
    let (generation, void_time, last_update) = (reader.u16()?, reader.u32()?, reader.u64()?);
    let set_id = namespace.sets.get_or_create(read_short(reader)?)?;
    let key = if kind & HAS_KEY != 0 {
        Some(read_long(reader)?.into())
    } else {
        None
    };
    let mut bins = Bins::default();
    for _ in 0..reader.u16()? {
        let name = BinName::new(read_short(reader)?)?;
        let kind = reader.u8()?;
        bins.set(
            name,
            Particle::from_stored(kind, read_long(reader)?).ok_or(ResultCode::PARAMETER)?,
        );
    }
    bins.shrink();
    // What has ended while the server was off does not come back.
    if expiry::is_expired(void_time, clock::now_seconds()) {
        namespace.forget(&digest);
    } else {
        namespace.restore(
            digest,
            Record {
                generation,
                set_id,
                void_time,
                last_update,
                key,
                bins,
            },
        );
    }
    Ok(())
}

pub fn read_short<'a>(reader: &mut Reader<'a>) -> Outcome<&'a [u8]> {
    let size = reader.u8()?;
    reader.take(usize::from(size))
}

fn read_long<'a>(reader: &mut Reader<'a>) -> Outcome<&'a [u8]> {
    let size = reader.u32()?;
    reader.take(size as usize)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::NamespaceConfig;

    const MARKER: &Marker = b"a marker";

    #[test]
    fn a_frame_written_is_read_back_and_has_the_size_foretold() {
        let namespace = Arc::new(Namespace::new(NamespaceConfig::new("test")));
        let mut record = Record::new(0);
        (record.generation, record.last_update) = (7, 99);
        record.key = Some(Arc::from(&b"\x03key"[..]));
        record
            .bins
            .set(BinName::new(b"n").unwrap(), Particle::Int(-5));
        record.bins.set(
            BinName::new(b"text").unwrap(),
            Particle::Bytes(3, Arc::from(&b"abc"[..])),
        );
        let frame = Frame {
            namespace: "test",
            digest: [9; 20],
            change: Change::Put {
                record: &record,
                set: Some("people"),
            },
        };
        let mut out = Vec::new();
        frame.write(MARKER, &mut out);
        assert_eq!(frame.size_with(&record), out.len() as u64);

        let Found::Entry(content) = read(&mut &out[..], MARKER).unwrap() else {
            panic!("no entry");
        };
        apply(&content, &[Arc::clone(&namespace)]).unwrap();
        let slot = namespace.lock(&[9; 20]);
        let found = slot.any().unwrap();
        assert_eq!(
            (found.generation, found.last_update, found.key.as_deref()),
            (7, 99, Some(&b"\x03key"[..]))
        );
        assert_eq!(found.bins.get(b"n"), Some(&Particle::Int(-5)));
        assert_eq!(namespace.sets.name(found.set_id).as_deref(), Some("people"));
    }

    #[test]
    fn a_frame_cut_short_is_torn_and_one_changed_is_damaged() {
        let mut out = Vec::new();
        write_framed(MARKER, &mut out, |out| out.extend_from_slice(b"content"));
        assert_eq!(read(&mut &out[..0], MARKER).unwrap(), Found::End);
        for size in 1..out.len() {
            assert_eq!(read(&mut &out[..size], MARKER).unwrap(), Found::Torn);
        }
        for at in 0..out.len() {
            let mut changed = out.clone();
            changed[at] ^= 1;
            assert_eq!(read(&mut &changed[..], MARKER).unwrap(), Found::Damage);
        }
    }
}
