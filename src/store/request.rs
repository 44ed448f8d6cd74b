//! What can be asked of a store, and what comes back.

use std::sync::Arc;

use tokio::time::Instant;

use super::baseline::Baseline;
use super::pending_writes::Writer;
use super::record_ref::RecordRef;
use super::view::View;
use crate::cluster::trace::Trace;
use crate::error::Result;

/// Counts a request as long as it is not answered.
pub type Ticket = Arc<()>;

/// Who waits for an answer. `give` consumes it: an answer comes once.
pub trait Answer: Send + 'static {
    /// The ticket is to be dropped before whoever waits can see the answer, and not before the answer is on its way.
    fn give(self, outcome: Result<Output>, ticket: Option<Ticket>);

    /// Where the way of an operation on one session is to be noted, if anybody wants to know it.
    fn trace(&self) -> Option<Arc<Trace>> {
        None
    }
}

/// One request, on its way.
pub struct Request<A> {
    pub view: Arc<View>,
    pub operation: Operation,
    pub deadline: Instant,
    pub answer: A,
    pub ticket: Ticket,
}

/// What a request about one session means for the reads that come after it: the further down, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Read,
    /// More life, but the same data.
    Touch,
    Write,
}

/// A request about one session, which has a key by now.
pub struct SessionRequest<A> {
    pub view: Arc<View>,
    pub at: RecordRef,
    pub what: SessionOp,
    pub answer: A,
    pub ticket: Ticket,
}

impl<A: Answer> SessionRequest<A> {
    /// What names the session across all views of a store.
    pub fn digest(&self) -> [u8; 20] {
        self.at.key.digest()
    }

    /// Notes the way that another operation took, and this one with it.
    pub fn note(&self, way: Option<&Arc<Trace>>) {
        if let (Some(own), Some(way)) = (&self.at.trace, way) {
            if !Arc::ptr_eq(own, way) {
                own.note(way.way());
            }
        }
    }

    pub fn kind(&self) -> Kind {
        match self.what {
            SessionOp::Get | SessionOp::Load | SessionOp::Has => Kind::Read,
            SessionOp::Touch { .. } | SessionOp::Refresh { .. } => Kind::Touch,
            SessionOp::Save { .. }
            | SessionOp::Delete
            | SessionOp::Set { .. }
            | SessionOp::Destroy => Kind::Write,
        }
    }

    /// Whether the answer to `other`, asked after this and not before, is the answer to this as well.
    pub fn is_like(&self, other: &SessionRequest<A>) -> bool {
        let same = matches!(
            (&self.what, &other.what),
            (SessionOp::Get, SessionOp::Get)
                | (SessionOp::Load, SessionOp::Load)
                | (SessionOp::Has, SessionOp::Has)
        );
        same && Arc::ptr_eq(&self.view, &other.view)
    }
}

/// Points in time are milliseconds since 1970 by the caller's clock.
pub enum Operation {
    /// Wait for the connection.
    Ready,
    /// Ask every node these info commands.
    Info { commands: Vec<String> },
    /// Close the connection; what is pending fails.
    Close,
    /// Something about one session.
    Session { id: String, what: SessionOp },
    /// Something about many.
    Scan(ScanOp),
}

/// The recipe speaks of plain data, express-session of sessions with a cookie.
pub enum SessionOp {
    /// Recipe: store the data, whatever was there.
    Save { json: String, expires: i64 },
    /// Recipe: the data, or nothing.
    Get,
    /// Recipe: more life; whether there was a session.
    Touch { expires: i64 },
    /// Recipe: remove; whether there was a session.
    Delete,
    /// Recipe: whether there is a session.
    Has,
    /// Express: the session with its cookie, as a baseline for what is set later; or nothing.
    Load,
    /// Express: store the session. Answers the baseline of the next set, see [`Written`].
    Set {
        json: String,
        expires: i64,
        /// What [`SessionOp::Load`] or the last set answered, for a session that was stored before.
        baseline: Option<Baseline>,
        /// The session object that is set.
        writer: Arc<Writer>,
        /// The owner, where the store keeps one: `Some(None)` is nobody.
        user: Option<Option<String>>,
    },
    /// Express: more life, and the cookie as it is now. Answers the head of the next baseline.
    Refresh {
        cookie: Option<String>,
        expires: i64,
        /// As for a set, but without the JSON; its notes say which cookie is stored.
        baseline: Option<Baseline>,
        writer: Arc<Writer>,
    },
    /// Express: remove, if it is there.
    Destroy,
}

