//! The Rust core of `aerospike-session`: a session store for Node.js on Aerospike.
//!
//! A map of the house, from the JavaScript side down; arrows of use point down only:
//!
//! - [`bridge`]: napi only. Entry points for the JavaScript facade and the hub that carries
//!   completions back to its thread. No session logic.
//! - [`store`]: what a session is. Record layout, expiry, the operations on one session and on
//!   all of them. Pure Rust.
//! - [`codec`]: JSON text to Aerospike values and back. Pure Rust.
//! - [`cluster`]: the `aerospike` crate behind one small door: connecting, deadlines, retries,
//!   the guards against the crate's known defects.
//!
//! [`error`] is the one kind of error all of them speak, [`clock`] the time of day, [`bulk`] the thread for what is large. `simulation` is for tests: it runs the
//! store on a simulated cluster and a simulated clock.
//!
//! The development server is a crate of its own (`devserver/`); only [`bridge`] knows of it.

pub mod bridge;
pub mod bulk_runtime;
mod clock;
pub mod cluster;
pub mod codec;
pub mod error;
mod failpoint;
#[cfg(test)]
mod simulation;
pub mod store;

/// A request allocates on one thread and frees on another, which the system's allocator does slowly.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
