//! Namespaces and sets: their numbers and their configuration. The names are the server's; of its hundreds of
//! numbers these are the ones that mean something for a server in memory.

use std::sync::atomic::Ordering;

use super::{Command, InfoResult};
use crate::state::State;
use crate::storage::clock;
use crate::storage::namespace::Namespace;
use crate::storage::sets::Set;
use crate::storage::usage::STOP_WRITES_PCT;

/// Answers a command of this family; `None` for any other.
pub fn answer(state: &State, command: Command<'_>) -> Option<InfoResult> {
    Some(Ok(match command.name {
        "namespaces" => state
            .namespaces
            .iter()
            .map(|namespace| namespace.name())
            .collect::<Vec<_>>()
            .join(";"),
        "namespace" => match state.namespace(Some(command.params.as_bytes())) {
            Ok(namespace) => format!("{};{}", statistics(namespace), config(namespace)),
            // No error here, "clients won't handle" one (`cmd_namespace()`).
            Err(_) => "type=unknown".into(),
        },
        "sets" => sets(state, command.params),
        "objects" => {
            let objects: u64 = state
                .namespaces
                .iter()
                .map(|namespace| namespace.objects.load(Ordering::Relaxed))
                .sum();
            objects.to_string()
        }
        _ => return None,
    }))
}

fn statistics(namespace: &Namespace) -> String {
    let objects = namespace.objects.load(Ordering::Relaxed);
    format!(
        "ns_cluster_size=1;effective_replication_factor=1;objects={objects};tombstones=0;xdr_tombstones=0;\
         master_objects={objects};master_tombstones=0;prole_objects=0;prole_tombstones=0;non_replica_objects=0;\
         non_replica_tombstones=0;unreplicated_records=0;dead_partitions=0;unavailable_partitions=0;\
         clock_skew_stop_writes=false;stop_writes={};hwm_breached=false;current_time={};\
         truncate_lut={};truncating=false;{};migrate_tx_partitions_remaining=0;migrate_rx_partitions_remaining=0",
        namespace.stops_writes(),
        clock::now_seconds(),
        namespace.truncate_lut.load(Ordering::Relaxed),
        usage(namespace),
    )
}

/// What the namespace holds (`add_data_stripe_stats()` and what stands before it).
fn usage(namespace: &Namespace) -> String {
    let usage = &namespace.usage;
    format!(
        "index_used_bytes={};set_index_used_bytes=0;sindex_used_bytes={};data_total_bytes={};data_used_bytes={};\
         data_used_pct={};data_avail_pct={}",
        namespace.index_used(),
        namespace.sindex_used(),
        usage.total(),
        usage.used(),
        usage.percent(),
        100u64.saturating_sub(usage.percent()),
    )
}

/// A namespace's configuration, as `get-config` lists it.
pub fn config(namespace: &Namespace) -> String {
    let config = &namespace.config;
    format!(
        "allow-ttl-without-nsup={};default-read-touch-ttl-pct={};default-ttl={};max-record-size={};nsup-period={};\
         replication-factor=1;strong-consistency=false;transaction-pending-limit=20;storage-engine=memory;\
         storage-engine.data-size={};storage-engine.evict-used-pct=0;storage-engine.stop-writes-used-pct={STOP_WRITES_PCT}",
        config.allow_ttl_without_nsup,
        config.default_read_touch_ttl_pct,
        config.default_ttl,
        config.max_record_size,
        config.nsup_period,
        config.data_size,
    )
}

/// `sets`, `sets/NAMESPACE` and `sets/NAMESPACE/SET` (`cmd_sets()`).
fn sets(state: &State, params: &str) -> String {
    let (name, set_name) = match params.split_once('/') {
        Some((name, set_name)) => (name, Some(set_name)),
        None => (params, None),
    };
    let chosen: Vec<_> = if params.is_empty() {
        state.namespaces.iter().collect()
    } else {
        match state.namespace(Some(name.as_bytes())) {
            Ok(namespace) => vec![namespace],
            Err(_) => return "ns_type=unknown".into(),
        }
    };
    let mut out = String::new();
    for namespace in chosen {
        for (id, set) in (1..).zip(namespace.sets.all()) {
            let indexes = namespace.indexes.count_on_set(id);
            match set_name {
                None => {
                    out += &format!(
                        "ns={}:set={}:{};",
                        namespace.name(),
                        set.name,
                        properties(&set, indexes)
                    )
                }
                Some(name) if *set.name == *name => {
                    out += &format!("{};", properties(&set, indexes))
                }
                Some(_) => {}
            }
        }
    }
    out
}

fn properties(set: &Set, indexes: usize) -> String {
    format!(
        "objects={}:tombstones=0:data_used_bytes={}:truncate_lut={}:sindexes={indexes}:index_populating=false:truncating=false:\
         default-read-touch-ttl-pct=0:default-ttl=0:disable-eviction=false:enable-index=false:stop-writes-count=0:stop-writes-size=0",
        set.objects.load(Ordering::Relaxed),
        set.data_used.load(Ordering::Relaxed),
        set.truncate_lut.load(Ordering::Relaxed),
    )
}
