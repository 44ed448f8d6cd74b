//! One record of a simulated namespace.

use std::collections::BTreeMap;

use aerospike::Value;

#[derive(Clone, Default)]
pub struct Record {
    pub bins: BTreeMap<String, Value>,
    pub generation: u32,
    /// Seconds since 2010; 0: it never ends.
    pub void_time: u32,
    /// Seconds since 2010, of the last write, or of a read that extended it.
    pub last_update: u32,
}
