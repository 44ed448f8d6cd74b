//! Background queries: those that run, and the last that have completed. Other queries end with their connection.
//! Source: `as/src/query/query_job.c`.

use std::sync::atomic::Ordering;

use super::command::{Command, c_number};
use super::error::{InfoError, InfoResult, error};
use crate::state::State;
use crate::storage::jobs::Job;
use crate::storage::namespace::Namespace;
use crate::wire::result::ResultCode;

/// Runs a command of this family. Returns `None` for any other.
pub fn run(state: &State, command: Command<'_>) -> Option<InfoResult> {
    Some(match command.name {
        "query-show" => show(state, command),
        "query-abort" => abort(command),
        "query-abort-all" => Ok("number-of-queries-killed:0".into()),
        _ => return None,
    })
}

fn show(state: &State, command: Command<'_>) -> InfoResult {
    let wanted = id(command)?;
    let mut found = Vec::new();
    for namespace in &state.namespaces {
        for job in namespace.jobs.on_node(state.node) {
            if wanted.is_none_or(|id| id == job.id) {
                found.push(describe(namespace, &job));
            }
        }
    }
    match wanted {
        Some(_) => match found.into_iter().next() {
            Some(job) => Ok(job),
            None => Err(error(ResultCode::NOT_FOUND, "job not found")),
        },
        None => Ok(found.join(";")),
    }
}

/// Describes a job as `as_query_job_info()` does.
fn describe(namespace: &Namespace, job: &Job) -> String {
    let (ran, since_done) = job.times();
    let mut out = format!("trid={}:ns={}", job.id, namespace.name());
    if !job.set.is_empty() {
        out += &format!(":set={}", job.set);
    }
    if !job.index.is_empty() {
        out += &format!(":sindex-name={}", job.index);
    }
    let (threads, status, progress) = match since_done {
        Some(_) => (0, "done(ok)", "100.00"),
        None => (1, "active(ok)", "0.00"),
    };
    out + &format!(
        ":rps={}:active-threads={threads}:status={status}:job-progress={progress}:run-time={ran}:time-since-done={}\
         :recs-throttled=0:recs-filtered-meta=0:recs-filtered-bins={}:recs-succeeded={}:recs-failed={}:from=unknown\
         :job-type=background-ops:net-io-bytes=30:socket-timeout=10000:ops-active=0",
        job.records_per_second,
        since_done.unwrap_or(0),
        job.filtered.load(Ordering::Relaxed),
        job.succeeded.load(Ordering::Relaxed),
        job.failed.load(Ordering::Relaxed),
    )
}

/// Responds to `query-abort`. A background query completes too fast to be stopped.
fn abort(command: Command<'_>) -> InfoResult {
    match id(command)? {
        None => Err(error(ResultCode::PARAMETER, "missing 'id'")),
        Some(_) => Err(error(ResultCode::NOT_FOUND, "id not active")),
    }
}

/// Returns the ID of the query, under its current or old key.
fn id(command: Command<'_>) -> Result<Option<u64>, InfoError> {
    let key = if command.get("id").is_some() {
        "id"
    } else {
        "trid"
    };
    let Some(text) = command.optional(key, 25)? else {
        return Ok(None);
    };
    match c_number(text) {
        Some(0) | None => Err(error(ResultCode::PARAMETER, "bad id")),
        some => Ok(some),
    }
}
