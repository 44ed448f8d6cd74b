//! The users, roles and session tokens of a server.

use std::io;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::access::{Access, Login};
use super::config::{Password, SecurityConfig};
use super::password::Hash;
use super::tokens::Tokens;
use super::users::Users;
use crate::invalid_input::invalid_input;
use crate::wire::result::ResultCode;

/// Users, roles and session tokens, the same for all nodes.
pub struct Security {
    pub(super) users: RwLock<Users>,
    pub(super) tokens: Tokens,
    /// Notified when all connections must be closed.
    closing: watch::Sender<()>,
}

impl Security {
    /// Hashes the passwords. Each takes almost a tenth of a second, so call this on a thread for blocking work.
    ///
    /// # Errors
    /// `InvalidInput`: an invalid name or an unknown role.
    pub fn new(config: &SecurityConfig) -> io::Result<Security> {
        let mut users = Users::new();
        for (name, user) in &config.users {
            let roles: Vec<_> = user.roles.iter().map(String::as_str).collect();
            let created =
                Hash::of(&user.password).and_then(|hash| users.create(name, hash, &roles));
            created.map_err(|code| match code {
                ResultCode::INVALID_ROLE => {
                    invalid_input(format!("a role of user {name:?} is unknown"))
                }
                ResultCode::INVALID_USER => {
                    invalid_input(format!("user name {name:?}: 1 to 63 bytes are needed"))
                }
                _ => invalid_input(format!("the password of user {name:?} cannot be used")),
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

    /// Returns what a connection may do.
    pub fn access(&self, login: &Login) -> Access {
        let user = login.as_deref();
        match user.and_then(|user| self.users.read().privileges(user)) {
            Some(privileges) => Access::User(privileges),
            None => Access::NotLoggedIn,
        }
    }

    /// Changes the password of a user, as a user administrator does. Takes as long as [`Security::new`] for one user.
    ///
    /// # Errors
    /// `InvalidInput`: there is no such user.
    pub fn set_password(&self, user: &str, password: &Password) -> io::Result<()> {
        let hash = Hash::of(password).map_err(|_| invalid_input("the password cannot be used"))?;
        self.users
            .write()
            .set_hash(user, hash)
            .map_err(|_| invalid_input(format!("there is no user {user:?}")))
    }

    /// Expires all tokens issued so far. Connections that have logged in stay logged in.
    pub fn expire_sessions(&self) {
        self.tokens.expire_all();
    }

    /// Closes all connections.
    pub fn disconnect(&self) {
        self.closing.send_replace(());
    }

    /// Returns a receiver that is notified when [`Security::disconnect`] is called.
    pub fn closing(&self) -> watch::Receiver<()> {
        self.closing.subscribe()
    }
}
