//! Commands for operators: dumps and repairs. In memory there is little to dump or repair, but the parameters are
//! checked.

use super::command::{Command, local_namespace};
use super::error::{InfoError, InfoResult, error, not_implemented};
use crate::state::State;
use crate::storage::sindex::Source;
use crate::wire::consts::MAX_NAMESPACE_NAME;
use crate::wire::result::ResultCode;

/// Runs a command of this family. Returns `None` for any other.
pub fn run(state: &State, command: Command<'_>) -> Option<InfoResult> {
    Some(match command.name {
        "dump-cluster" | "dump-fabric" | "dump-hb" | "dump-hlc" | "dump-migrates" => dump(command),
        "dump-wb-summary" => dump_write_blocks(state, command),
        "dump-rw" | "dump-skew" | "jem-stats" | "services-alumni-reset" => Ok("ok".into()),
        "eviction-reset" => command
            .require("namespace", MAX_NAMESPACE_NAME)
            .map(|_| "ok".into()),
        "physical-devices" => match command.require("path", 1023) {
            Ok(_) => Err(error(ResultCode::NOT_FOUND, "no device info")),
            Err(refusal) => Err(refusal),
        },
        "tip" => tip(command),
        "tip-clear" => match command.require("host-port-list", 2999) {
            Ok(_) => Err(not_implemented()),
            Err(refusal) => Err(refusal),
        },
        "smd-show" => show_metadata(state, command),
        "debug-record" | "debug-record-meta" => debug_record(state, command),
        // The server names the wrong mode here.
        "mcast" => Err(error(
            ResultCode::PARAMETER,
            "heartbeat is in multicast mode",
        )),
        "mesh" | "partition-info" | "smd-info" | "thread-traces" => Err(not_implemented()),
        _ => return None,
    })
}

/// Checks the parameters as the server does. The server returns its stored bytes of a record, which this server does
/// not have.
fn debug_record(state: &State, command: Command<'_>) -> InfoResult {
    local_namespace(state, command, "namespace")?;
    let digest = command.require("keyd", 40)?;
    if digest.len() < 40 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(error(ResultCode::PARAMETER, "keyd"));
    }
    Err(not_implemented())
}

/// Responds with "ok". The server writes the dump to its log.
fn dump(command: Command<'_>) -> InfoResult {
    match command.optional("verbose", 99)? {
        None | Some("true" | "false") => Ok("ok".into()),
        Some(_) => Err(bad_verbose()),
    }
}

/// Server 8.1 parses the namespace's name as `verbose`, and so refuses every namespace.
fn dump_write_blocks(state: &State, command: Command<'_>) -> InfoResult {
    local_namespace(state, command, "ns")?;
    Err(bad_verbose())
}

fn bad_verbose() -> InfoError {
    error(
        ResultCode::PARAMETER,
        "'verbose' may be either 'true' or 'false'",
    )
}

/// Responds to `tip`. It cannot add nodes to this server (`cmd_tip()`).
fn tip(command: Command<'_>) -> InfoResult {
    command.require("host", 255)?;
    let port = command.require("port", 49)?;
    let tls = command.optional("tls", 49)?;
    if port.parse::<i32>().is_err() {
        return Err(error(ResultCode::PARAMETER, "'port' must be an integer"));
    }
    match tls {
        None | Some("true" | "false") => Err(not_implemented()),
        Some(_) => Err(error(
            ResultCode::PARAMETER,
            "'tls' must be either 'true' or 'false'",
        )),
    }
}

/// Returns the system metadata (`cmd_smd_show()`).
fn show_metadata(state: &State, command: Command<'_>) -> InfoResult {
    let entries = match command.require("module", 8)?.to_ascii_lowercase().as_str() {
        "evict" | "udf" => Vec::new(),
        "truncate" => truncations(state),
        "sindex" => indexes(state),
        "roster" | "security" | "xdr" | "masking" => {
            return Err(error(ResultCode::ENTERPRISE_ONLY, "enterprise only"));
        }
        _ => return Err(error(ResultCode::PARAMETER, "unknown 'module'")),
    };
    if entries.is_empty() {
        return Ok("<empty>".into());
    }
    Ok(entries.join(";"))
}

/// Returns `NAMESPACE=LUT` and `NAMESPACE|SET=LUT` (`as/src/base/truncate.c`).
fn truncations(state: &State) -> Vec<String> {
    use std::sync::atomic::Ordering::Relaxed;
    let mut entries = Vec::new();
    for namespace in &state.namespaces {
        let name = namespace.name();
        entries.push((name.to_owned(), namespace.truncate_lut.load(Relaxed)));
        for set in namespace.sets.all() {
            entries.push((
                format!("{name}|{}", set.name),
                set.truncate_lut.load(Relaxed),
            ));
        }
    }
    entries.retain(|(_, lut)| *lut > 0);
    entries
        .into_iter()
        .map(|(key, lut)| format!("{key}={lut}"))
        .collect()
}

/// Returns `NAMESPACE|SET|BIN|SOURCE|TYPE=NAME` (`sindex_smd.c`).
fn indexes(state: &State) -> Vec<String> {
    let mut entries = Vec::new();
    for namespace in &state.namespaces {
        namespace.indexes.for_each(|name, index| {
            let definition = &index.definition;
            let set = namespace.sets.name(definition.set_id);
            let source = match definition.source {
                Source::Default => ".",
                Source::List => "L",
                Source::MapKeys => "K",
                Source::MapValues => "V",
            };
            let of = definition.value_type.name().chars().next().unwrap_or('.');
            // The metadata call numbers integers.
            let of = if of == 'n' {
                'I'
            } else {
                of.to_ascii_uppercase()
            };
            entries.push(format!(
                "{}|{}|{}|{source}|{of}={name}",
                namespace.name(),
                set.as_deref().unwrap_or_default(),
                String::from_utf8_lossy(definition.bin.as_bytes()),
            ));
        });
    }
    entries
}
