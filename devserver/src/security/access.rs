//! What the client behind a connection may do.

use std::sync::Arc;

use super::privileges::{Privilege, permission};
use crate::wire::result::{Outcome, ResultCode};

/// The user that a connection has logged in as.
pub type Login = Option<Arc<str>>;

/// The permissions of a client for one request. Changes of its roles take effect with the next request. (A real server
/// applies them after `privilege-refresh-period`, five minutes by default.)
#[derive(Clone)]
pub enum Access {
    /// The server has no users: everything is allowed.
    Unrestricted,
    /// No user has logged in, or the user no longer exists.
    NotLoggedIn,
    User(Arc<[Privilege]>),
}

impl Access {
    /// # Errors
    /// [`ResultCode::NOT_AUTHENTICATED`]: no user has logged in.
    pub fn require_login(&self) -> Outcome<()> {
        match self {
            Access::NotLoggedIn => Err(ResultCode::NOT_AUTHENTICATED),
            Access::Unrestricted | Access::User(_) => Ok(()),
        }
    }

    /// Requires all of these permissions, for something outside of namespaces.
    ///
    /// # Errors
    /// [`ResultCode::NOT_AUTHENTICATED`], [`ResultCode::ROLE_VIOLATION`].
    pub fn require(&self, permissions: u32) -> Outcome<()> {
        self.check(permissions, None)
    }

    /// Requires all of these permissions in a set. An empty set means the whole namespace.
    ///
    /// # Errors
    /// [`ResultCode::NOT_AUTHENTICATED`], [`ResultCode::ROLE_VIOLATION`].
    pub fn require_in(&self, permissions: u32, namespace: &str, set: &[u8]) -> Outcome<()> {
        self.check(permissions, Some((namespace.as_bytes(), set)))
    }

    fn check(&self, needed: u32, place: Option<(&[u8], &[u8])>) -> Outcome<()> {
        self.require_login()?;
        let Access::User(privileges) = self else {
            return Ok(());
        };
        let given = privileges
            .iter()
            .fold(0, |given, privilege| given | privilege.permissions(place));
        if given & needed == needed {
            Ok(())
        } else {
            Err(ResultCode::ROLE_VIOLATION)
        }
    }

    /// Returns the permission that an info command needs (`SPECS` in `as/src/base/thr_info.c`); 0 for most of them.
    pub fn permission_of_info_command(command: &str) -> u32 {
        use permission::*;
        match command {
            "config-set" | "set-config" => SET_CONFIG,
            "debug-record" | "debug-record-meta" => RECORD_INFO,
            "dump-cluster" | "dump-fabric" | "dump-hb" | "dump-hlc" | "dump-migrates"
            | "dump-rw" | "dump-skew" | "dump-wb-summary" | "jem-stats" | "log-message"
            | "log-set" | "set-log" => LOGGING_CTRL,
            "eviction-reset" => EVICT_ADMIN,
            "query-abort" | "query-abort-all" => QUERY_ADMIN,
            "recluster" | "services-alumni-reset" | "tip" | "tip-clear" => SERVICE_CTRL,
            "sindex-create" | "sindex-delete" | "sindex-exists" => SINDEX_ADMIN,
            "truncate" | "truncate-namespace" | "truncate-namespace-undo" | "truncate-undo" => {
                TRUNCATE
            }
            "udf-clear-cache" | "udf-put" | "udf-remove" => UDF_ADMIN,
            _ => 0,
        }
    }
}
