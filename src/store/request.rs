//! The requests of a store and their answers.

use std::sync::Arc;

use tokio::time::Instant;

use super::baseline::Baseline;
use super::pending_writes::Writer;
use super::record_ref::RecordRef;
use super::view::View;
use crate::cache::{CacheOp, ManyOp};
use crate::cluster::trace::Trace;
use crate::error::Result;
use crate::rate_limits;

/// Counts a request until it is answered.
pub type Ticket = Arc<()>;

/// Receives the answer of a request. `give` consumes it, so there is exactly one answer.
pub trait Answer: Send + 'static {
    /// Delivers the answer. Drop the ticket before the receiver can see the answer, but not before the answer is on
    /// its way.
    fn give(self, outcome: Result<Output>, ticket: Option<Ticket>);

    /// Returns the trace of an operation on one session, if it is traced.
    fn trace(&self) -> Option<Arc<Trace>> {
        None
    }
}

/// The caller of a pending request: the view that it used, and how it gets the answer.
pub struct Caller<A> {
    pub view: Arc<View>,
    pub answer: A,
    pub ticket: Ticket,
}

impl<A: Answer> Caller<A> {
    /// Answers the request.
    pub fn give(self, outcome: Result<Output>) {
        self.answer.give(outcome, Some(self.ticket));
    }
}

/// A pending request.
pub struct Request<A> {
    pub caller: Caller<A>,
    pub operation: Operation,
    pub deadline: Instant,
}

/// The kind of a request for one session, by its effect on later reads. Sorted: a write has the greatest effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Read,
    /// Extends the lifetime, and does not change the data.
    Touch,
    Write,
}

/// A request for one session, with the key of its record.
pub struct SessionRequest<A> {
    pub caller: Caller<A>,
    pub target: RecordRef,
    pub op: SessionOp,
}

impl<A: Answer> SessionRequest<A> {
    /// Returns the digest of the key, which identifies the session across all views of a store.
    pub fn digest(&self) -> [u8; 20] {
        self.target.key.digest()
    }

    pub fn kind(&self) -> Kind {
        match &self.op {
            SessionOp::Get | SessionOp::Load | SessionOp::Has => Kind::Read,
            SessionOp::Cache(op) if op.is_read() => Kind::Read,
            SessionOp::Touch { .. } | SessionOp::Refresh { .. } => Kind::Touch,
            SessionOp::Save { .. }
            | SessionOp::Delete
            | SessionOp::Set { .. }
            | SessionOp::Renew { .. }
            | SessionOp::Destroy
            | SessionOp::DestroyByDigest { .. }
            | SessionOp::Cache(_) => Kind::Write,
        }
    }

    /// Returns whether both are equal reads: the answer to `other`, if it runs after both have arrived, answers this
    /// request too.
    pub fn is_equal_read(&self, other: &SessionRequest<A>) -> bool {
        let same = match (&self.op, &other.op) {
            (SessionOp::Get, SessionOp::Get)
            | (SessionOp::Load, SessionOp::Load)
            | (SessionOp::Has, SessionOp::Has) => true,
            (SessionOp::Cache(one), SessionOp::Cache(other)) => one.is_equal_read(other),
            _ => false,
        };
        same && Arc::ptr_eq(&self.caller.view, &other.caller.view)
    }
}

/// Times are milliseconds since 1970 by the clock of the caller.
pub enum Operation {
    /// Wait until the store has connected.
    Ready,
    /// Send these info commands to every node.
    Info { commands: Vec<String> },
    /// Close the store. Pending requests fail.
    Close,
    /// An operation on one session.
    Session { name: SessionName, op: SessionOp },
    /// An operation on many sessions.
    Scan(ScanOp),
    /// An operation on rate limits, which have a view of their own.
    RateLimit(RateLimitOp),
    /// An operation on many entries of a cache.
    Cache(ManyOp),
}

/// An operation on the counters of rate limits.
pub enum RateLimitOp {
    /// An operation on one counter.
    One {
        view: Arc<rate_limits::View>,
        key: String,
        op: rate_limits::Op,
    },
    /// Remove all counters of the view.
    ResetAll { view: Arc<rate_limits::View> },
}

