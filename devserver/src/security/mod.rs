//! Users who log in, with a password or with the session token they were given for it, and what they may do.
//!
//! Security belongs to the Enterprise Edition, whose source is not public. What is sent and expected here is what the
//! clients send and expect; codes and permissions are those of the public headers (`as/include/base/security.h`,
//! `as/include/base/proto.h`).
//!
//! | file | what |
//! |---|---|
//! | [`config`] | users and times, as told at the start |
//! | [`password`] | the hash that travels in a password's place |
//! | [`tokens`] | session tokens |
//! | [`privileges`] | permissions, privileges, the predefined roles |
//! | [`users`] | users and roles |
//! | [`access`] | what the client behind a connection may do |
//! | [`login`] | logging in |
//! | [`admin`] | changing and listing users and roles |

mod access;
mod admin;
mod config;
mod login;
mod password;
mod privileges;
mod tokens;
mod users;

use std::io;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use crate::wire::result::ResultCode;
use crate::wire::security::{Request, command, write_result};
pub use access::Access;
pub use config::{Password, SecurityConfig, UserConfig};
use password::Hash;
pub use privileges::permission;
use tokens::Tokens;
use users::Users;

/// The user a connection has logged in as.
pub type Login = Option<Arc<str>>;

/// Users, roles and tokens: the same for all nodes.
pub struct Security {
    users: RwLock<Users>,
    tokens: Tokens,
    /// Changes when all connections are to be closed.
    closing: watch::Sender<()>,
}

impl Security {
    /// Hashes the passwords, which takes a good part of a tenth of a second for each: not on a thread that others
    /// wait for.
    ///
    /// # Errors
    /// `InvalidInput`: a name or a role that cannot be.
    pub fn new(config: &SecurityConfig) -> io::Result<Security> {
        let mut users = Users::new();
        for (name, user) in &config.users {
            let roles: Vec<_> = user.roles.iter().map(String::as_str).collect();
            let created =
                Hash::of(&user.password).and_then(|hash| users.create(name, hash, &roles));
            created.map_err(|code| match code {
                ResultCode::INVALID_ROLE => refused(format!("a role of user {name:?} is unknown")),
                ResultCode::INVALID_USER => {
                    refused(format!("user name {name:?}: 1 to 63 bytes are needed"))
                }
                _ => refused(format!("the password of user {name:?} cannot be used")),
            })?;
        }
        let tokens = Tokens::new(config.session_ttl)
            .ok_or_else(|| io::Error::other("the system has no random numbers"))?;
        Ok(Security {
            users: RwLock::new(users),
            tokens,
            closing: watch::channel(()).0,
        })
    }

    /// What a connection may do.
    pub fn access(&self, login: &Login) -> Access {
        let user = login.as_deref();
        match user.and_then(|user| self.users.read().privileges(user)) {
            Some(privileges) => Access::User(privileges),
            None => Access::Stranger,
        }
    }

    /// Handles the body of a security message and appends the answer. `certificate`: the name in the client's
    /// certificate, where it has shown one.
    pub fn handle(
        &self,
        login: &mut Login,
        certificate: Option<&str>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) {
        let outcome = Request::parse(body).and_then(|request| match request.command {
            command::LOGIN => self.log_in(login, certificate, &request, out),
            command::AUTHENTICATE => self.authenticate(login, certificate, &request, out),
            _ => self.administer(login, &request, out),
        });
        if let Err(code) = outcome {
            write_result(out, code);
        }
    }

    /// Gives a user another password, as a user administrator would. Takes its time, as [`Security::new`].
    ///
    /// # Errors
    /// `InvalidInput`: there is no such user.
    pub fn set_password(&self, user: &str, password: &Password) -> io::Result<()> {
        let hash = Hash::of(password).map_err(|_| refused("the password cannot be used".into()))?;
        self.users
            .write()
            .set_hash(user, hash)
            .map_err(|_| refused(format!("there is no user {user:?}")))
    }

    /// Lets all tokens given out so far expire. Connections that have logged in stay logged in.
    pub fn expire_sessions(&self) {
        self.tokens.expire_all();
    }

    /// Closes all connections.
    pub fn disconnect(&self) {
        self.closing.send_replace(());
    }

    /// What a connection waits for, if it is to be closed by [`Security::disconnect`].
    pub fn closing(&self) -> watch::Receiver<()> {
        self.closing.subscribe()
    }
}

fn refused(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
