//! A single value that can be indexed.

use super::wyhash;

/// Longest string or blob that is indexed, in bytes (`MAX_STRING_KSIZE` in `as/include/sindex/sindex.h`).
pub const MAX_KEY_SIZE: usize = 2048;

/// A single value of a bin.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl Item<'_> {
    /// Returns the value's key in the index.
    pub fn key(self) -> i64 {
        match self {
            Item::Int(value) => value,
            Item::Bytes(bytes) => hash(bytes),
        }
    }
}

pub fn hash(bytes: &[u8]) -> i64 {
    wyhash::hash(bytes) as i64
}

/// Bytes at the start of a string or blob that a query compares (`stub` in `as/include/query/query_job.h`).
const COMPARED_BYTES: usize = 16;

/// Whether a query for `wanted` finds `stored`. The server compares the length, the hash and the first 16 bytes, not
/// the whole value (`strings_match()` and `blobs_match()` in `as/src/query/query.c`), so two different values can
/// match.
pub fn matches(wanted: &[u8], stored: &[u8]) -> bool {
    let start = |bytes: &[u8]| bytes.len().min(COMPARED_BYTES);
    wanted.len() == stored.len()
        && wanted[..start(wanted)] == stored[..start(stored)]
        && hash(wanted) == hash(stored)
}
