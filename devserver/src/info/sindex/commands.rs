//! Commands on secondary indexes: create ([`create`]), drop, list, statistics. Source:
//! `as/src/sindex/sindex_manager.c`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::info::command::{Command, local_namespace, namespace_name};
use crate::info::error::{InfoError, InfoResult, error};
use crate::state::State;
use crate::storage::namespace::Namespace;
use crate::wire::consts::MAX_INDEX_NAME;
use crate::wire::result::ResultCode;

use super::create;

/// Runs a command of this family. Returns `None` for any other.
pub fn run(state: &State, command: Command<'_>) -> Option<InfoResult> {
    Some(match command.name {
        "sindex-create" => create::create(state, command),
        "sindex-delete" => with_name(command, |name| delete(state, command, name)),
        "sindex-exists" => with_name(command, |name| {
            let index = local_namespace(state, command, "ns")?
                .indexes
                .by_name(name.as_bytes());
            Ok(index.is_some().to_string())
        }),
        "sindex-stat" => with_name(command, |name| {
            statistics(local_namespace(state, command, "ns")?, name)
        }),
        "sindex-list" => list(state, command),
        "sindex" => legacy_form(state, command),
        _ => return None,
    })
}

/// Runs a command on a named index. If the name is missing or too long, server 8.1 reports it and continues with an
/// empty name, so both results follow each other.
fn with_name(command: Command<'_>, run: impl Fn(&str) -> InfoResult) -> InfoResult {
    match command.require("indexname", MAX_INDEX_NAME) {
        Ok(name) => run(name),
        Err(refusal) => {
            let rest = match run("") {
                Ok(response) => response,
                Err(next) => format!("ERROR:{}:{}", next.code.0, next.text),
            };
            Err(error(refusal.code, refusal.text + &rest))
        }
    }
}

fn delete(state: &State, command: Command<'_>, name: &str) -> InfoResult {
    let namespace = namespace_name(command, "ns")?;
    // A missing namespace or index is not an error.
    if let Ok(namespace) = state.namespace(Some(namespace.as_bytes())) {
        namespace
            .drop_index(name)
            .map_err(|code| error(code, "cannot write the data file"))?;
    }
    Ok("ok".into())
}

fn statistics(namespace: &Namespace, name: &str) -> InfoResult {
    let index = namespace
        .indexes
        .by_name(name.as_bytes())
        .ok_or_else(|| error(ResultCode::SINDEX_NOT_FOUND, "no index"))?;
    // The server computes entries per value and per record once an hour, and returns 0 before. The bytes are those of
    // its trees, one page for each partition.
    Ok(format!(
        "entries={};used_bytes=16777216;entries_per_bval=0;entries_per_rec=0;load_pct={};load_time={};stat_gc_recs=0",
        index.entries.load(Ordering::Relaxed),
        index.load_pct(),
        index.load_seconds(),
    ))
}

fn list(state: &State, command: Command<'_>) -> InfoResult {
    let chosen = match namespace_value(command) {
        Some(_) => vec![local_namespace(state, command, "ns").map_err(repeat_error)?],
        None => state.namespaces.iter().collect(),
    };
    match command.optional("b64", 5)? {
        None | Some("true" | "false") => Ok(describe(&chosen)),
        Some(_) => Err(error(ResultCode::PARAMETER, "bad b64")),
    }
}

/// The server lists indexes on bins and on sets separately, so it fails twice.
fn repeat_error(once: InfoError) -> InfoError {
    let text = format!("{0};ERROR:{1}:{0}", once.text, once.code.0);
    error(once.code, text)
}

/// Responds to `sindex`, `sindex/NAMESPACE` and `sindex/NAMESPACE/INDEX` (`cmd_sindex()` in `thr_info.c`).
fn legacy_form(state: &State, command: Command<'_>) -> InfoResult {
    if command.params.is_empty() {
        return Ok(describe(&state.namespaces.iter().collect::<Vec<_>>()));
    }
    let (name, index) = match command.params.split_once('/') {
        Some((name, index)) => (name, Some(index)),
        None => (command.params, None),
    };
    match (state.namespace(Some(name.as_bytes())), index) {
        // This is not an error, because clients cannot handle one.
        (Err(_), _) => Ok("ns_type=unknown".into()),
        (Ok(namespace), Some(index)) => statistics(namespace, index),
        (Ok(namespace), None) => Ok(describe(&[namespace])),
    }
}

fn describe(namespaces: &[&Arc<Namespace>]) -> String {
    let mut all = Vec::new();
    for namespace in namespaces {
        namespace.indexes.for_each(|name, index| {
            let definition = &index.definition;
            let set = namespace.sets.name(definition.set_id);
            all.push(format!(
                "ns={}:indexname={name}:set={}:bin={}:type={}:indextype={}:context=null:exp=null:state={}",
                namespace.name(),
                set.as_deref().unwrap_or("null"),
                String::from_utf8_lossy(definition.bin.as_bytes()),
                definition.value_type.name(),
                definition.source.name(),
                if index.is_readable() { "RW" } else { "WO" },
            ));
        });
    }
    all.join(";")
}

/// Returns the namespace, under its current or old key (`as_info_param_get_namespace_ns()`).
fn namespace_value<'a>(command: Command<'a>) -> Option<&'a str> {
    command.get("namespace").or_else(|| command.get("ns"))
}
