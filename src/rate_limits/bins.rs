//! The names of the bins of a counter's record.

pub const END: &str = "end";
pub const COUNT: &str = "count";
pub const BEFORE: &str = "before";
pub const PREFIX: &str = "prefix";