/// What identifies a session.
pub enum SessionName {
    Id(String),
    /// The digest of the key of its record.
    Digest([u8; 20]),
}

/// An operation on one session. `SessionStore` (plain data, compatible with Aerospike's own session-store example)
/// and express-session (sessions with a cookie) have operations of their own.
pub enum SessionOp {
    /// Plain: store the data, whatever was there.
    Save { json: String, expires: i64 },
    /// Plain: return the data, or nothing.
    Get,
    /// Plain: extend the lifetime. Returns whether there was a session.
    Touch { expires: i64 },
    /// Plain: remove the session. Returns whether there was one.
    Delete,
    /// Plain: return whether there is a session.
    Has,
    /// Express: return the session with its cookie as a baseline for later sets, or nothing.
    Load,
    /// Express: store the session. Returns the baseline of the next set, see [`Written`].
    Set {
        json: String,
        expires: i64,
        /// What [`SessionOp::Load`] or the last set returned, if the session was stored before.
        baseline: Option<Baseline>,
        /// The session object that is set.
        writer: Arc<Writer>,
        /// The owner, if the store has an owner option. `Some(None)`: the session has no owner.
        user: Option<Option<String>>,
    },
    /// Express: extend the lifetime, and store the cookie if it changed. Returns the meta of the next baseline.
    Refresh {
        cookie: Option<String>,
        expires: i64,
        /// As for a set, but without the JSON. Its notes hold the stored cookie.
        baseline: Option<Baseline>,
        writer: Arc<Writer>,
    },
    /// Express: store the session under another id, to which the old id leads for a while. Returns a JSON object, see
    /// `dispatch.rs`.
    Renew {
        /// The new session id.
        id: String,
        json: String,
        expires: i64,
        /// As for a set.
        baseline: Option<Baseline>,
        writer: Arc<Writer>,
        user: Option<Option<String>>,
        /// How long the old id leads to the session, in milliseconds.
        grace: i64,
    },
    /// Express: remove the session, if it exists.
    Destroy,
    /// Express: remove the session, if it belongs to this user. Returns whether there was one.
    DestroyByDigest {
        /// `None`: whoever its owner is.
        of: Option<String>,
    },
    /// An operation on an entry of a cache. It is not about a session, but it waits and is ordered as one: by the key of its record.
    Cache(CacheOp),
}

/// An operation on all sessions of the view. A range of partitions (first and count) is one page of a scan.
pub enum ScanOp {
    /// Return every session with its data, as a list (see `Found` in `scan_ops.rs`).
    All { partitions: Option<(usize, usize)> },
    /// Return the ids of all sessions, as a JSON array.
    Ids { partitions: Option<(usize, usize)> },
    /// Return the number of sessions.
    Length { partitions: Option<(usize, usize)> },
    /// Remove every session of this view.
    Clear,
    /// Remove sessions that have ended but are still stored. Returns their number.
    Prune {
        partitions: (usize, usize),
        /// Only count them.
        dry_run: bool,
    },
    /// Create the index that finds sessions by their owner.
    CreateUserIndex,
    /// Return the sessions of a user as a list: at most `limit`, and no more than one answer may hold.
    SessionsOf { user: String, limit: usize },
    /// Return the number of sessions of a user.
    CountOf { user: String },
    /// Remove the sessions of a user, except one. Returns their number.
    DestroyOf {
        user: String,
        except: Option<String>,
    },
}

impl Operation {
    /// Returns whether the operation is about stored data, and not about the connection.
    pub fn is_about_records(&self) -> bool {
        matches!(
            self,
            Operation::Session { .. }
                | Operation::Scan(_)
                | Operation::RateLimit(_)
                | Operation::Cache(_)
        )
    }

    /// Returns whether the operation is about a single record.
    pub fn is_about_one(&self) -> bool {
        matches!(
            self,
            Operation::Session { .. } | Operation::RateLimit(RateLimitOp::One { .. })
        )
    }

