//! A server without sockets for fuzzing, and property tests of the parsers.

#[cfg(test)]
mod parsers;
mod server;

pub use server::Server;
