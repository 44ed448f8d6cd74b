//! Replays the changes of a data file.

use std::io;
use std::sync::Arc;

use super::length_prefixed::read_short;
use super::{index_entry, record_entry};
use crate::storage::namespace::Namespace;
use crate::wire::reader::Reader;
use crate::wire::result::Outcome;

/// Replays one entry.
pub fn apply(content: &[u8], namespaces: &[Arc<Namespace>]) -> io::Result<()> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut reader = Reader::new(content);
    let (kind, name) =
        parse_start(&mut reader).map_err(|_| invalid("a change that cannot be read".into()))?;
    let Some(namespace) = namespaces
        .iter()
        .find(|namespace| namespace.name().as_bytes() == name)
    else {
        return Err(invalid(format!(
            "it holds records of namespace {:?}, which is not configured",
            String::from_utf8_lossy(name)
        )));
    };
    let replay = match kind {
        index_entry::CREATED | index_entry::DROPPED => index_entry::replay,
        _ => record_entry::replay,
    };
    replay(&mut reader, kind, namespace)
        .map_err(|_| invalid("a record or index that cannot be read".into()))
}

fn parse_start<'a>(reader: &mut Reader<'a>) -> Outcome<(u8, &'a [u8])> {
    Ok((reader.u8()?, read_short(reader)?))
}
