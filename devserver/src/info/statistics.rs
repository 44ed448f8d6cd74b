//! Statistics of the node, histograms and health.

use std::sync::atomic::Ordering;

use super::command::{Command, local_namespace};
use super::error::{InfoResult, error};
use super::namespace;
use super::template::{self, fill};
use crate::state::State;
use crate::wire::consts::MAX_SET_NAME;
use crate::wire::result::ResultCode;

/// The histograms that a server records by default, for each namespace (`cmd_latencies()`).
const HISTOGRAMS: [&str; 8] = [
    "read",
    "write",
    "udf",
    "batch-sub-read",
    "batch-sub-write",
    "batch-sub-udf",
    "pi-query",
    "si-query",
];

/// Runs a command of this family. Returns `None` for any other.
pub fn run(state: &State, command: Command<'_>) -> Option<InfoResult> {
    Some(match command.name {
        "statistics" => Ok(statistics(state)),
        "get-stats" => get_stats(command),
        "latencies" => latencies(state, command),
        "histogram" => histogram(state, command),
        "best-practices" => Ok("failed_best_practices=none".into()),
        "health-outliers" | "health-stats" => Ok(String::new()),
        "index-pressure" => Ok(per_namespace(state, |name| format!("{name}:0:0"))),
        _ => return None,
    })
}

fn statistics(state: &State) -> String {
    let opened = state.connections.opened.load(Ordering::Relaxed);
    let closed = state.connections.closed.load(Ordering::Relaxed);
    let cluster = &state.cluster;
    let uptime = state.started.elapsed().as_secs();
    fill(template::STATISTICS, |name| {
        Some(match name {
            "cluster_size" => cluster.members().len().to_string(),
            "cluster_key" => format!("{:X}", cluster.key()),
            "cluster_generation" => cluster.generations().rebalance.to_string(),
            "cluster_principal" | "paxos_principal" => cluster.principal().to_owned(),
            "uptime" | "time_since_rebalance" => uptime.to_string(),
            "objects" => namespace::objects(state).to_string(),
            "client_connections" => opened.saturating_sub(closed).to_string(),
            "client_connections_opened" => opened.to_string(),
            "client_connections_closed" => closed.to_string(),
            _ => return None,
        })
    })
}

/// Responds to `get-stats`, which only has statistics of XDR. This server has no XDR.
fn get_stats(command: Command<'_>) -> InfoResult {
    match command.require("context", 1023)? {
        "xdr" => Ok(String::new()),
        _ => Err(error(ResultCode::PARAMETER, "unknown context")),
    }
}

/// Responds to `latencies`. No latencies are recorded: every histogram is empty, as in a server without traffic.
fn latencies(state: &State, command: Command<'_>) -> InfoResult {
    let Some(wanted) = command.optional("hist", 99)? else {
        let of_namespaces = per_namespace(state, |name| {
            HISTOGRAMS
                .map(|histogram| format!("{{{name}}}-{histogram}:"))
                .join(";")
        });
        return Ok(format!("batch-index:;{of_namespaces}"));
    };
    let is_known = wanted == "batch-index"
        || state.namespaces.iter().any(|namespace| {
            let prefix = format!("{{{}}}-", namespace.name());
            wanted
                .strip_prefix(prefix.as_str())
                .is_some_and(|name| HISTOGRAMS.contains(&name))
        });
    if is_known {
        Ok(format!("{wanted}:"))
    } else {
        Err(error(ResultCode::PARAMETER, "bad hist name"))
    }
}

/// Responds to `histogram`. The server records TTLs and sizes once an hour (`as_namespace_get_hist_info()`), this one
/// never.
fn histogram(state: &State, command: Command<'_>) -> InfoResult {
    let namespace = local_namespace(state, command, "namespace")?;
    let kind = command.require("type", 127)?;
    if let Some(set) = command.optional("set", MAX_SET_NAME)?
        && namespace.sets.find(set.as_bytes()).is_none()
    {
        return Err(error(ResultCode::PARAMETER, "unknown set name"));
    }
    match kind {
        "ttl" | "object-size" | "object-size-linear" => Ok(String::new()),
        _ => Err(error(ResultCode::PARAMETER, "unknown hist name")),
    }
}

fn per_namespace(state: &State, describe: impl Fn(&str) -> String) -> String {
    let parts: Vec<_> = state
        .namespaces
        .iter()
        .map(|namespace| describe(namespace.name()))
        .collect();
    parts.join(";")
}
