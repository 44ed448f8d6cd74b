//! Who the nodes are, how to reach them, and which partitions they own. Source: `as/src/fabric/service_list.c`
//! and `partition.c`. There is one node, and it owns all partitions.

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;

use super::{error, Command, InfoResult, Session};
use crate::state::State;
use crate::wire::consts::PARTITIONS;
use crate::wire::result::ResultCode;

/// Counts the changes of the partition map; none since the start.
const PARTITION_GENERATION: &str = "0";
/// Counts the changes of the cluster: the node coming up was the first.
const REBALANCE_GENERATION: &str = "1";
/// Counts the changes of the list of peers; none since the start.
const PEERS_GENERATION: &str = "0";

/// Answers a command of this family; `None` for any other.
pub fn answer(state: &State, session: &Session, command: Command<'_>) -> Option<InfoResult> {
    Some(Ok(match command.name {
        "node" | "name" => state.node.id.clone(),
        "cluster-name" if state.node.cluster_name.is_empty() => "null".into(),
        "cluster-name" => state.node.cluster_name.clone(),
        "partition-generation" => PARTITION_GENERATION.into(),
        "rebalance-generation" => REBALANCE_GENERATION.into(),
        "peers-generation" => PEERS_GENERATION.into(),
        "peers-clear-std" | "peers-clear-alt" => {
            format!("{PEERS_GENERATION},{},[]", session.local.port())
        }
        "alumni-clear-std" | "alumni-clear-alt" => {
            format!("{PEERS_GENERATION},{},[]", session.local.port())
        }
        "services" | "services-alumni" | "services-alternate" => String::new(),
        // A client behind "localhost", a name or a second address must be told the address it used.
        "service" | "service-clear-std" => session.local.to_string(),
        "service-clear-alt" => String::new(),
        "cluster-stable" => return Some(cluster_stable(state, command)),
        "replicas" => per_namespace(state, |bitmap| format!("0,1,{bitmap}")),
        "replicas-all" => per_namespace(state, |bitmap| format!("1,{bitmap}")),
        "replicas-master" => per_namespace(state, |bitmap| bitmap.to_owned()),
        "partitions" => PARTITIONS.to_string(),
        // These belong to the Enterprise Edition.
        "peers-tls-std" | "peers-tls-alt" | "alumni-tls-std" | "alumni-tls-alt"
        | "service-tls-std" | "service-tls-alt" | "feature-key" | "masking" | "masking-show"
        | "xdr-dc-state" | "xdr-get-filter" | "xdr-set-filter" | "rack-ids" | "racks"
        | "roster" | "roster-set" | "quiesce" | "quiesce-undo" | "revive" => {
            return Some(Err(error(ResultCode::ENTERPRISE_ONLY, "enterprise only")));
        }
        _ => return None,
    }))
}

/// `namespace:...;namespace:...` with a bit for every partition, all of them set.
fn per_namespace(state: &State, describe: impl Fn(&str) -> String) -> String {
    let bitmap = BASE64.encode([0xff; PARTITIONS / 8]);
    let parts: Vec<_> = state
        .namespaces
        .iter()
        .map(|namespace| format!("{}:{}", namespace.name(), describe(&bitmap)))
        .collect();
    parts.join(";")
}

/// The cluster key: it changes with the members, and they never do.
fn cluster_stable(state: &State, command: Command<'_>) -> InfoResult {
    if let Some(size) = command.optional("size", 3)? {
        match size.parse::<u32>() {
            Ok(1) => {}
            Ok(_) => {
                return Err(error(
                    ResultCode::CLUSTER_KEY_MISMATCH,
                    "cluster not specified size",
                ))
            }
            Err(_) => return Err(error(ResultCode::PARAMETER, "bad size")),
        }
    }
    if !matches!(
        command.optional("ignore-migrations", 5)?,
        None | Some("true" | "false")
    ) {
        return Err(error(ResultCode::PARAMETER, "bad ignore migrations"));
    }
    if let Some(name) = command.optional("namespace", 31)? {
        state
            .namespace(Some(name.as_bytes()))
            .map_err(|code| error(code, "namespace not found on node"))?;
    }
    Ok(format!("{:X}", crc32fast::hash(state.node.id.as_bytes())))
}
