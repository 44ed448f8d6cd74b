//! The effect of an operation on one list or map, and its result.

use crate::wire::msgpack::Value;
use crate::wire::result::Outcome;

/// The effect of an operation on one list or map, and its result.
pub struct Effect {
    /// Whether the value was changed or created.
    pub changed: bool,
    pub result: Option<Value>,
}

impl Effect {
    /// No change and no result: removing from a missing bin.
    pub fn nothing() -> Outcome<Effect> {
        Ok(Effect {
            changed: false,
            result: None,
        })
    }

    /// No change, but a result.
    pub fn unchanged(result: Option<Value>) -> Outcome<Effect> {
        Ok(Effect {
            changed: false,
            result,
        })
    }

    pub fn changed(result: Option<Value>) -> Outcome<Effect> {
        Ok(Effect {
            changed: true,
            result,
        })
    }
}
