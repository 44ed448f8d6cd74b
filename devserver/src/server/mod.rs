//! The server itself: what is started, controlled and stopped together.

mod control;
mod dev_server;
mod startup;

pub use dev_server::DevServer;
