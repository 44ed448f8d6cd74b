//! The configuration of users.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// Users with passwords. As JSON: `{ "users": { "ada": "secret" }, "sessionTtl": 60 }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SecurityConfig {
    /// By name, of 1 to 63 bytes.
    pub users: BTreeMap<String, UserConfig>,
    /// Lifetime of a session token, in seconds. Default 86 400, the server's `session-ttl`. A real server accepts no
    /// less than 120. Clients stop using a token a minute before it expires, or use it until it is refused if its
    /// lifetime is a minute or less.
    pub session_ttl: u32,
}

impl Default for SecurityConfig {
    fn default() -> Self {
        SecurityConfig {
            users: BTreeMap::new(),
            session_ttl: 86_400,
        }
    }
}

/// A user. As JSON: a password, or `{ "password": "secret", "roles": ["read"] }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "UserForm")]
pub struct UserConfig {
    pub password: Password,
    /// Names of predefined roles. Default `read-write` and `data-admin`: enough for sessions.
    pub roles: Vec<String>,
}

impl UserConfig {
    /// Returns a user with the default roles.
    pub fn new(password: impl Into<String>) -> Self {
        UserConfig {
            password: Password::new(password),
            roles: default_roles(),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, rename_all = "camelCase")]
enum UserForm {
    Password(Password),
    Whole {
        password: Password,
        #[serde(default = "default_roles")]
        roles: Vec<String>,
    },
}

impl From<UserForm> for UserConfig {
    fn from(form: UserForm) -> Self {
        let (password, roles) = match form {
            UserForm::Password(password) => (password, default_roles()),
            UserForm::Whole { password, roles } => (password, roles),
        };
        UserConfig { password, roles }
    }
}

fn default_roles() -> Vec<String> {
    vec!["read-write".into(), "data-admin".into()]
}

/// A password. Never shown in logs and messages.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    pub fn new(text: impl Into<String>) -> Self {
        Password(text.into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
