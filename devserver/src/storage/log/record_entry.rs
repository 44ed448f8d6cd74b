//! The entry of one record: kind, namespace, digest and, unless the record was deleted, all of it. Numbers are
//! big-endian. Names and values have their lengths in front.

use super::frame;
use super::header::Marker;
use super::length_prefixed::{read_long, read_short, write_long, write_short};
use crate::storage::clock;
use crate::storage::expiry;
use crate::storage::namespace::Namespace;
use crate::storage::record::{BinName, Bins, Digest, Record};
use crate::wire::particle::Particle;
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

const PUT: u8 = 1;
const DELETE: u8 = 2;
/// Flag of a put: the user's key follows.
const HAS_KEY: u8 = 0x80;

/// A change to one record.
pub struct RecordEntry<'a> {
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

impl RecordEntry<'_> {
    /// Appends the entry in a frame. A delete is written twice: if one copy is damaged, the record does not come back.
    pub fn write(&self, marker: &Marker, out: &mut Vec<u8>) {
        let copies = match self.change {
            Change::Put { .. } => 1,
            Change::Delete => 2,
        };
        for _ in 0..copies {
            frame::write(marker, out, |out| self.write_content(out));
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

    /// Returns the bytes of the frame of `record` in this namespace and set.
    pub fn size_with(&self, record: &Record) -> u64 {
        let set = match &self.change {
            Change::Put { set, .. } => set.map_or(0, str::len),
            Change::Delete => 0,
        };
        put_size(self.namespace, set, record)
    }
}

pub fn put_size(namespace: &str, set: usize, record: &Record) -> u64 {
    const FIXED: usize = frame::HEADER_SIZE + 1 + 1 + 20 + 2 + 4 + 8 + 1 + 2;
    let key = record.key.as_ref().map_or(0, |key| key.len() + 4);
    (FIXED + namespace.len() + set + key + record.bins.size() + 6 * record.bins.len()) as u64
}

pub fn replay(reader: &mut Reader<'_>, kind: u8, namespace: &Namespace) -> Outcome<()> {
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
    // Records that have expired while the server was off do not come back.
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::NamespaceConfig;
    use crate::storage::log::frame::FrameRead;
    use crate::storage::log::replay;

    const MARKER: &Marker = b"a marker";

    #[test]
    fn reads_an_entry_back_and_predicts_its_size() {
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
        let entry = RecordEntry {
            namespace: "test",
            digest: [9; 20],
            change: Change::Put {
                record: &record,
                set: Some("people"),
            },
        };
        let mut out = Vec::new();
        entry.write(MARKER, &mut out);
        assert_eq!(entry.size_with(&record), out.len() as u64);

        let FrameRead::Entry(content) = frame::read(&mut &out[..], MARKER).unwrap() else {
            panic!("no entry");
        };
        replay::apply(&content, &[Arc::clone(&namespace)]).unwrap();
        let slot = namespace.lock(&[9; 20]);
        let found = slot.any().unwrap();
        assert_eq!(
            (found.generation, found.last_update, found.key.as_deref()),
            (7, 99, Some(&b"\x03key"[..]))
        );
        assert_eq!(found.bins.get(b"n"), Some(&Particle::Int(-5)));
        assert_eq!(namespace.sets.name(found.set_id).as_deref(), Some("people"));
    }
}
