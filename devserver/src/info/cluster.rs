//! The nodes, their addresses and their partitions. Source: `as/src/fabric/service_list.c` and `partition.c`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::command::Command;
use super::error::{InfoResult, error};
use super::session::Session;
use super::template;
use crate::state::State;
use crate::wire::consts::PARTITIONS;
use crate::wire::result::ResultCode;

/// The default port of a server.
const DEFAULT_PORT: u16 = 3000;

/// Runs a command of this family. Returns `None` for any other.
pub fn run(state: &State, session: &Session, command: Command<'_>) -> Option<InfoResult> {
    Some(Ok(match command.name {
        "node" | "name" => state.node_id().into(),
        "get-sl" => succession(state),
        "cluster-name" => cluster_name(state),
        "partition-generation" => state.cluster.generations().partition.to_string(),
        "rack-ids" => match state.cluster.rack(state.node) {
            Some(rack) => per_namespace(state, &rack.to_string()),
            None => return Some(Err(error(ResultCode::ENTERPRISE_ONLY, "enterprise only"))),
        },
        "rebalance-generation" => state.cluster.generations().rebalance.to_string(),
        "peers-generation" => state.cluster.generations().peers.to_string(),
        // No node has an alternate address, and nodes without one are left out (`build_peers_reduce()`).
        "peers-clear-alt" | "alumni-clear-alt" => peers(state, session, None),
        "peers-clear-std" | "alumni-clear-std" => {
            // A server with TLS has no port without it.
            peers(state, session, state.tls.is_none().then_some(""))
        }
        "services" | "services-alumni" | "service" | "service-clear-std" if state.tls.is_some() => {
            String::new()
        }
        "services" | "services-alumni" => services(state, session),
        "services-alternate" => String::new(),
        // This server has no admin port.
        "admin-clear-std" | "admin-tls-std" => String::new(),
        "endpoints" => endpoints(session),
        "recluster" if state.cluster.principal() != state.node_id() => {
            "ignored-by-non-principal".into()
        }
        "recluster" => "ok".into(),
        // A client that used "localhost", another name or a second address must get the address that it used.
        "service" | "service-clear-std" => session.local.to_string(),
        "service-clear-alt" => String::new(),
        "cluster-stable" => return Some(cluster_stable(state, command)),
        "replicas" => return Some(replicas(state, command)),
        "replicas-all" => per_namespace(state, &bitmaps(state, usize::MAX)),
        "replicas-master" => per_namespace(state, &bitmap(state, 0)),
        "partitions" => PARTITIONS.to_string(),
        "peers-tls-alt" | "alumni-tls-alt" if state.tls.is_some() => peers(state, session, None),
        "peers-tls-std" | "alumni-tls-std" if state.tls.is_some() => {
            peers(state, session, state.tls.as_deref().map(|tls| &*tls.name))
        }
        "service-tls-std" if state.tls.is_some() => session.local.to_string(),
        "service-tls-alt" if state.tls.is_some() => String::new(),
        // These belong to the Enterprise Edition.
        "peers-tls-std" | "peers-tls-alt" | "alumni-tls-std" | "alumni-tls-alt"
        | "service-tls-std" | "service-tls-alt" | "feature-key" | "masking" | "masking-show"
        | "xdr-dc-state" | "xdr-get-filter" | "xdr-set-filter" | "racks" | "roster"
        | "roster-set" | "quiesce" | "quiesce-undo" | "revive" => {
            return Some(Err(error(ResultCode::ENTERPRISE_ONLY, "enterprise only")));
        }
        _ => return None,
    }))
}

/// Returns the cluster name, or `null` if there is none.
pub fn cluster_name(state: &State) -> String {
    match state.cluster.name() {
        "" => "null".into(),
        name => name.into(),
    }
}

/// Returns the IDs of the members in descending order, so the principal is first.
fn succession(state: &State) -> String {
    let mut ids = vec![state.node_id()];
    ids.extend(state.cluster.peers(state.node).map(|peer| peer.id.as_str()));
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.join(",")
}

