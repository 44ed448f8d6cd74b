//! Namespaces of 4096 partitions. Each partition is a map of records under its own lock.
//!
//! | file | contents |
//! |---|---|
//! | [`record`] | one record, its bins and its metadata |
//! | [`namespace`] | a namespace with its partitions |
//! | [`partition`] | the records of one partition and their entries in secondary indexes |
//! | [`settings`] | the settings that can change while the server runs |
//! | [`sets`] | names, numbers and counters of sets |
//! | [`sindex`], [`sindex_manager`] | secondary indexes |
//! | [`expiry`], [`nsup`] | void times, and the removal of expired records |
//! | [`truncate`] | truncation |
//! | [`counters`] | counters of commands |
//! | [`jobs`] | background queries |
//! | [`usage`] | the bytes in use, and when writes are refused |
//! | [`clock`] | the server's epoch |
//! | [`bulk_work`] | work on all records of a namespace |
//! | [`log`], [`change_log`] | the data file, and the interface through which a namespace writes to it |

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
