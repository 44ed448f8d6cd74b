//! What fuzzing and property tests run.

#[cfg(test)]
mod parsers;
mod server;

pub use server::Server;
