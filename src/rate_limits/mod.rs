//! Rate limits: counters of points in windows of time, on a cluster. Pure Rust, independent of JavaScript and of sessions.
//!
//! - [`operations`]: what can be asked of a counter, and the commands that do it. Requests for one counter that wait together are
//!   one command.
//! - [`window`]: the arithmetic of windows. The only module that decides what is allowed.
//! - [`steps`]: the same arithmetic as expressions, which the server evaluates. [`templates`]: packed in advance.
//! - [`view`], [`bins`]: where the counters of a limiter are stored.
//!
//! # The record of a counter
//!
//! | bin | type | holds |
//! |---|---|---|
//! | `end` | integer | when the current window ends, in milliseconds since 1970, by the clock of the process that began it |
//! | `count` | integer | the points that were consumed in the current window |
//! | `before` | integer | the points of the window before. Only with sliding windows |
//! | `prefix` | string | the prefix of the limiter, if it is not empty |
//!
//! The key is the length of the prefix in bytes, `:`, the prefix and the key of the caller, or its hash (see
//! [`id_hash`](crate::id_hash)). The length keeps the keys of limiters apart whose prefixes begin alike.
//!
//! # Clocks
//!
//! The process that sends a command decides what time it is. A window never moves backwards: a process whose clock is behind counts
//! in the window that it finds, however far in the future that ends. The TTL of the record, by the clock of the server, only removes
//! counters that are no longer needed. It is longer than the window by [`operations::SLACK`], so that it ends no window if the clocks
//! differ by less.

mod bins;
pub mod operations;
mod steps;
mod templates;
mod view;
pub mod window;

pub use operations::{Answer, Limits, Op};
pub use view::{Options, View};
pub use window::{Counted, Extend, Kind, MAX_POINTS, Rule};
