//! Who we are to the nodes: users and passwords, and where they come from.

use std::fmt;
use std::sync::Arc;

use aerospike::AuthMode;
use futures::future::BoxFuture;
use tokio::time::{timeout_at, Instant};

use crate::error::{Code, Error, Result};

/// How to log in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Not at all.
    None,
    /// With a password, which the cluster, or a directory (LDAP) behind it, knows.
    Password {
        mode: Mode,
        credentials: Credentials,
    },
    /// With the certificate of the TLS connection.
    Certificate,
}

/// Who knows the password, and how it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The cluster; hashed.
    Internal,
    /// A directory; in clear, over TLS.
    External,
    /// A directory; in clear, whatever the connection.
    ExternalInsecure,
}

/// Where user and password come from.
#[derive(Clone)]
pub enum Credentials {
    Known(Login),
    /// Asked for at each attempt to connect, so that they may change.
    Asked(Arc<dyn Ask>),
}

#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

/// Who can be asked for a user and a password.
pub trait Ask: Send + Sync {
    /// # Errors
    /// What went wrong instead, in words without the password.
    fn ask(&self) -> BoxFuture<'static, Result<Login, String>>;
}

impl Auth {
    /// What to log in with now.
    ///
    /// # Errors
    /// Nobody could tell, until `deadline`.
    pub async fn now(&self, deadline: Instant) -> Result<AuthMode> {
        match self {
            Auth::None => Ok(AuthMode::None),
            Auth::Certificate => Ok(AuthMode::Pki),
            Auth::Password { mode, credentials } => {
                let Login { user, password } = credentials.now(deadline).await?;
                Ok(match mode {
                    Mode::Internal => AuthMode::Internal(user, password),
                    Mode::External => AuthMode::External(user, password),
                    Mode::ExternalInsecure => AuthMode::ExternalInsecure(user, password),
                })
            }
        }
    }
}

impl Credentials {
    async fn now(&self, deadline: Instant) -> Result<Login> {
        let ask = match self {
            Credentials::Known(login) => return Ok(login.clone()),
            Credentials::Asked(ask) => ask,
        };
        let (words, cause) = match timeout_at(deadline, ask.ask()).await {
            Ok(Ok(login)) => return Ok(login),
            Ok(Err(cause)) => ("gave no user and password", Some(cause)),
            Err(_) => (
                "gave no user and password within option 'connectTimeout'",
                None,
            ),
        };
        let mut error = Error::new(Code::Auth, format!("the function in option 'auth' {words}"));
        // Where it asks others, they may well answer the next time.
        error.retryable = true;
        error.cause = cause;
        Err(error)
    }
}

// By hand, so that no password is ever printed.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::Known(_) => "Tracked(..)",
            Credentials::Asked(_) => "Asked(..)",
        })
    }
}
