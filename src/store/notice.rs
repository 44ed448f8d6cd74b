//! Events of a store that belong to no request.

use super::watches::Ended;

/// An event that the application may want to know about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The namespace refuses TTLs. Sessions are stored without one and end by their `expires`.
    TtlRefused,
    /// The sessions of a user were searched without an index: every record was read.
    NoUserIndex,
    /// A record cannot be read, maybe because a key is missing. The record is not changed.
    Unreadable,
    /// Option `touchOnRead` is set, but a server is too old for it. Touches are written instead.
    TouchOnReadUnsupported,
    /// A login succeeded, but the limit of sessions of its user could not be enforced. Holds the reason.
    LimitNotEnforced(String),
    /// Nodes announce addresses that cannot be reached. Holds a message with the addresses and the remedy.
    NodesUnreachable(String),
    /// Watches have ended, because their sessions have.
    Ended(Ended),
    /// The cluster is reachable, for the first time or again.
    Up,
    /// No node of the cluster can be reached.
    Down,
}
