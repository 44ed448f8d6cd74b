//! An info command and its parameters.

use std::sync::Arc;

use super::error::{InfoError, error};
use crate::state::State;
use crate::storage::namespace::Namespace;
use crate::wire::consts::MAX_NAMESPACE_NAME;
use crate::wire::result::ResultCode;

/// A parsed command.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    pub name: &'a str,
    /// The text after the name and its separator.
    pub params: &'a str,
}

impl<'a> Command<'a> {
    /// Parses a command. The name ends at the first `:`, `/` or `;` (`parse_cmd()`).
    pub fn parse(text: &'a str) -> Command<'a> {
        match text.find([':', '/', ';']) {
            Some(at) => Command {
                name: &text[..at],
                params: &text[at + 1..],
            },
            None => Command {
                name: text,
                params: "",
            },
        }
    }

    /// Returns the value of `key`, if it is given. The value may be empty.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.params
            .split(';')
            .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
    }

    /// Returns the value of a required key, which must not be empty (`as_info_required_param_is_ok()`).
    pub fn require(&self, key: &str, max: usize) -> Result<&'a str, InfoError> {
        let code = if key == "namespace" {
            ResultCode::NAMESPACE
        } else {
            ResultCode::PARAMETER
        };
        match self.get(key) {
            None => Err(error(code, format!("missing '{key}'"))),
            Some("") => Err(error(code, format!("missing '{key}' value"))),
            Some(value) if value.len() > max => Err(error(code, format!("'{key}' value too long"))),
            Some(value) => Ok(value),
        }
    }

    /// Returns the value of an optional key, which must not be empty.
    pub fn optional(&self, key: &str, max: usize) -> Result<Option<&'a str>, InfoError> {
        self.get(key).map(|_| self.require(key, max)).transpose()
    }
}

/// Returns the required name of a namespace. Its key is `namespace` or `alias` (`as_info_param_get_namespace_ns()` and
/// `as_info_param_get_namespace_id()`).
pub fn namespace_name<'a>(command: Command<'a>, alias: &str) -> Result<&'a str, InfoError> {
    let refuse = |text: &str| Err(error(ResultCode::NAMESPACE, text));
    match command.get("namespace").or_else(|| command.get(alias)) {
        None => refuse("missing 'namespace'"),
        Some("") => refuse("missing 'namespace' value"),
        Some(name) if name.len() > MAX_NAMESPACE_NAME => refuse("'namespace' value too long"),
        Some(name) => Ok(name),
    }
}

/// Returns the required namespace, which must exist.
pub fn local_namespace<'s>(
    state: &'s State,
    command: Command<'_>,
    alias: &str,
) -> Result<&'s Arc<Namespace>, InfoError> {
    let name = namespace_name(command, alias)?;
    state
        .namespace(Some(name.as_bytes()))
        .map_err(|code| error(code, "namespace not found on node"))
}

/// Parses a number like C's `strtoul(text, &end, 0)`: decimal, hexadecimal or octal. Returns `None` if it is empty, or
/// followed by other text.
pub fn c_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}
