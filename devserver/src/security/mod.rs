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
