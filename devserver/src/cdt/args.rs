//! The arguments of an operation: their number and types (`cdt_process_state_get_params()` in `as/src/base/cdt.c`).
//! Every error is [`ResultCode::PARAMETER`].

use crate::wire::msgpack::Value;
use crate::wire::result::{Outcome, ResultCode};

pub struct Args(Vec<Value>);

impl Args {
    pub fn new(values: Vec<Value>) -> Args {
        Args(values)
    }

    /// Checks the number of arguments.
    pub fn check(&self, min: usize, max: usize) -> Outcome<()> {
        if (min..=max).contains(&self.0.len()) {
            Ok(())
        } else {
            Err(ResultCode::PARAMETER)
        }
    }

    /// Returns a value to compare with. It may be a wildcard.
    pub fn value(&self, at: usize) -> Outcome<&Value> {
        self.0.get(at).ok_or(ResultCode::PARAMETER)
    }

    pub fn optional_value(&self, at: usize) -> Option<&Value> {
        self.0.get(at)
    }

    /// Returns a value to store.
    pub fn storable(&self, at: usize) -> Outcome<&Value> {
        self.value(at).and_then(|value| {
            if value.is_storable() {
                Ok(value)
            } else {
                Err(ResultCode::PARAMETER)
            }
        })
    }

    /// Returns the items of a list to store.
    pub fn storable_items(&self, at: usize) -> Outcome<&[Value]> {
        match self.storable(at)? {
            Value::List(list) => Ok(&list.items),
            _ => Err(ResultCode::PARAMETER),
        }
    }

    /// Returns the items of a list to compare with.
    pub fn items(&self, at: usize) -> Outcome<&[Value]> {
        match self.value(at)? {
            Value::List(list) => Ok(&list.items),
            _ => Err(ResultCode::PARAMETER),
        }
    }

    /// Returns an index or rank. Negative ones count from the end.
    pub fn index(&self, at: usize) -> Outcome<i64> {
        match self.value(at)? {
            Value::Int(value) => Ok(*value),
            _ => Err(ResultCode::PARAMETER),
        }
    }

    /// Returns flags or a count, or `default` if the argument is missing.
    pub fn unsigned(&self, at: usize, default: u64) -> Outcome<u64> {
        match self.0.get(at) {
            None => Ok(default),
            Some(Value::Int(value)) => u64::try_from(*value).map_err(|_| ResultCode::PARAMETER),
            Some(Value::BigUint(value)) => Ok(*value),
            Some(_) => Err(ResultCode::PARAMETER),
        }
    }
}
