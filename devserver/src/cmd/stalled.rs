//! Requests that wait before they are executed, because they need a node that is down (see [`crate::cluster::Stall`]),
//! and their timeouts.

use std::time::Duration;

use super::batch::Batch;
use crate::security::Access;
use crate::state::State;
use crate::storage::record::Digest;
use crate::wire::consts::{info1, info2};
use crate::wire::message::{Header, Message};
use crate::wire::reader::Reader;
use crate::wire::result::Outcome;

/// Timeout of a request that has none: `transaction-max-ms`.
const TRANSACTION_MAX: Duration = Duration::from_secs(1);
/// The same for a batch.
const BATCH_ABANDON_LIMIT: Duration = Duration::from_secs(30);

/// Waits until a message can be executed, or until its timeout.
///
/// # Errors
/// The result code of an immediate error response.
pub async fn wait(state: &State, access: &Access, body: &[u8]) -> Outcome<()> {
    if !state.cluster.is_stalled() {
        return Ok(());
    }
    // An unreadable message, or one without login, is refused when it is handled.
    let Ok(header) = Header::parse(&mut Reader::new(body)) else {
        return Ok(());
    };
    let Ok(records) = records(state, access, body, &header) else {
        return Ok(());
    };
    let write = match records.as_slice() {
        [(digest, true)] if header.info1 & info1::BATCH == 0 => Some(*digest),
        _ => None,
    };
    let limit = (header.timeout != 0).then(|| Duration::from_millis(header.timeout.into()));
    let cluster = &state.cluster;
    cluster.wait(state.node, &records, write, limit).await
}

/// Whether a message has waited for longer than its timeout before it is executed. A real server then responds with
/// TIMEOUT (`as_tsvc_process_transaction()` in `as/src/base/thr_tsvc.c`, `as_batch_queue_task()` in
/// `as/src/base/batch.c`).
pub fn has_timed_out(body: &[u8], waited: Duration) -> bool {
    let Ok(header) = Header::parse(&mut Reader::new(body)) else {
        return false;
    };
    let unlimited = match header.info1 & info1::BATCH {
        0 if Message::parse(body).is_ok_and(|message| message.fields.digest.is_none()) => {
            // A query has no timeout.
            return false;
        }
        0 => TRANSACTION_MAX,
        _ => BATCH_ABANDON_LIMIT,
    };
    let limit = match header.timeout {
        0 => unlimited,
        timeout => Duration::from_millis(timeout.into()),
    };
    waited > limit
}

/// Returns the records of a message, each with whether it is written to.
fn records(
    state: &State,
    access: &Access,
    body: &[u8],
    header: &Header,
) -> Outcome<Vec<(Digest, bool)>> {
    access.require_login()?;
    if header.info1 & info1::BATCH != 0 {
        return Ok(Batch::parse(state, access, body)?.records());
    }
    let digest = Message::parse(body)?.fields.digest;
    let digest = digest.and_then(|digest| digest.try_into().ok());
    let is_write = header.info2 & info2::WRITE != 0;
    Ok(digest
        .into_iter()
        .map(|digest| (digest, is_write))
        .collect())
}
