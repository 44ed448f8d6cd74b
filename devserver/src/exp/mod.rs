//! Expressions: filters, and operations that read or write the value of an expression.
//!
//! An expression is msgpack: a literal, or a list of a code and its arguments. All of it is checked, including the types,
//! before it is evaluated. An invalid or unknown expression is
//! [`ResultCode::PARAMETER`](crate::wire::result::ResultCode::PARAMETER). Source: `as/src/base/exp.c`. Not implemented:
//! geography, HyperLogLog and bit operations.
//!
//! | file | contents |
//! |---|---|
//! | [`codes`] | the codes of expressions |
//! | [`build`] | builds a checked tree from msgpack |
//! | [`types`] | the types of expressions |
//! | [`eval`] | evaluates a tree on a record, which is a [`view`] |
//! | [`expression`] | filters |
//! | [`compare`] | comparison of values |
//! | [`math`] | numbers |
//! | [`posix_regex`] | regular expressions |
//! | [`op`] | the two operations with expressions |

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
