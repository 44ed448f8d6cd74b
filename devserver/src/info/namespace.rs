//! Namespaces and sets, and their statistics.

use std::sync::atomic::Ordering;

use super::command::Command;
use super::config;
use super::error::InfoResult;
use super::template::{self, fill};
use crate::state::{Objects, State};
use crate::storage::clock;
use crate::storage::namespace::Namespace;
use crate::storage::sets::Set;

/// Runs a command of this family. Returns `None` for any other.
pub fn run(state: &State, command: Command<'_>) -> Option<InfoResult> {
    Some(Ok(match command.name {
        "namespaces" => state
            .namespaces
            .iter()
            .map(|namespace| namespace.name())
            .collect::<Vec<_>>()
            .join(";"),
        "namespace" => match state.namespace(Some(command.params.as_bytes())) {
            Ok(namespace) => format!(
                "{};{}",
                statistics(state, namespace),
                config::namespace(namespace)
            ),
            // This is not an error, because "clients won't handle" one (`cmd_namespace()`).
            Err(_) => "type=unknown".into(),
        },
        "sets" => sets(state, command.params),
        "objects" => objects(state).to_string(),
        _ => return None,
    }))
}

/// Returns the number of records in all namespaces.
pub fn objects(state: &State) -> u64 {
    let namespaces = state.namespaces.iter();
    namespaces
        .map(|namespace| state.objects(namespace).all())
        .sum()
}

fn statistics(state: &State, namespace: &Namespace) -> String {
    let Objects { master, prole } = state.objects(namespace);
    let objects = master + prole;
    let usage = &namespace.usage;
    fill(template::NAMESPACE_STATISTICS, |name| {
        let number = match name {
            "ns_cluster_size" => state.cluster.members().len() as u64,
            "effective_replication_factor" => state.cluster.copies() as u64,
            "objects" => objects,
            "master_objects" => master,
            "prole_objects" => prole,
            "current_time" => u64::from(clock::now_seconds()),
            "truncate_lut" => namespace.truncate_lut.load(Ordering::Relaxed),
            "stop_writes" => return Some(namespace.stops_writes().to_string()),
            "index_used_bytes" => namespace.index_used(),
            "sindex_used_bytes" => namespace.sindex_used(),
            "data_total_bytes" => usage.total(),
            "data_used_bytes" => usage.used(),
            "data_used_pct" => usage.percent(),
            "data_avail_pct" => 100_u64.saturating_sub(usage.percent()),
            _ => namespace.counters.by_name(name)?,
        };
        Some(number.to_string())
    })
}

/// Responds to `sets`, `sets/NAMESPACE` and `sets/NAMESPACE/SET` (`cmd_sets()`).
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
            let properties = || {
                let usage = state.set_usage(namespace, id, &set);
                properties(&set, usage, namespace.indexes.count_on_set(id))
            };
            match set_name {
                None => {
                    out += &format!("ns={}:set={}:{};", namespace.name(), set.name, properties())
                }
                Some(name) if *set.name == *name => out += &format!("{};", properties()),
                Some(_) => {}
            }
        }
    }
    out
}

fn properties(set: &Set, (objects, data_used): (u64, u64), indexes: usize) -> String {
    format!(
        "objects={objects}:tombstones=0:data_used_bytes={data_used}:truncate_lut={}:sindexes={indexes}:index_populating=false:truncating=false:\
         default-read-touch-ttl-pct=0:default-ttl=0:disable-eviction=false:enable-index=false:stop-writes-count=0:stop-writes-size=0",
        set.truncate_lut.load(Ordering::Relaxed),
    )
}
