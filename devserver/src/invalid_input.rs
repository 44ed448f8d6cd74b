//! The error for an invalid configuration or command.

use std::io;

/// Returns an error of kind `InvalidInput`.
pub fn invalid_input(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason.into())
}
