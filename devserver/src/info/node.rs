//! The build and features of this node, and what a client says about itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::command::Command;
use super::error::{InfoResult, error};
use super::session::Session;
use super::template;
use crate::wire::result::ResultCode;

/// The release whose behaviour this server follows.
const BUILD: &str = "8.1.2.0";
const EDITION: &str = "Aerospike Community Edition";
/// `cmd_features()`, without the features that this server does not have (blob-bits, geo, udf).
const FEATURES: &str = "batch-any;batch-index;cdt-index;cdt-list;cdt-map;cluster-stable;float;sindex-exists;peers;pipelining;pquery;pscans;\
                        query-show;relaxed-sc;replicas;replicas-all;replicas-master;replicas-max;truncate-namespace";

/// The commands of an empty request (`SPECS[]` in `thr_info.c`).
pub const SUMMARY: [&str; 15] = [
    "features",
    "node",
    "compatibility-id",
    "edition",
    "build_ee_sha",
    "build_sha",
    "build_arch",
    "build_time",
    "build_os",
    "build",
    "version",
    "statistics",
    "services-alumni",
    "services",
    "partition-generation",
];

/// Runs a command of this family. Returns `None` for any other.
pub fn run(session: &mut Session, command: Command<'_>) -> Option<InfoResult> {
    Some(Ok(match command.name {
        "build" => BUILD.into(),
        "edition" => EDITION.into(),
        "version" => format!("{EDITION} build {BUILD}"),
        "release" => format!(
            "edition={EDITION};version={BUILD};os={};arch={};sha=",
            std::env::consts::OS,
            std::env::consts::ARCH
        ),
        "build_os" => std::env::consts::OS.into(),
        "build_arch" => std::env::consts::ARCH.into(),
        "build_sha" | "build_ee_sha" | "build_time" => String::new(),
        "compatibility-id" => "15".into(),
        "features" => FEATURES.into(),
        "digests" => "RIPEMD160".into(),
        "status" => "ok".into(),
        "connection" => "admin=false".into(),
        "help" => template::HELP.lines().collect::<Vec<_>>().join(";"),
        "user-agent-set" => return Some(set_user_agent(session, command)),
        "user-agents" => String::new(),
        _ => return None,
    }))
}

/// Sets the user agent, once for each connection (`cmd_user_agent_set()`).
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
