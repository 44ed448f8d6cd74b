//! The condition of a query on the values of one index.

use super::definition::Type;
use super::item::hash;

/// The condition of a query, on the values of one index.
pub enum Range {
    /// Integers, both ends included.
    Between(i64, i64),
    /// A string or blob.
    Equal(Type, Vec<u8>),
}

impl Range {
    /// The values to look under.
    pub fn bounds(&self) -> (i64, i64) {
        match self {
            Range::Between(from, to) => (*from, *to),
            Range::Equal(_, bytes) => (hash(bytes), hash(bytes)),
        }
    }

    /// The type of the values meant.
    pub fn value_type(&self) -> Type {
        match self {
            Range::Between(..) => Type::Numeric,
            Range::Equal(of, _) => *of,
        }
    }
}
