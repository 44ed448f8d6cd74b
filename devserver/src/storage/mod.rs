//! Where records live: namespaces of 4096 partitions, each a map under its own lock.
//!
//! - [`record`]: one record, its bins and its metadata
//! - [`namespace`]: partitions, counters
//! - [`partition`]: the records of one partition and their entries in secondary indexes
//! - [`settings`]: what of a namespace can be changed while it runs
//! - [`sets`]: their names and numbers
//! - [`sindex`]: secondary indexes
//! - [`expiry`]: when a record ends, and the sweeper that removes what has ended
//! - [`truncate`]: dropping what was last updated before a moment
//! - [`counters`]: what is counted of the commands
//! - [`jobs`]: background queries
//! - [`usage`]: how much a namespace holds, and when that is too much
//! - [`clock`]: the server's epoch
//! - [`log`]: the data file

pub mod bulk_work;
pub mod change_log;
pub mod clock;
pub mod counters;
pub mod expiry;
pub mod jobs;
pub mod log;
pub mod namespace;
pub mod nsup;
pub mod partition;
pub mod record;
pub mod sets;
pub mod settings;
pub mod sindex;
pub mod sindex_manager;
pub mod truncate;
pub mod usage;
