//! Queries of a namespace or a set through the primary index or a secondary one, partition by partition.
//!
//! The response is frames of about 256 KiB with one message for each record, and a closing frame. The server reports
//! only partitions that it could not read (`basic_query_job_slice()` in `as/src/query/query.c`). Records are sorted
//! from the greatest digest of a partition to the smallest, so a client can continue after the last digest. A
//! secondary index has its own order, and a client continues after the last value and digest.

pub mod background;
mod foreground;
mod lookup;
mod owned_op;
mod parse;
mod projection;
mod records;
mod scope;

pub use foreground::Query;
