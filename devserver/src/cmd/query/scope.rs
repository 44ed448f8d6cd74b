//! Which records a query wants, and how far it has come.

use crate::storage::record::Digest;

/// Which records are wanted.
pub enum Scope {
    Namespace,
    Set(u16),
    /// A set nobody has written to: no record, and no error.
    Nothing,
}

/// One partition to walk, and where to go on in it.
pub struct PartitionCursor {
    pub partition: usize,
    pub after: Option<Position>,
}

/// The last record seen, and its value in the secondary index.
#[derive(Clone, Copy)]
pub struct Position {
    pub value: i64,
    pub digest: Digest,
}
