//! Commands about secondary indexes.

mod commands;
mod create;

pub use commands::run;
