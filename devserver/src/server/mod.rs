//! The server: configuration checks, start, stop and control.

mod control;
mod dev_server;
mod startup;

pub use dev_server::DevServer;
