//! `sindex-create:namespace=NS;set=SET;indexname=NAME;bin=BIN;type=TYPE`, and the old format with
//! `indexdata=BIN,TYPE`. The parameters are checked as in the server, in the same order.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::info::command::{Command, namespace_name};
use crate::info::error::{InfoError, InfoResult};
use crate::info::error::{error, not_implemented};
use crate::state::State;
use crate::storage::bulk_work;
use crate::storage::record::BinName;
use crate::storage::sindex::{Definition, Source, Type};
use crate::wire::consts::{MAX_BIN_NAME, MAX_INDEX_NAME, MAX_SET_NAME};
use crate::wire::result::ResultCode;

/// Lengths of the server's buffers, without the final zero (`as/include/sindex/sindex.h`).
const MAX_SOURCE: usize = 9;
const MAX_TYPE: usize = 11;
const MAX_INDEXDATA: usize = 27;
const MAX_CONTEXT: usize = 2047;
const MAX_EXPRESSION: usize = 16 * 1024 - 1;

/// Creates an index.
pub fn create(state: &State, command: Command<'_>) -> InfoResult {
    let name = command.require("indexname", MAX_INDEX_NAME)?;
    let namespace = namespace_name(command, "ns")?;
    let kind = command.get("indextype").unwrap_or_default();
    if kind.eq_ignore_ascii_case("set") {
        command.require("set", MAX_SET_NAME)?;
        return Err(not_implemented());
    }
    let set = command.optional("set", MAX_SET_NAME)?;
    let context = command.optional("context", MAX_CONTEXT)?;
    if context.is_some_and(|context| BASE64.decode(context).is_err()) {
        return Err(parameter("'context' invalid base64"));
    }
    let source = parse_source(command)?;
    let (bin, value_type) = parse_bin_and_type(command, source)?;
    let Ok(bin) = BinName::new(bin.as_bytes()) else {
        return Err(parameter("bad bin name"));
    };
    if context.is_some() {
        return Err(not_implemented());
    }
    // A missing namespace is not an error: the server forwards the command to all nodes and responds "ok".
    let Ok(namespace) = state.namespace(Some(namespace.as_bytes())) else {
        return Ok("ok".into());
    };
    // Nor is a set that cannot be created.
    let Ok(set_id) = namespace
        .sets
        .get_or_create(set.unwrap_or_default().as_bytes())
    else {
        return Ok("ok".into());
    };
    let definition = Definition {
        set_id,
        bin,
        source,
        value_type,
    };
    let created = namespace
        .create_index(name, definition)
        .map_err(to_info_error)?;
    if let Some(index) = created {
        // A small index is ready when the client gets its response, as in the server when the set is empty.
        let indexed = Arc::clone(namespace);
        bulk_work::run(namespace, move || indexed.populate_index(&index));
    }
    Ok("ok".into())
}

fn to_info_error(code: ResultCode) -> InfoError {
    let text = match code {
        ResultCode::SINDEX_FOUND => "'indexname' already exists with different definition",
        ResultCode::SINDEX_MAX_COUNT => "already at sindex definition limit",
        _ => "cannot write the data file",
    };
    error(code, text)
}

fn parse_source(command: Command<'_>) -> Result<Source, InfoError> {
    let Some(text) = command.optional("indextype", MAX_SOURCE)? else {
        return Ok(Source::Default);
    };
    Source::ALL
        .into_iter()
        .find(|source| source.name().eq_ignore_ascii_case(text))
        .ok_or_else(|| {
            parameter("bad 'indextype' - must be one of 'default', 'list', 'mapkeys', 'mapvalues'")
        })
}

fn parse_bin_and_type<'a>(
    command: Command<'a>,
    source: Source,
) -> Result<(&'a str, Type), InfoError> {
    let old = command.optional("indexdata", MAX_INDEXDATA)?;
    let new = command.optional("type", MAX_TYPE)?;
    let (bin, of) = match (old, new) {
        (None, None) => return Err(parameter("both 'indexdata' and 'type' are missing")),
        (Some(_), Some(_)) => return Err(parameter("both 'indexdata' and 'type' are specified")),
        (None, Some(text)) => {
            let of = parse_type(text, "'type'")?;
            (parse_bin(command)?, of)
        }
        (Some(old), None) => {
            let Some((bin, text)) = old.split_once(',') else {
                return Err(parameter("'indexdata' missing bin type"));
            };
            if bin.is_empty() {
                return Err(parameter("'indexdata' missing bin name"));
            }
            if bin.len() > MAX_BIN_NAME {
                return Err(parameter("'indexdata' bin name too long"));
            }
            (bin, parse_type(text, "'indexdata' bin type")?)
        }
    };
    if of.is_none() && source == Source::MapKeys {
        return Err(parameter(
            "bad 'indexdata' bin type for 'indextype' 'mapkeys' - must be one of 'numeric', 'string', 'blob'",
        ));
    }
    Ok((bin, of.ok_or_else(not_implemented)?))
}

/// Parses a type. Returns `None` for `geo2dsphere`, which is valid but not implemented.
fn parse_type(text: &str, what: &str) -> Result<Option<Type>, InfoError> {
    let known = Type::ALL
        .into_iter()
        .find(|known| known.name().eq_ignore_ascii_case(text));
    if known.is_some() || text.eq_ignore_ascii_case("geo2dsphere") {
        return Ok(known);
    }
    Err(parameter(&format!(
        "bad {what} - must be one of 'numeric', 'string', 'blob', 'geo2dsphere'"
    )))
}

/// Returns the bin of the current format. Indexes on expressions are not implemented.
fn parse_bin<'a>(command: Command<'a>) -> Result<&'a str, InfoError> {
    let bin = command.optional("bin", MAX_BIN_NAME)?;
    match (bin, command.optional("exp", MAX_EXPRESSION)?) {
        (Some(_), Some(_)) => Err(parameter("both 'bin' and 'exp' are specified")),
        (None, None) => Err(parameter("both 'bin' and 'exp' are missing")),
        (Some(bin), None) => Ok(bin),
        (None, Some(_)) if command.get("context").is_some() => {
            Err(parameter("both 'context' and 'exp' are specified"))
        }
        (None, Some(exp)) if BASE64.decode(exp).is_err() => Err(parameter("bad 'exp'")),
        (None, Some(_)) => Err(not_implemented()),
    }
}

fn parameter(text: &str) -> InfoError {
    error(ResultCode::PARAMETER, text)
}
