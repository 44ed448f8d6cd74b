//! The error of an info command.

use crate::wire::result::ResultCode;

/// The error of a command: the code and the server's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoError {
    pub code: ResultCode,
    pub text: String,
}

/// The response to a command: the text after the tab.
pub type InfoResult = Result<String, InfoError>;

pub fn error(code: ResultCode, text: impl Into<String>) -> InfoError {
    InfoError {
        code,
        text: text.into(),
    }
}

/// Returns the error for a feature that the real server has and this one does not.
pub fn not_implemented() -> InfoError {
    error(
        ResultCode::UNSUPPORTED_FEATURE,
        "not made by the development server",
    )
}