    /// Returns whether the operation changes many sessions, or the cluster. A part of it may have been done when it
    /// fails.
    pub fn is_write_of_many(&self) -> bool {
        match self {
            Operation::Scan(op) => matches!(
                op,
                ScanOp::Clear
                    | ScanOp::Prune { .. }
                    | ScanOp::CreateUserIndex
                    | ScanOp::DestroyOf { .. }
            ),
            Operation::RateLimit(RateLimitOp::ResetAll { .. }) => true,
            Operation::Cache(op) => op.is_write(),
            _ => false,
        }
    }

    /// Returns whether the operation decodes many records. Removals of many records are not included: they run on the
    /// request thread. Removals that are requested together there are sent in one batch. From another thread, some
    /// would be sent while others are still being requested.
    pub fn is_read_of_many(&self) -> bool {
        match self {
            Operation::Scan(_) => !self.is_write_of_many(),
            // Reads by keys are sent in batches, as removals are.
            Operation::Cache(op) => matches!(op, ManyOp::Entries { .. }),
            _ => false,
        }
    }

    /// Returns the name of the method in JavaScript.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Ready => "ready",
            Operation::Info { .. } => "info",
            Operation::Close => "close",
            Operation::Session { op, .. } => op.name(),
            Operation::RateLimit(RateLimitOp::One { op, .. }) => op.name(),
            Operation::RateLimit(RateLimitOp::ResetAll { .. }) => "resetAll",
            Operation::Scan(op) => match op {
                ScanOp::All { partitions: None } => "all",
                ScanOp::All { .. } => "sessions",
                ScanOp::Ids { .. } => "ids",
                ScanOp::Length { .. } => "length",
                ScanOp::Clear => "clear",
                ScanOp::Prune { .. } => "prune",
                ScanOp::CreateUserIndex => "createUserIndex",
                ScanOp::SessionsOf { .. } => "sessionsOf",
                ScanOp::CountOf { .. } => "countOf",
                ScanOp::DestroyOf { .. } => "destroyOf",
            },
            Operation::Cache(op) => op.name(),
        }
    }
}

impl SessionOp {
    /// Returns a copy, if it is a read.
    pub fn read(&self) -> Option<SessionOp> {
        match self {
            SessionOp::Get => Some(SessionOp::Get),
            SessionOp::Load => Some(SessionOp::Load),
            SessionOp::Has => Some(SessionOp::Has),
            SessionOp::Cache(op) if op.is_read() => Some(SessionOp::Cache(op.clone())),
            _ => None,
        }
    }

    /// Returns the name of the method in JavaScript.
    pub fn name(&self) -> &'static str {
        match self {
            SessionOp::Save { .. } => "save",
            SessionOp::Get | SessionOp::Load => "get",
            SessionOp::Touch { .. } | SessionOp::Refresh { .. } => "touch",
            SessionOp::Delete => "delete",
            SessionOp::Has => "has",
            SessionOp::Set { .. } => "set",
            SessionOp::Renew { .. } => "renew",
            SessionOp::Destroy => "destroy",
            SessionOp::DestroyByDigest { .. } => "destroyByDigest",
            SessionOp::Cache(op) => op.name(),
        }
    }
}

/// The result of an operation.
#[derive(Debug, Clone)]
pub enum Output {
    /// Done. There is no further result.
    Done,
    /// The session does not exist.
    Missing,
    Flag(bool),
    Count(u64),
    /// JSON text.
    Json(String),
    /// A list of sessions in pieces. Each piece is a list (see `Found` in `scan_ops.rs`), and there is at least one.
    Pieces(Vec<String>),
    /// A session's JSON text, and the rest of its baseline.
    Loaded(Baseline),
    /// The result of a set or a refresh. The writer is held until the answer has been delivered.
    Written(Written, Arc<Writer>),
}

/// The result of a set or a refresh.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The meta of the next baseline.
    pub meta: Option<String>,
    /// The digest of the key, if the session was gone and was not recreated.
    pub gone: Option<String>,
    /// The digest of the key, if the set was merged with a concurrent write.
    pub conflict: Option<String>,
    /// Whether the set has given the session to a user, so that the limit of sessions of this user applies.
    pub is_login: bool,
    /// The digests of the keys of the sessions that were removed because of the limit.
    pub evicted: Vec<String>,
}
