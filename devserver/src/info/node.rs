//! What this node is and how it is doing.

use std::sync::atomic::Ordering;

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;

use super::{error, Command, InfoResult, Session};
use crate::state::State;
use crate::wire::result::ResultCode;

/// The release whose behaviour this server follows.
const BUILD: &str = "8.1.2.0";
const EDITION: &str = "Aerospike Community Edition";
/// `cmd_features()`, without what we do not do (blob-bits, geo, udf).
const FEATURES: &str = "batch-any;batch-index;cdt-index;cdt-list;cdt-map;cluster-stable;float;peers;pipelining;pquery;pscans;\
                        query-show;relaxed-sc;replicas;replicas-all;replicas-master;replicas-max;sindex-exists;truncate-namespace";

/// The commands an empty request asks for.
pub const SUMMARY: [&str; 8] = [
    "features",
    "node",
    "edition",
    "build",
    "version",
    "statistics",
    "services",
    "partition-generation",
];

/// Answers a command of this family; `None` for any other.
pub fn answer(state: &State, session: &mut Session, command: Command<'_>) -> Option<InfoResult> {
    Some(Ok(match command.name {
        "build" => BUILD.into(),
        "edition" => EDITION.into(),
        "version" => format!("{EDITION} build {BUILD}"),
        "release" => format!(
            "edition={EDITION};version={BUILD};os=dev;arch={};sha=",
            std::env::consts::ARCH
        ),
        "compatibility-id" => "15".into(),
        "features" => FEATURES.into(),
        "digests" => "RIPEMD160".into(),
        "status" => "ok".into(),
        "statistics" => statistics(state),
        "get-stats" => statistics(state),
        "connection" => "admin=false".into(),
        "user-agent-set" => return Some(set_user_agent(session, command)),
        "user-agents" => String::new(),
        "best-practices" => "failed_best_practices=none".into(),
        "health-outliers" | "health-stats" => String::new(),
        "get-config" | "config-get" => return Some(get_config(state, command)),
        "set-config" | "config-set" | "histogram" | "latencies" | "log" | "logs" | "log-set"
        | "quit" | "help" | "mesh" | "mcast" | "recluster" | "eviction-reset" | "debug-record"
        | "dump-rw" | "smd-show" => {
            return Some(Err(error(
                ResultCode::UNSUPPORTED_FEATURE,
                "not made by the development server",
            )));
        }
        _ => return None,
    }))
}

fn statistics(state: &State) -> String {
    let opened = state.connections.opened.load(Ordering::Relaxed);
    let closed = state.connections.closed.load(Ordering::Relaxed);
    let namespaces = state.namespaces.iter();
    let objects: u64 = namespaces
        .map(|namespace| state.objects(namespace).all())
        .sum();
    let cluster = &state.cluster;
    format!(
        "cluster_size={};cluster_key={:X};cluster_generation={};cluster_principal={};cluster_integrity=true;cluster_is_member=true;\
         uptime={};client_connections={};client_connections_opened={opened};client_connections_closed={closed};objects={objects};\
         migrate_allowed=true;migrate_partitions_remaining=0",
        cluster.known().len(),
        cluster.key(),
        cluster.generations().rebalance,
        cluster.principal(),
        state.started.elapsed().as_secs(),
        opened.saturating_sub(closed),
    )
}

/// A client may name itself once on each connection (`cmd_user_agent_set()`).
fn set_user_agent(session: &mut Session, command: Command<'_>) -> InfoResult {
    /// Longest name, in base64 (`user_agent_key` in `as/include/base/service.h`).
    const MAX: usize = 255;
    if session.has_user_agent {
        return Err(error(ResultCode::PARAMETER, "already set"));
    }
    let value = command.require("value", MAX)?;
    if BASE64.decode(value).is_err() {
        return Err(error(ResultCode::PARAMETER, "'value' invalid base64"));
    }
    session.has_user_agent = true;
    Ok("ok".into())
}

fn get_config(state: &State, command: Command<'_>) -> InfoResult {
    match command.require("context", 31)? {
        "service" => Ok("proto-fd-max=15000;batch-max-requests=0;transaction-pending-limit=20;info-max-ms=10000".into()),
        "namespace" => {
            let name = command.get("namespace").or_else(|| command.get("id"));
            let Some(name) = name else { return Err(error(ResultCode::NAMESPACE, "missing 'namespace'")) };
            let namespace = state.namespace(Some(name.as_bytes())).map_err(|code| error(code, "namespace not found on node"))?;
            Ok(super::namespace::config(namespace))
        }
        _ => Err(error(ResultCode::PARAMETER, "invalid context")),
    }
}
