//! The napi layer between the JavaScript facade and the core. It has no session logic.
//!
//! - [`entry`]: the functions that the facade calls. They are free functions on an external: calling a method of a napi class costs
//!   three times as much (measured).
//! - [`cache_entry`]: those of a cache.
//! - [`hub`]: sends answers and notices to JavaScript. [`completion_queue`] gathers them, and wakes JavaScript once for many;
//!   [`answer_values`] converts them into JavaScript values.
//! - [`options`]: the validated options from JavaScript.
//! - [`credential_requests`]: requests of the core to JavaScript for a user name and a password.
//! - [`text`]: strings from JavaScript, copied once.
//! - [`runtime`]: the threads of the core.
//! - [`event_loop`]: decides which thread does the work of requests. [`uv`]: the functions of libuv that it needs.
//! - [`stack`]: releases the unused stack of idle threads; reserved stacks.
//! - [`pin_module`]: keeps the library loaded.
//! - [`dev_server`]: the handle of the development server.

// napi registers nothing in a test build, so functions that only JavaScript calls are unused there.
#![cfg_attr(test, allow(dead_code))]

mod answer_values;
mod cache_entry;
mod completion_queue;
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
