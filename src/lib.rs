//! The Rust core of `aerospike-session`: a session store for Node.js on Aerospike.
//!
//! A map of the crate, from the JavaScript side down. A module uses only modules below it:
//!
//! - [`bridge`]: napi only. Entry points for the JavaScript facade, and the hub that returns completions to the
//!   JavaScript thread. No session logic.
//! - [`store`]: what a session is. Record layout, expiry, and the operations on one session and on all sessions. Pure
//!   Rust.
//! - [`rate_limits`]: rate limits, on counters of their own. Pure Rust.
//! - [`cache`]: values with an end under keys, beside the sessions. Pure Rust.
//! - [`codec`]: JSON text to Aerospike values and back. Pure Rust.
//! - [`cluster`]: the `aerospike` crate behind a small interface: connecting, deadlines, retries, and guards against
//!   the crate's known defects.
//!
//! Any of them may use [`error`] (the error type), [`id_hash`] (hashed keys), `clock` (the time of day), [`bulk_runtime`] (the thread for long
//! work), `tasks` (the tasks of requests) and `failpoint` (panics on demand, for tests). `simulation` exists only in tests: it runs the store on a simulated
//! cluster with a simulated clock.
//!
//! The development server is a separate crate (`devserver/`). Only [`bridge`] uses it. See docs/architecture.md for
//! the path of a request, the threads and the files.

pub mod bridge;
pub mod bulk_runtime;
pub mod cache;
mod clock;
pub mod cluster;
pub mod codec;
pub mod error;
mod failpoint;
pub mod id_hash;
pub mod rate_limits;
#[cfg(test)]
mod simulation;
pub mod store;
mod tasks;

/// A request allocates on one thread and frees on another. The system allocator is slow at that.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
