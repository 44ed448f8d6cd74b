//! JSON text to Aerospike values and back, with nothing in between.
//!
//! - [`encode`]: the text of a session to the packed, key-ordered map the server stores.
//! - [`tree`]: the text of one value to the crate's own, for what goes inside a map operation.
//! - [`decode`]: a value the server returned to JSON text, whoever wrote it.
//! - [`members`]: a JSON object's top-level members as slices of its text.
//!
//! Rules (DESIGN section 3): whole numbers within ±2^53 are integers, other numbers are doubles;
//! an integer no double can hold becomes a decimal string; bytes become Node's
//! `{"type":"Buffer","data":[..]}`.

pub mod decode;
pub mod encode;
pub mod keys;
pub mod members;
mod number;
pub mod packer;
pub mod size_check;
pub mod tree;

/// How deep a session's data may nest, the session object itself counting as 1.
///
/// The `aerospike` crate walks values by recursion without a bound, and a deep enough value would
/// overflow a thread's stack and abort the process; so the bound is ours, and well below that.
pub const MAX_DEPTH: usize = 100;

/// How deep what somebody else has stored may nest: it is read, though it could not be written.
pub const MAX_FOREIGN_DEPTH: usize = 1_000;

/// The largest magnitude up to which every whole number is exactly one double: 2^53.
pub const MAX_SAFE: f64 = 9_007_199_254_740_992.0;

/// Why a text or a value could not be translated. Never quotes the data itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecError {
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Stored by somebody else, and nested deeper than [`MAX_FOREIGN_DEPTH`].
    StoredTooDeep,
    /// Not a JSON object.
    NotAnObject,
    /// Not JSON at all; the place where parsing stopped.
    Syntax { line: usize, column: usize },
    /// The server returned a value of a kind that has no JSON form.
    UnknownValue,
}

impl std::fmt::Display for CodecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CodecError::TooDeep => write!(f, "nested deeper than {MAX_DEPTH} levels"),
            CodecError::StoredTooDeep => {
                write!(f, "nested deeper than {MAX_FOREIGN_DEPTH} levels")
            }
            CodecError::NotAnObject => f.write_str("not a plain object"),
            CodecError::Syntax { line, column } => {
                write!(f, "not valid JSON (line {line}, column {column})")
            }
            CodecError::UnknownValue => {
                f.write_str("holds a value of a type that JSON cannot express")
            }
        }
    }
}

impl std::error::Error for CodecError {}

impl From<serde_json::Error> for CodecError {
    fn from(error: serde_json::Error) -> Self {
        CodecError::Syntax {
            line: error.line(),
            column: error.column(),
        }
    }
}
