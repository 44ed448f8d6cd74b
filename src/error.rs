//! The one kind of error every layer speaks, and the codes JavaScript sees.
//!
//! A message is made of fixed words, option names, node addresses and the server's own result
//! codes. It never holds session data, a session id or a password.

use std::fmt;

use serde::Serialize;

/// What went wrong, as `AerospikeSessionError.code` tells it (DESIGN section 7).
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
    /// The server has more work than it takes on.
    Overload,
    /// The data is none that can be stored, or what is stored is no session.
    BadData,
    /// The session id cannot be used.
    BadKey,
    /// A write lost against too many others.
    Conflict,
    /// Any other answer of the server.
    Server,
}

/// An error of one operation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Error {
    pub code: Code,
    /// In words.
    pub message: String,
    /// The same call may well succeed a little later.
    pub retryable: bool,
    /// A write that may have been applied all the same.
    pub in_doubt: bool,
    /// The server's (or, negative, the client library's) result code.
    pub result_code: Option<i32>,
    /// What the layer below said.
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

    /// A panic took the core off its way.
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

    /// Puts what was being done before the message.
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
