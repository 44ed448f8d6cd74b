//! The condition of a query on the values of one index.

use super::definition::Type;
use super::item::hash;

/// The condition of a query on the values of one index.
pub enum Range {
    /// Integers, including both ends.
    Between(i64, i64),
    /// A string or blob.
    Equal(Type, Vec<u8>),
}

impl Range {
    /// Returns the first and the last key to look up.
    pub fn bounds(&self) -> (i64, i64) {
        match self {
            Range::Between(from, to) => (*from, *to),
            Range::Equal(_, bytes) => (hash(bytes), hash(bytes)),
        }
    }

    /// Returns the type of the values.
    pub fn value_type(&self) -> Type {
        match self {
            Range::Between(..) => Type::Numeric,
            Range::Equal(of, _) => *of,
        }
    }
}
