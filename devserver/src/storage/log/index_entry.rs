//! The entry of a secondary index: its definition, or that it was dropped. The index itself is built again on start.

use super::frame;
use super::header::Marker;
use super::length_prefixed::{read_short, write_short};
use crate::storage::namespace::Namespace;
use crate::storage::record::BinName;
use crate::storage::sindex::{Definition, Source, Type};
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

/// Kind of the entry of an index that was created or renamed.
pub const CREATED: u8 = 3;

/// Kind of the entry of an index that was dropped.
pub const DROPPED: u8 = 4;

/// Appends the frame of an index that was created.
pub fn write_created(
    marker: &Marker,
    namespace: &str,
    set: Option<&str>,
    name: &str,
    definition: &Definition,
    out: &mut Vec<u8>,
) {
    frame::write(marker, out, |out| {
        out.push(CREATED);
        write_short(out, namespace.as_bytes());
        write_short(out, name.as_bytes());
        write_short(out, set.unwrap_or_default().as_bytes());
        write_short(out, definition.bin.as_bytes());
        out.push(definition.source as u8);
        out.push(definition.value_type.particle());
    });
}

/// Appends the frame of an index that was dropped.
pub fn write_dropped(marker: &Marker, namespace: &str, name: &str, out: &mut Vec<u8>) {
    frame::write(marker, out, |out| {
        out.push(DROPPED);
        write_short(out, namespace.as_bytes());
        write_short(out, name.as_bytes());
    });
}

/// Replays an entry that was read up to the name of the namespace.
pub fn replay(reader: &mut Reader<'_>, kind: u8, namespace: &Namespace) -> Outcome<()> {
    let name = std::str::from_utf8(read_short(reader)?).map_err(|_| ResultCode::PARAMETER)?;
    if kind == DROPPED {
        return namespace.drop_index(name);
    }
    let set_id = namespace.sets.get_or_create(read_short(reader)?)?;
    let bin = BinName::new(read_short(reader)?)?;
    let (source, of) = (reader.u8()?, reader.u8()?);
    let definition = Definition {
        set_id,
        bin,
        source: find(Source::ALL, |known| *known as u8 == source)?,
        value_type: find(Type::ALL, |known| known.particle() == of)?,
    };
    if let Some(index) = namespace.create_index(name, definition)? {
        namespace.populate_index(&index);
    }
    Ok(())
}

fn find<T, const N: usize>(all: [T; N], is_it: impl FnMut(&T) -> bool) -> Outcome<T> {
    all.into_iter().find(is_it).ok_or(ResultCode::PARAMETER)
}
