//! What an operation on one list or map does to it and returns.

use crate::wire::msgpack::Value;
use crate::wire::result::Outcome;

/// What an operation on one list or map comes to.
pub struct Effect {
    /// Whether the value given was changed, or created.
    pub changed: bool,
    pub result: Option<Value>,
}

impl Effect {
    /// Nothing happens and nothing is returned: removing from a bin that is not there.
    pub fn nothing() -> Outcome<Effect> {
        Ok(Effect {
            changed: false,
            result: None,
        })
    }

    /// Nothing happens, but something is returned.
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
