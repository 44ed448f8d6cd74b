//! The scope of a query, and its progress.

use crate::storage::record::Digest;

/// The scope of a query.
pub enum Scope {
    Namespace,
    Set(u16),
    /// A set that does not exist: no records, and no error.
    Nothing,
}

/// A partition, and the position in it to continue after.
pub struct PartitionCursor {
    pub partition: usize,
    pub after: Option<Position>,
}

/// A record, and its value in the secondary index.
#[derive(Clone, Copy)]
pub struct Position {
    pub value: i64,
    pub digest: Digest,
}
