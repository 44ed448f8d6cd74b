//! The settings of a namespace that can change while it runs: `set-config:context=namespace;namespace=NS;NAME=VALUE`.
//!
//! If a command has several settings, the server changes the first in the order of its own table.
//! Source: `cfg_set_namespace()` in `as/src/base/cfg_info.c`, `cf/src/cf_str.c`.

use super::command::Command;
use super::error::{InfoResult, error};
use crate::storage::namespace::Namespace;
use crate::storage::settings::Change;
use crate::wire::result::ResultCode;

/// Changes a setting. Returns `None` if the command names no setting that can change.
pub fn run(namespace: &Namespace, command: Command<'_>) -> Option<InfoResult> {
    // Sets have settings of their own.
    if command.get("set").is_some() {
        return None;
    }
    let made = match parse(command)? {
        Some(change) => namespace.settings.change(&change),
        None => Err("not a value of this setting".to_owned()),
    };
    Some(match made {
        Ok(()) => Ok("ok".into()),
        Err(reason) => {
            log::warn!("{{{}}} {reason}", namespace.name());
            Err(error(ResultCode::PARAMETER, "invalid set-config parameter"))
        }
    })
}

/// Returns the change of the first setting that is named, if its value is valid.
fn parse(command: Command<'_>) -> Option<Option<Change>> {
    let mut change = Change::default();
    let is_value = if let Some(value) = command.get("allow-ttl-without-nsup") {
        change.allow_ttl_without_nsup = value.parse().ok();
        change.allow_ttl_without_nsup.is_some()
    } else if let Some(value) = command.get("default-read-touch-ttl-pct") {
        change.default_read_touch_ttl_pct = number(value);
        change.default_read_touch_ttl_pct.is_some()
    } else if let Some(value) = command.get("default-ttl") {
        change.default_ttl = seconds(value);
        change.default_ttl.is_some()
    } else if let Some(value) = command.get("max-record-size") {
        change.max_record_size = number(value);
        change.max_record_size.is_some()
    } else if let Some(value) = command.get("nsup-period") {
        change.nsup_period = seconds(value);
        change.nsup_period.is_some()
    } else {
        return None;
    };
    Some(is_value.then_some(change))
}

/// Parses a number with an optional unit of 1024, 1024² or 1024³ (`cf_str_atoi()`).
fn number(text: &str) -> Option<u32> {
    scaled(text, |unit| match unit {
        "" => Some(1),
        "k" | "K" => Some(1 << 10),
        "m" | "M" => Some(1 << 20),
        "g" | "G" => Some(1 << 30),
        _ => None,
    })
}

/// Parses a duration with an optional unit; -1 is the maximum (`cf_str_atoi_seconds()`).
fn seconds(text: &str) -> Option<u32> {
    if text == "-1" {
        return Some(u32::MAX);
    }
    scaled(text, |unit| match unit {
        "" | "s" | "S" => Some(1),
        "m" | "M" => Some(60),
        "h" | "H" => Some(60 * 60),
        "d" | "D" => Some(24 * 60 * 60),
        _ => None,
    })
}

/// Parses digits, then a unit. Missing digits mean 0, as in the server.
fn scaled(text: &str, unit: impl Fn(&str) -> Option<u64>) -> Option<u32> {
    let end = text.find(|character: char| !character.is_ascii_digit());
    let (digits, suffix) = text.split_at(end.unwrap_or(text.len()));
    let value: u64 = match digits {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    u32::try_from(value.checked_mul(unit(suffix)?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{number, seconds};

    #[test]
    fn parses_numbers_with_the_servers_units() {
        assert_eq!(seconds("90"), Some(90));
        assert_eq!(seconds("2m"), Some(120));
        assert_eq!(seconds("1D"), Some(86_400));
        assert_eq!(seconds("-1"), Some(u32::MAX));
        assert_eq!(seconds(""), Some(0));
        assert_eq!(seconds("11y"), None);
        assert_eq!(seconds("-2"), None);
        assert_eq!(seconds("99999999d"), None);
        assert_eq!(number("8M"), Some(8 << 20));
        assert_eq!(number("64"), Some(64));
        assert_eq!(number("1 "), None);
    }
}
