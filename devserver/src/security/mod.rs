//! Users, their passwords and session tokens, and their permissions.
//!
//! Security belongs to the Enterprise Edition, whose source is not public. The messages here are those that the clients
//! send and expect. Codes and permissions are from the public headers (`as/include/base/security.h`,
//! `as/include/base/proto.h`).
//!
//! | file | contents |
//! |---|---|
//! | [`config`] | the configuration of users |
//! | [`manager`] | all users, roles and tokens of a server |
//! | [`handle`] | responds to security messages |
//! | [`login`] | login |
//! | [`admin`] | changes and lists users and roles |
//! | [`users`] | users and roles |
//! | [`password`] | the hash that is sent instead of a password |
//! | [`tokens`] | session tokens |
//! | [`privileges`] | permissions, privileges, the predefined roles |
//! | [`access`] | what the client of a connection may do |

mod access;
mod admin;
mod config;
mod handle;
mod login;
mod manager;
mod password;
mod privileges;
mod tokens;
mod users;

pub use access::{Access, Login};
pub use config::{Password, SecurityConfig, UserConfig};
pub use manager::Security;
pub use privileges::permission;
