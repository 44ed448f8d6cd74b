//! The error type of all layers, and the error codes that JavaScript sees.
//!
//! A message consists of fixed words, option names, node addresses and the server's result codes. It never contains
//! session data, a session id or a password.

use std::fmt;

use serde::Serialize;

/// The kind of an error: `AerospikeSessionError.code` in JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// No node could be reached.
    Unavailable,
    /// No answer within the deadline.
    Timeout,
    /// The store was closed.
    Closed,
    /// The server refused the user, the password or the user's permissions.
    Auth,
    /// The TLS handshake failed.
    Tls,
    /// The server forbids the operation.
    Forbidden,
    /// The cluster has no such namespace.
    Namespace,
    /// The session is larger than the server stores.
    TooBig,
    /// The server is overloaded, or too many operations are pending.
    Overload,
    /// The data cannot be stored, or the stored data is not a session.
    BadData,
    /// The session id cannot be used.
    BadKey,
    /// Too many concurrent writes: the session could not be merged.
    Conflict,
    /// Any other error of the server.
    Server,
}

/// An error of one operation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Error {
    pub code: Code,
    /// A message for people.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Whether the failed write may have been applied.
    pub in_doubt: bool,
    /// The result code of the server, or a negative one of the client library.
    pub result_code: Option<i32>,
    /// The error of the layer below.
    pub cause: Option<String>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error {
            code,
            message: message.into(),
            retryable: matches!(code, Code::Unavailable | Code::Timeout | Code::Overload),
            in_doubt: false,
            result_code: None,
            cause: None,
        }
    }

    pub fn closed() -> Error {
        Error::new(Code::Closed, "the session store is closed")
    }

    /// Returns the error of an operation that a panic ended.
    pub fn given_up() -> Error {
        let message = "an internal error: the operation was given up";
        Error::new(Code::Server, message)
    }

    pub fn overload(max_pending: usize) -> Error {
        let message =
            format!("{max_pending} operations are under way already (option 'maxPending')");
        Error::new(Code::Overload, message)
    }

    pub fn bad_data(message: impl Into<String>) -> Error {
        Error::new(Code::BadData, message)
    }

    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<String>) -> Error {
        self.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub fn in_doubt(mut self, in_doubt: bool) -> Error {
        self.in_doubt = in_doubt;
        self
    }

    /// Prefixes the message with the name of the operation.
    #[must_use]
    pub fn during(mut self, operation: &str) -> Error {
        self.message = format!("{operation}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

pub type Result<T, E = Error> = std::result::Result<T, E>;
