//! How to log in to the nodes: users and passwords, and where they come from.

use std::fmt;
use std::sync::Arc;

use aerospike::AuthMode;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use crate::error::{Code, Error, Result};

/// How to log in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// No login.
    None,
    /// With a user and a password, which the cluster or an LDAP directory behind it checks.
    Password {
        mode: Mode,
        credentials: Credentials,
    },
    /// With the certificate of the TLS connection.
    Certificate,
}

/// Where the password is checked, and how it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Checked by the cluster, sent as a hash.
    Internal,
    /// Checked by a directory, sent in clear, only over TLS.
    External,
    /// Checked by a directory, sent in clear, even without TLS.
    ExternalInsecure,
}

/// The source of user and password.
#[derive(Clone)]
pub enum Credentials {
    Static(Login),
    /// A function that is called for each attempt to connect, so that they may change.
    Asked(Arc<dyn Ask>),
}

#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

/// Returns a user and a password on request.
pub trait Ask: Send + Sync {
    /// # Errors
    /// A message that does not contain the password.
    fn ask(&self) -> BoxFuture<'static, Result<Login, String>>;
}

impl Auth {
    /// Returns the login for one attempt to connect.
    ///
    /// # Errors
    /// There is no user and password by `deadline`.
    pub async fn resolve(&self, deadline: Instant) -> Result<AuthMode> {
        match self {
            Auth::None => Ok(AuthMode::None),
            Auth::Certificate => Ok(AuthMode::Pki),
            Auth::Password { mode, credentials } => {
                let Login { user, password } = credentials.resolve(deadline).await?;
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
    async fn resolve(&self, deadline: Instant) -> Result<Login> {
        let ask = match self {
            Credentials::Static(login) => return Ok(login.clone()),
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
        // The function may call another service, which may answer the next time.
        error.retryable = true;
        error.cause = cause;
        Err(error)
    }
}

// Not derived, so that no password is ever printed.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::Static(_) => "Static(..)",
            Credentials::Asked(_) => "Asked(..)",
        })
    }
}
