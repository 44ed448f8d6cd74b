//! The operations of a cache. Times are milliseconds since 1970 by the clock of the caller.

use super::entry::Entry;

/// An operation on one entry.
#[derive(Debug, Clone)]
pub enum CacheOp {
    /// Return the value, or nothing.
    Get,
    /// Return whether there is an entry.
    Has,
    /// Store the value, whatever was there.
    Set(Entry),
    /// Remove the entry. Returns whether there was one.
    Delete,
    /// Remove the entry and return its value, or nothing. Of several callers at once, one gets the value.
    Take,
    /// Add 1 to a counter and return its new value. A counter begins with 1.
    Increment {
        /// When a counter that begins now ends. A counter that exists keeps its end.
        expires: i64,
        /// A random number. A command that is repeated has the same number, and adds nothing the second time.
        token: i64,
    },
}

impl CacheOp {
    pub fn is_read(&self) -> bool {
        matches!(self, CacheOp::Get | CacheOp::Has)
    }

    /// Returns whether both are the same read.
    pub fn is_equal_read(&self, other: &CacheOp) -> bool {
        matches!(
            (self, other),
            (CacheOp::Get, CacheOp::Get) | (CacheOp::Has, CacheOp::Has)
        )
    }

    /// Returns the name of the operation in JavaScript.
    pub fn name(&self) -> &'static str {
        match self {
            CacheOp::Get => "cache.get",
            CacheOp::Has => "cache.has",
            CacheOp::Set(_) => "cache.set",
            CacheOp::Delete => "cache.delete",
            CacheOp::Take => "cache.take",
            CacheOp::Increment { .. } => "cache.increment",
        }
    }
}

/// The result of an operation on one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// The value, or `None` if there is none.
    Value(Option<String>),
    Flag(bool),
    Count(u64),
}

/// An operation on several entries, or on all of them.
pub enum ManyOp {
    /// Run the same kind of operation on several keys. Those of the caller, without the prefix. No key may occur twice.
    Each(Vec<(String, CacheOp)>),
    /// Remove all entries of the view.
    Clear,
    /// Return the entries in these partitions (first and count), with their keys.
    Entries { partitions: (usize, usize) },
}

impl ManyOp {
    /// Returns whether it changes entries. A part of it may have been done when it fails.
    pub fn is_write(&self) -> bool {
        match self {
            ManyOp::Each(all) => all.iter().any(|(_, op)| !op.is_read()),
            ManyOp::Clear => true,
            ManyOp::Entries { .. } => false,
        }
    }

    /// Returns the name of the operation in JavaScript.
    pub fn name(&self) -> &'static str {
        match self {
            ManyOp::Each(all) => match all.first() {
                Some((_, CacheOp::Has)) => "cache.hasMany",
                Some((_, CacheOp::Set(_))) => "cache.setMany",
                Some((_, CacheOp::Delete | CacheOp::Take)) => "cache.deleteMany",
                _ => "cache.getMany",
            },
            ManyOp::Clear => "cache.clear",
            ManyOp::Entries { .. } => "cache.entries",
        }
    }
}
