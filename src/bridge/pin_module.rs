//! Keeps the library loaded until the process ends.
//!
//! Node.js unloads an addon when the last environment that loaded it ends: a worker thread, for example, if the main thread does
//! not use it. But the threads of [`runtime`](super::runtime) are still running then, and so is the allocator's cleanup, which runs
//! when a thread ends. Both are code of this library.

/// Runs when the library is loaded.
#[napi_derive::module_init]
fn pin_module() {
    napi::bindgen_prelude::retain_current_module_for_unload_safety();
}
