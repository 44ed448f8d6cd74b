//! What a store reports that belongs to no request.

/// Something the application may want to know that belongs to no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The namespace refuses TTLs: sessions are stored without one, and end by their `expires`.
    TtlRefused,
    /// Sessions of a user were looked for without an index: every record was read.
    NoUserIndex,
    /// A record holds what cannot be read, for want of a key maybe. It stays as it is.
    Unreadable,
    /// Option `touchOnRead` is given, and a server is too old for it: touches are written.
    TouchOnReadUnsupported,
    /// Nodes announce addresses that cannot be reached; which, and what to do, in words.
    NodesUnreachable(String),
    /// The cluster is there (again).
    Up,
    /// No node of the cluster can be reached.
    Down,
}
