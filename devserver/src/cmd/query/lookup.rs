//! The condition of a query on a secondary index, and the index for it.
//! Source: `get_query_range_and_def()`, `get_query_si_name()` and `find_sindex()` in `as/src/query/query.c`.

use std::sync::Arc;

use super::scope::{Position, Scope};
use crate::storage::namespace::Namespace;
use crate::storage::partition::Partition;
use crate::storage::record::{BinName, Digest, Record};
use crate::storage::sindex::{Definition, Index, MAX_KEY_SIZE, Range, Source, Type};
use crate::wire::consts::{MAX_BIN_NAME, MAX_INDEX_NAME, particle};
use crate::wire::message::Fields;
use crate::wire::reader::Reader;
use crate::wire::result::{Outcome, ResultCode};

/// An index and the range of values to find in it.
pub struct Lookup {
    index: Arc<Index>,
    range: Range,
}

/// The condition that the fields of a query describe.
pub struct Condition<'a> {
    /// `None`: a geographic region, for which there are no indexes here.
    range: Option<Range>,
    by: IndexRef<'a>,
}

/// How the query refers to the index.
enum IndexRef<'a> {
    Name(&'a [u8]),
    Bin(BinName, u8),
    /// By an expression or a context. There are no such indexes here, so none is found.
    Other,
}

impl Lookup {
    /// Parses the condition. Returns `None` if the query has none.
    pub fn parse<'a>(fields: &Fields<'a>) -> Outcome<Option<Condition<'a>>> {
        let has_expression = fields.index_expression.is_some();
        if let Some(name) = fields.index_name
            && (has_expression || name.is_empty() || name.len() > MAX_INDEX_NAME)
        {
            return Err(ResultCode::PARAMETER);
        }
        let Some(bytes) = fields.index_range else {
            return Ok(None);
        };
        let mut reader = Reader::new(bytes);
        if reader.u8()? != 1 {
            return Err(ResultCode::PARAMETER);
        }
        let size = usize::from(reader.u8()?);
        let is_named = fields.index_name.is_some() || has_expression;
        if (size == 0) != is_named || size > MAX_BIN_NAME {
            return Err(ResultCode::PARAMETER);
        }
        let bin = reader.take(size)?;
        let range = parse_range(&mut reader)?;
        let source = match fields.index_type {
            Some(field) => *field.first().ok_or(ResultCode::PARAMETER)?,
            None => Source::Default as u8,
        };
        let is_empty = |field: Option<&[u8]>| field.is_some_and(<[u8]>::is_empty);
        if is_empty(fields.index_expression)
            || is_empty(fields.index_context)
            || (fields.index_context.is_some() && is_named)
        {
            return Err(ResultCode::PARAMETER);
        }
        let by = match fields.index_name {
            Some(name) => IndexRef::Name(name),
            None if has_expression || fields.index_context.is_some() => IndexRef::Other,
            // No bin has a name with a zero byte.
            None => BinName::new(bin).map_or(IndexRef::Other, |bin| IndexRef::Bin(bin, source)),
        };
        Ok(Some(Condition { range, by }))
    }

    /// Returns the name of the index.
    pub fn index_name(&self, namespace: &Namespace) -> Option<String> {
        let mut found = None;
        namespace.indexes.for_each(|name, index| {
            if Arc::ptr_eq(index, &self.index) {
                found = Some(name.to_owned());
            }
        });
        found
    }

    /// Returns the records of a partition that match, in the order of the index.
    pub fn records<'a>(
        &'a self,
        partition: &'a Partition,
        after: Option<Position>,
    ) -> impl Iterator<Item = (i64, &'a Digest, &'a Record)> {
        let after = after.map(|position| (position.value, position.digest));
        let is_of_type = self.range.value_type() == self.index.definition.value_type;
        partition
            .indexed(&self.index, self.range.bounds(), after)
            .filter(move |(value, _, record)| {
                is_of_type && self.index.satisfies(&self.range, *value, record)
            })
    }
}

impl Condition<'_> {
    /// Finds the index by its name, or by its definition on the query's set or on the whole namespace.
    ///
    /// # Errors
    /// [`ResultCode::SINDEX_NOT_FOUND`]; [`ResultCode::SINDEX_NOT_READABLE`] while it is being built.
    pub fn find(self, namespace: &Namespace, scope: &Scope) -> Outcome<Lookup> {
        let range = self.range.ok_or(ResultCode::SINDEX_NOT_FOUND)?;
        let index = match self.by {
            IndexRef::Name(name) => namespace.indexes.by_name(name),
            IndexRef::Bin(bin, source) => {
                let source = Source::ALL
                    .into_iter()
                    .find(|known| *known as u8 == source)
                    .ok_or(ResultCode::SINDEX_NOT_FOUND)?;
                let on_set = |set_id| {
                    namespace.indexes.by_definition(&Definition {
                        set_id,
                        bin,
                        source,
                        value_type: range.value_type(),
                    })
                };
                match scope {
                    Scope::Set(set_id) => on_set(*set_id).or_else(|| on_set(0)),
                    Scope::Namespace | Scope::Nothing => on_set(0),
                }
            }
            IndexRef::Other => None,
        };
        let index = index.ok_or(ResultCode::SINDEX_NOT_FOUND)?;
        if !index.is_readable() {
            return Err(ResultCode::SINDEX_NOT_READABLE);
        }
        Ok(Lookup { index, range })
    }
}

/// Parses a range: type, first value, last value.
fn parse_range(reader: &mut Reader<'_>) -> Outcome<Option<Range>> {
    let of = match reader.u8()? {
        particle::INTEGER => Type::Numeric,
        particle::STRING => Type::String,
        particle::BLOB => Type::Blob,
        particle::GEOJSON => return Ok(None),
        _ => return Err(ResultCode::PARAMETER),
    };
    if of == Type::Numeric {
        let (from, to) = (parse_integer(reader)?, parse_integer(reader)?);
        return if from <= to {
            Ok(Some(Range::Between(from, to)))
        } else {
            Err(ResultCode::PARAMETER)
        };
    }
    let size = reader.u32()? as usize;
    if size >= MAX_KEY_SIZE {
        return Err(ResultCode::PARAMETER);
    }
    // The last value equals the first, and is not used.
    Ok(Some(Range::Equal(of, reader.take(size)?.to_vec())))
}

fn parse_integer(reader: &mut Reader<'_>) -> Outcome<i64> {
    match reader.u32()? {
        8 => reader.u64().map(|value| value as i64),
        _ => Err(ResultCode::PARAMETER),
    }
}
