//! One record of a simulated namespace.

use std::collections::BTreeMap;

use aerospike::Value;

#[derive(Clone, Default)]
pub struct Record {
    pub bins: BTreeMap<String, Value>,
    pub generation: u32,
    /// Seconds since 2010. 0: the record never expires.
    pub void_time: u32,
    /// When the record was last written, or extended by a read, in seconds since 2010.
    pub last_update: u32,
    /// The same in milliseconds since 1970.
    pub last_update_ms: i64,
}
