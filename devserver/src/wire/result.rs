//! The result codes of a server. Source: `as/include/base/proto.h`.

use std::fmt;

/// The result of an operation, as one byte; 0 is success.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResultCode(pub u8);

/// The outcome of an operation: a value, or the result code of the error.
pub type Outcome<T> = Result<T, ResultCode>;

macro_rules! codes {
    ($($name:ident = $value:expr,)*) => {
        impl ResultCode {
            $(pub const $name: ResultCode = ResultCode($value);)*

            /// Returns the code with this name in `proto.h`, without `AS_ERR_`.
            pub fn named(name: &str) -> Option<ResultCode> {
                match name {
                    $(stringify!($name) => Some(ResultCode::$name),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for ResultCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $($value => f.write_str(stringify!($name)),)*
                    other => write!(f, "result code {other}"),
                }
            }
        }
    };
}

codes! {
    OK = 0,
    UNKNOWN = 1,
    NOT_FOUND = 2,
    GENERATION = 3,
    PARAMETER = 4,
    RECORD_EXISTS = 5,
    BIN_EXISTS = 6,
    CLUSTER_KEY_MISMATCH = 7,
    OUT_OF_SPACE = 8,
    TIMEOUT = 9,
    UNAVAILABLE = 11,
    INCOMPATIBLE_TYPE = 12,
    RECORD_TOO_BIG = 13,
    KEY_BUSY = 14,
    QUERY_ABORT = 15,
    UNSUPPORTED_FEATURE = 16,
    BIN_NOT_FOUND = 17,
    DEVICE_OVERLOAD = 18,
    KEY_MISMATCH = 19,
    NAMESPACE = 20,
    BIN_NAME = 21,
    FORBIDDEN = 22,
    ELEMENT_NOT_FOUND = 23,
    ELEMENT_EXISTS = 24,
    ENTERPRISE_ONLY = 25,
    OP_NOT_APPLICABLE = 26,
    FILTERED_OUT = 27,
    LOST_CONFLICT = 28,
    SECURITY_LAST = 50,
    SECURITY_NOT_SUPPORTED = 51,
    SECURITY_SCHEME = 53,
    SECURITY_COMMAND = 54,
    SECURITY_FIELD = 55,
    INVALID_USER = 60,
    USER_EXISTS = 61,
    INVALID_PASSWORD = 62,
    INVALID_CREDENTIAL = 65,
    EXPIRED_SESSION = 66,
    INVALID_ROLE = 70,
    ROLE_EXISTS = 71,
    INVALID_PRIVILEGE = 72,
    INVALID_ALLOWLIST = 73,
    QUOTAS_NOT_ENABLED = 74,
    NOT_AUTHENTICATED = 80,
    ROLE_VIOLATION = 81,
    QUOTA_EXCEEDED = 83,
    BATCH_DISABLED = 150,
    BATCH_MAX_REQUESTS = 151,
    BATCH_QUEUES_FULL = 152,
    SINDEX_FOUND = 200,
    SINDEX_NOT_FOUND = 201,
    SINDEX_NOT_READABLE = 203,
    SINDEX_MAX_COUNT = 206,
}
