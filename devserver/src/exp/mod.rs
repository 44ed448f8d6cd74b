//! Expressions: filters sent with a command, and the operations that read or write what an expression comes to.
//!
//! An expression is msgpack: a literal, or a list of a code and its arguments. It is checked as a whole, types
//! included, before anything is evaluated; what is wrong, or not known here, is [`ResultCode::PARAMETER`].
//! Source: `as/src/base/exp.c`. Not made: geography, HyperLogLog and bit operations.
//!
//! | file | what |
//! |---|---|
//! | [`codes`] | the codes of expressions and types |
//! | [`build`] | from msgpack to a checked tree |
//! | [`types`] | the types of expressions |
//! | [`eval`] | from a tree and a record to a value |
//! | [`compare`] | which of two values is greater, if that can be told |
//! | [`math`] | numbers |
//! | [`pattern`] | regular expressions |
//! | [`op`] | the two operations |

mod build;
mod codes;
mod compare;
mod eval;
mod expression;
mod math;
pub mod op;
mod posix_regex;
mod types;
mod view;

pub use expression::Expression;
pub use view::View;