/// Responds to `replicas:max=COPIES`; 0 means all copies (`cmd_replicas()`).
fn replicas(state: &State, command: Command<'_>) -> InfoResult {
    let max = match command.optional("max", 3)? {
        Some(max) => max
            .parse()
            .map_err(|_| error(ResultCode::PARAMETER, "bad max"))?,
        None => 0,
    };
    let max = if max == 0 { usize::MAX } else { max };
    Ok(per_namespace(state, &format!("0,{}", bitmaps(state, max))))
}

/// Returns the addresses on which the node listens, and those that it announces.
fn endpoints(session: &Session) -> String {
    template::fill(template::ENDPOINTS, |name| match name {
        "service.port" | "service.access-port" | "service.alternate-access-port" => {
            Some(session.local.port().to_string())
        }
        "service.addresses" | "service.access-addresses" => Some(session.local.ip().to_string()),
        _ => None,
    })
}

/// Returns the other nodes: `generation,default port,[[id,tls name,[address]],...]`. If `tls_name` is `None`, the
/// nodes have no address of this kind.
fn peers(state: &State, session: &Session, tls_name: Option<&str>) -> String {
    let peers: Vec<_> = tls_name
        .into_iter()
        .flat_map(|name| {
            state
                .cluster
                .peers(state.node)
                .map(move |peer| (name, peer))
        })
        .map(|(name, peer)| format!("[{},{name},[{}]]", peer.id, session.address_of(peer)))
        .collect();
    let generation = state.cluster.generations().peers;
    format!("{generation},{DEFAULT_PORT},[{}]", peers.join(","))
}

/// Returns the other nodes in the old format.
fn services(state: &State, session: &Session) -> String {
    let peers = state.cluster.peers(state.node);
    let addresses: Vec<_> = peers
        .map(|peer| session.address_of(peer).to_string())
        .collect();
    addresses.join(";")
}

/// Returns the number of copies, then for each of them the partitions that this node owns.
fn bitmaps(state: &State, max: usize) -> String {
    let copies = state.cluster.copies().min(max);
    let bitmaps = (0..copies).map(|index| bitmap(state, index));
    bitmaps.fold(copies.to_string(), |list, bitmap| list + "," + &bitmap)
}

/// Returns one bit for every partition, the first in the highest bit: whether this node owns copy `index`.
fn bitmap(state: &State, index: usize) -> String {
    let mut bits = [0; PARTITIONS / 8];
    state.cluster.with_owners(|owners| {
        for (byte, owners) in bits.iter_mut().zip(owners.chunks(8)) {
            for (bit, owners) in owners.iter().enumerate() {
                if owners.owner(index) == Some(state.node) {
                    *byte |= 0x80 >> bit;
                }
            }
        }
    });
    BASE64.encode(bits)
}

/// Returns `namespace:...;namespace:...`. The owners of the partitions are the same in all namespaces.
fn per_namespace(state: &State, text: &str) -> String {
    let parts: Vec<_> = state
        .namespaces
        .iter()
        .map(|namespace| format!("{}:{text}", namespace.name()))
        .collect();
    parts.join(";")
}

/// Returns the cluster key, if the cluster is as the command requires (`cmd_cluster_stable()`).
fn cluster_stable(state: &State, command: Command<'_>) -> InfoResult {
    if let Some(size) = command.optional("size", 3)? {
        match size.parse::<u32>() {
            Ok(size) if size as usize == state.cluster.members().len() => {}
            Ok(_) => {
                return Err(error(
                    ResultCode::CLUSTER_KEY_MISMATCH,
                    "cluster not specified size",
                ));
            }
            Err(_) => return Err(error(ResultCode::PARAMETER, "bad size")),
        }
    }
    let ignores_migrations = match command.optional("ignore-migrations", 5)? {
        Some("true") => true,
        None | Some("false") => false,
        Some(_) => return Err(error(ResultCode::PARAMETER, "bad ignore migrations")),
    };
    if !ignores_migrations {
        if let Some(name) = command.optional("namespace", 31)? {
            state
                .namespace(Some(name.as_bytes()))
                .map_err(|code| error(code, "namespace not found on node"))?;
        }
        if !state.cluster.is_settled() {
            return Err(error(ResultCode::CLUSTER_KEY_MISMATCH, "unstable cluster"));
        }
    }
    Ok(format!("{:X}", state.cluster.key()))
}
