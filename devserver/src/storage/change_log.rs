//! The log of changes of a namespace. A namespace writes to it without knowing where it is kept.

use super::record::{Digest, Record};
use super::sindex::Definition;
use crate::wire::result::Outcome;

/// Writes the changes of one namespace, each before its response is sent.
///
/// # Errors
/// All methods fail with [`OUT_OF_SPACE`](crate::wire::result::ResultCode::OUT_OF_SPACE) if the change cannot be written.
pub trait ChangeLog: Send + Sync {
    /// Writes a record as it is now. `old` is the record that it replaces.
    fn put(
        &self,
        digest: &Digest,
        record: &Record,
        set: Option<&str>,
        old: Option<&Record>,
    ) -> Outcome<()>;

    /// Writes that a record was deleted.
    fn delete(&self, digest: &Digest, old: &Record, set: Option<&str>) -> Outcome<()>;

    /// Writes that a secondary index was created or renamed.
    fn index_created(&self, name: &str, set: Option<&str>, definition: &Definition) -> Outcome<()>;

    /// Writes that a secondary index was dropped.
    fn index_dropped(&self, name: &str) -> Outcome<()>;
}