/// Of all sessions of the view. A range of partitions, first and count, is a page of a scan.
pub enum ScanOp {
    /// Every session with its data, as a list (see `Found` in `scan_ops.rs`).
    All { partitions: Option<(usize, usize)> },
    /// The ids of every session, as a JSON array.
    Ids { partitions: Option<(usize, usize)> },
    /// How many sessions there are.
    Length { partitions: Option<(usize, usize)> },
    /// Remove every session of this view.
    Clear,
    /// Remove what has ended, but is still there; how many.
    Prune { partitions: (usize, usize) },
    /// Make the index that finds sessions by their owner.
    CreateUserIndex,
    /// The sessions of this user, as a list: at most so many, and no more than one answer may hold.
    SessionsOf { user: String, limit: usize },
    /// How many sessions this user has.
    CountOf { user: String },
    /// Remove the sessions of this user, except one; how many.
    DestroyOf {
        user: String,
        except: Option<String>,
    },
}

impl Operation {
    pub fn is_about_sessions(&self) -> bool {
        matches!(self, Operation::Session { .. } | Operation::Scan(_))
    }

    /// Whether it changes many sessions, or the cluster: some of it may be done when it fails.
    pub fn is_write_of_many(&self) -> bool {
        matches!(
            self,
            Operation::Scan(
                ScanOp::Clear
                    | ScanOp::Prune { .. }
                    | ScanOp::CreateUserIndex
                    | ScanOp::DestroyOf { .. }
            )
        )
    }

    /// Whether it takes many records apart. (What removes many is done where requests are: removals that are asked for at the same
    /// time go together, which they would not if they left while others are still being asked for.)
    pub fn is_read_of_many(&self) -> bool {
        matches!(self, Operation::Scan(_)) && !self.is_write_of_many()
    }

    /// The method's name in JavaScript.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Ready => "ready",
            Operation::Info { .. } => "info",
            Operation::Close => "close",
            Operation::Session { what, .. } => what.name(),
            Operation::Scan(many) => match many {
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
        }
    }
}

impl SessionOp {
    /// The same again, if it is a read.
    pub fn read(&self) -> Option<SessionOp> {
        match self {
            SessionOp::Get => Some(SessionOp::Get),
            SessionOp::Load => Some(SessionOp::Load),
            SessionOp::Has => Some(SessionOp::Has),
            _ => None,
        }
    }

    /// The method's name in JavaScript.
    pub fn name(&self) -> &'static str {
        match self {
            SessionOp::Save { .. } => "save",
            SessionOp::Get | SessionOp::Load => "get",
            SessionOp::Touch { .. } | SessionOp::Refresh { .. } => "touch",
            SessionOp::Delete => "delete",
            SessionOp::Has => "has",
            SessionOp::Set { .. } => "set",
            SessionOp::Destroy => "destroy",
        }
    }
}

/// What an operation returns.
#[derive(Debug, Clone)]
pub enum Output {
    /// Done, and there is nothing to say.
    Done,
    /// There is no such session.
    Missing,
    Flag(bool),
    Count(u64),
    /// JSON text.
    Json(String),
    /// A list of sessions, in pieces: each is a list (see `Found` in `scan_ops.rs`), and never none.
    Pieces(Vec<String>),
    /// A session's JSON text, and what it is the base of.
    Loaded(Baseline),
    /// What became of a set, and who made it: held until the answer has been handed over.
    Written(Written, Arc<Writer>),
}

/// What became of a set or a refresh.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The head of the baseline of what is written next.
    pub head: Option<String>,
    /// The session was gone, and has not been brought back: its key's digest.
    pub gone: Option<String>,
    /// Somebody else wrote meanwhile, and the two were merged: the key's digest.
    pub conflict: Option<String>,
}
