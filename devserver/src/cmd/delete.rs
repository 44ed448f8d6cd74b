//! Deletes a record. Source: `as/src/transaction/delete.c` and `delete_ce.c`.

use super::request::Request;
use crate::storage::namespace::Namespace;
use crate::storage::record::Digest;
use crate::wire::result::{Outcome, ResultCode};

/// Deletes a record. The response has no generation and no void time.
///
/// The Community Edition does not check whether the record has expired: until it is removed, deleting it succeeds.
pub fn delete(namespace: &Namespace, digest: Digest, request: &Request<'_>) -> Outcome<()> {
    request.refuse_durable_delete()?;
    let mut slot = namespace.lock(&digest);
    let record = slot.any().ok_or(ResultCode::NOT_FOUND)?;
    request.check_set(namespace, record)?;
    request.check_generation(record)?;
    request.check_filter(namespace, &digest, record)?;
    request.check_key(record)?;
    slot.remove()
}
