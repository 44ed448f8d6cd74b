//! JSON text to Aerospike values and back, without an intermediate tree.
//!
//! - [`encode`]: the text of a session to the packed, key-ordered map that the server stores.
//! - [`tree`]: the text of one value to a value of the crate, for use inside a map operation.
//! - [`decode`]: a value from the server to JSON text, whatever program wrote it.
//! - [`members`]: the top-level members of a JSON object as slices of its text.
//! - [`equality`]: whether two texts have the same value.
//!
//! Rules: whole numbers within ±2^53 are integers, other numbers are doubles. An integer that no double can hold
//! becomes a decimal string. Bytes become the JSON of a Node.js Buffer, `{"type":"Buffer","data":[..]}`.

pub mod decode;
pub mod encode;
pub mod equality;
pub mod keys;
pub mod members;
mod number;
pub mod packer;
pub mod size_check;
pub mod tree;

/// The maximum nesting depth of a session's data. The session object itself counts as 1.
///
/// The `aerospike` crate walks values by recursion without a limit. A deep enough value would overflow a thread's
/// stack and abort the process. This limit is well below that.
pub const MAX_DEPTH: usize = 100;

/// The maximum nesting depth of data that another program has stored. It can be read, although it could not be
/// written.
pub const MAX_FOREIGN_DEPTH: usize = 1_000;

/// 2^53: up to this magnitude, every whole number is exactly a double.
pub const MAX_SAFE: f64 = 9_007_199_254_740_992.0;

/// Why a text or a value cannot be converted. Never contains the data itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecError {
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Stored by another program, and nested deeper than [`MAX_FOREIGN_DEPTH`].
    StoredTooDeep,
    /// Not a JSON object.
    NotAnObject,
    /// Not valid JSON. Holds the position where parsing stopped.
    Syntax { line: usize, column: usize },
    /// The server returned a value of a type that JSON does not have.
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
