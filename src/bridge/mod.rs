//! napi only: the way from the JavaScript facade to the core and back. No session logic.
//!
//! - [`entry`]: the functions the facade calls. Free functions on an external: a method of a napi
//!   class costs three times as much (measured).
//! - [`hub`]: the way back. Completions gather in a queue and wake JavaScript once for many.
//! - [`options`]: the one struct of validated options that comes over.
//! - [`credential_requests`]: what the core asks of JavaScript.
//! - [`text`]: strings from JavaScript, copied once.
//! - [`runtime`]: the threads everything runs on.
//! - [`event_loop`]: which of them does the work of requests; [`uv`]: Node.js's event loop, as far as that needs it.
//! - [`stack`]: gives back the stack of a thread that has nothing to do.
//! - [`pin_module`]: keeps the library loaded.
//! - [`dev_server`]: the development server's handle.

// napi registers nothing in a test build, so nothing there calls what is only called from JavaScript.
#![cfg_attr(test, allow(dead_code))]

mod credential_requests;
mod dev_server;
mod entry;
mod event_loop;
mod hub;
mod options;
mod pin_module;
mod runtime;
mod stack;
mod text;
mod uv;
