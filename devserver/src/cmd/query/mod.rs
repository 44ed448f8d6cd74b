//! Walks a namespace or a set through the primary index or a secondary one, partition by partition.
//!
//! The answer is frames of about 256 KiB with one message a record, and a closing frame. There is no mark for a
//! partition that went well: the server only reports those it could not read (`basic_query_job_slice()` in
//! `as/src/query/query.c`). Records come from the greatest digest of a partition to the smallest, which is what makes
//! the last digest a place to go on from; a secondary index has an order of its own, and there the place is the
//! last value and digest.

pub mod background;
mod foreground;
mod lookup;
mod owned_op;
mod parse;
mod projection;
mod records;
mod scope;

pub use foreground::Query;
