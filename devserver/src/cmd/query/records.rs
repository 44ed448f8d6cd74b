//! Iterates over the records of one partition in the order of the primary index or of a secondary one.

use super::lookup::Lookup;
use super::scope::Position;
use crate::storage::partition::Partition;
use crate::storage::record::{Digest, Record};

/// A record, with its value if a secondary index is used.
type IndexedRecord<'a> = (Option<i64>, &'a Digest, &'a Record);

/// Returns the records of a partition in the order of the index.
pub fn records<'a>(
    partition: &'a Partition,
    lookup: Option<&'a Lookup>,
    after: Option<Position>,
) -> Box<dyn Iterator<Item = IndexedRecord<'a>> + 'a> {
    match lookup {
        Some(lookup) => Box::new(
            lookup
                .records(partition, after)
                .map(|(value, digest, record)| (Some(value), digest, record)),
        ),
        None => Box::new(
            partition
                .descend(after.map(|position| position.digest))
                .map(|(digest, record)| (None, digest, record)),
        ),
    }
}
