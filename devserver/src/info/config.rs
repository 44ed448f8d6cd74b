//! `get-config` and `set-config`. Source: `as/src/base/cfg_info.c`.

use super::command::{Command, local_namespace};
use super::error::{InfoResult, error, not_implemented};
use super::session::Session;
use super::set_config;
use super::template::{self, fill};
use crate::state::State;
use crate::storage::namespace::Namespace;
use crate::wire::result::ResultCode;

/// Runs a command of this family. Returns `None` for any other.
pub fn run(state: &State, session: &Session, command: Command<'_>) -> Option<InfoResult> {
    match command.name {
        "get-config" | "config-get" => Some(get(state, session, command)),
        "set-config" | "config-set" => Some(set(state, command)),
        _ => None,
    }
}

fn get(state: &State, session: &Session, command: Command<'_>) -> InfoResult {
    if command.params.is_empty() {
        return Ok(format!("{};{}", service(state), network(session)));
    }
    match command.require("context", 1023)? {
        "service" => Ok(service(state)),
        "network" => Ok(network(session)),
        "namespace" => Ok(namespace(local_namespace(state, command, "id")?)),
        // These sections are empty.
        "security" | "xdr" => Ok(String::new()),
        _ => Err(error(ResultCode::PARAMETER, "invalid context")),
    }
}

/// Few settings can be changed. Others are refused with the server's message.
fn set(state: &State, command: Command<'_>) -> InfoResult {
    let is_known = match command.require("context", 1023)? {
        "service" => names(command, template::SERVICE_CONFIG),
        "network" => names(command, template::NETWORK_CONFIG),
        "namespace" => {
            let namespace = local_namespace(state, command, "id")?;
            if let Some(response) = set_config::run(namespace, command) {
                return response;
            }
            names(command, template::NAMESPACE_CONFIG)
        }
        "security" | "xdr" => return Err(error(ResultCode::ENTERPRISE_ONLY, "enterprise only")),
        _ => return Err(error(ResultCode::PARAMETER, "invalid context")),
    };
    if is_known {
        Err(not_implemented())
    } else {
        Err(error(ResultCode::PARAMETER, "invalid set-config parameter"))
    }
}

/// Whether a parameter is in the template, with or without the name of its subsection in front.
fn names(command: Command<'_>, template: &str) -> bool {
    template.lines().any(|line| {
        let name = line.split('=').next().unwrap_or(line);
        let short = name.strip_prefix("storage-engine.").unwrap_or(name);
        command.get(name).is_some() || command.get(short).is_some()
    })
}

fn service(state: &State) -> String {
    fill(template::SERVICE_CONFIG, |name| match name {
        "cluster-name" => Some(super::cluster::cluster_name(state)),
        "node-id" => Some(state.node_id().to_owned()),
        _ => None,
    })
}

fn network(session: &Session) -> String {
    fill(template::NETWORK_CONFIG, |name| match name {
        "service.port" => Some(session.local.port().to_string()),
        "service.address" => Some(session.local.ip().to_string()),
        _ => None,
    })
}

/// Returns a namespace's configuration, as `get-config` and `namespace/` list it.
pub fn namespace(namespace: &Namespace) -> String {
    let settings = &namespace.settings;
    fill(template::NAMESPACE_CONFIG, |name| {
        Some(match name {
            "allow-ttl-without-nsup" => settings.allow_ttl_without_nsup().to_string(),
            "default-read-touch-ttl-pct" => settings.default_read_touch_ttl_pct().to_string(),
            "default-ttl" => settings.default_ttl().to_string(),
            "max-record-size" => settings.max_record_size().to_string(),
            "storage-engine.data-size" => namespace.usage.total().to_string(),
            "nsup-period" => settings.nsup_period().to_string(),
            _ => return None,
        })
    })
}
