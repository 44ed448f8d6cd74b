//! Why an info command was refused.

use crate::wire::result::ResultCode;

/// A command that failed: the code and the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoError {
    pub code: ResultCode,
    pub text: String,
}

/// The text after the tab.
pub type InfoResult = Result<String, InfoError>;

pub fn error(code: ResultCode, text: impl Into<String>) -> InfoError {
    InfoError {
        code,
        text: text.into(),
    }
}

/// For what the server does and we do not.
pub fn not_implemented() -> InfoError {
    error(
        ResultCode::UNSUPPORTED_FEATURE,
        "not made by the development server",
    )
}
