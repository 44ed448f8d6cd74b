//! What a session is, on a cluster: pure Rust, nothing of JavaScript.
//!
//! - [`request`]: what can be asked, and what comes back.
//! - [`service`]: requests as they come in, each of which is answered once.
//! - [`lanes`]: those for one session are answered in the order they came in.
//! - [`recipe`]: the operations on plain data, as Aerospike's recipe has them.
//! - [`express`], [`update`]: the operations of express-session, which lose no update and revive nothing.
//! - [`many`], [`users`]: the operations on all sessions of a view, and on those of a user.
//! - [`layout`], [`cookie`]: the record: which bin holds what. The only place that knows.
//! - [`sealed`], [`hashed`]: what of the record is encrypted, and what is hashed.
//! - [`filters`]: what a change of a session passes only if it goes on, packed beforehand.
//! - [`baseline`], [`merge`]: what a request knew, what it changed, and how that goes together
//!   with what others changed.
//! - [`writers`]: what was stored for a session object and is not told yet.
//! - [`tally`]: what has been asked, and what came of it.
//! - [`expiry`]: when a session ends. The only place that decides.

pub mod baseline;
mod cookie;
pub mod expiry;
mod express;
mod filters;
pub mod hashed;
mod lanes;
mod layout;
mod many;
// Public for fuzz/.
pub mod merge;
mod recipe;
pub mod request;
pub mod sealed;
mod service;
mod tally;
mod update;
mod users;
mod writers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use aerospike::Key;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::bulk::Bulk;
use crate::cluster::trace::Trace;
use crate::cluster::{too_big, Cluster, Terms, LARGEST_RECORD};
use crate::codec::keys::hex;
use crate::codec::least;
use crate::error::{Code, Error, Result};
use crate::planted;

use baseline::{Baseline, Doubt};
use expiry::TtlSupport;
use express::Touched;
use filters::Filters;
use hashed::Hasher;
use layout::Layout;
pub use request::{Answer, Many, One, Operation, Output, Request, Ticket, Written};
use sealed::Keyring;
pub use service::Store;
pub use tally::Stats;
use tally::Tally;
pub use writers::Writer;
use writers::Writers;

/// Where sessions are kept, what they are called, and what is done about the hard cases. Already
/// validated.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub namespace: String,
    pub set: String,
    /// The bin of the session's data.
    pub bin: String,
    /// What is put before every session id, and keeps this view of the set to itself.
    pub prefix: String,
    /// Encrypt data and cookie with the first of these, if there are any.
    pub keys: Keyring,
    /// Hash ids and users with this.
    pub hasher: Option<Hasher>,
    /// Keep the data as JSON text, not as a native map.
    pub json: bool,
    /// The writer's whole data wins; otherwise changes of different keys are merged.
    pub overwrite: bool,
    /// Store the session id with the record.
    pub store_ids: bool,
    /// Leave an empty record in the place of a removed one.
    pub tombstones: bool,
    /// Remove durably (Enterprise Edition).
    pub durable_delete: bool,
    /// Milliseconds after its creation at which a session ends, whatever is touched.
    pub absolute_ttl: Option<i64>,
    /// Milliseconds a session's end must move by for a touch to be written.
    pub touch_after: i64,
    /// Percentage of its life below which a read makes the server extend a record.
    pub touch_on_read: Option<u8>,
    /// How long sessions live by default, in milliseconds: what a tombstone has to outlive.
    pub ttl: i64,
}

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

/// One way of looking at the store's sessions: several may share a store.
pub struct View {
    layout: Layout,
    filters: Filters,
    writers: Arc<Writers>,
}

/// What every operation needs.
struct Core {
    cluster: Cluster,
    ttl: TtlSupport,
    tally: Tally,
    /// Whether it was told that users have no index: once is enough.
    lacks_index: AtomicBool,
    /// Whether it was told that a record cannot be read.
    met_unreadable: AtomicBool,
    /// Whether it was told that servers do not extend what they read.
    lacks_touch_on_read: AtomicBool,
    notify: Box<dyn Fn(Notice) + Send + Sync>,
    /// Held by who waits for a turn to take a large session apart.
    turns: Semaphore,
    /// Where what is large is done.
    bulk: Bulk,
}

/// A view, with the core it is looked at through: where the operations are.
struct Sessions<'a> {
    core: &'a Core,
    layout: &'a Layout,
    filters: &'a Filters,
}

impl View {
    pub fn new(options: Options) -> Arc<View> {
        let layout = Layout { options };
        Arc::new(View {
            filters: Filters::new(&layout),
            layout,
            writers: Arc::default(),
        })
    }

    pub fn set(&self) -> &str {
        &self.layout.options.set
    }

    /// The key of a session's record.
    #[cfg(test)]
    pub fn key(&self, id: &str) -> Key {
        self.layout.key(id)
    }

    /// Who sets sessions under this number: each session object has one of its own.
    pub fn writer(&self, number: u64) -> Arc<Writer> {
        self.writers.join(number)
    }
}

/// Bytes from which on a session is large: taking it apart, or putting it together, takes about as long as all else that an
/// operation does.
const LARGE: usize = 32 * 1024;

impl Core {
    /// Waits for a turn, if what is to be done takes long: others go first, and of those that take long one at a time.
    async fn turn(&self, bytes: usize) {
        if bytes < LARGE {
            return;
        }
        // Boxed: it is no part of every operation.
        Box::pin(async {
            // An error means that the semaphore was closed, and it never is.
            let _turn = self.turns.acquire().await;
            tokio::task::yield_now().await;
        })
        .await;
    }

    /// Whether an operation takes so long that others should not wait for it.
    fn is_bulk(&self, at: &At, what: &One) -> bool {
        let is_large = |bytes: usize| match at.is_lone {
            // There is hardly anybody who would wait; and another thread has to be woken.
            true => bytes >= 4 * LARGE,
            false => bytes >= LARGE,
        };
        match what {
            One::Save { json, .. } | One::Set { json, .. } => is_large(json.len()),
            One::Get | One::Load => !at.is_lone && self.cluster.is_large(&at.key),
            One::Touch { .. } | One::Refresh { .. } | One::Delete | One::Has | One::Destroy => {
                false
            }
        }
    }

    fn seen_through<'a>(&'a self, view: &'a View) -> Sessions<'a> {
        Sessions {
            core: self,
            layout: &view.layout,
            filters: &view.filters,
        }
    }

    async fn run(&self, view: &View, operation: Operation, deadline: Instant) -> Result<Output> {
        let sessions = self.seen_through(view);
        match operation {
            Operation::Ready => {
                let namespace = &sessions.options().namespace;
                let ready = self.cluster.ready(namespace, deadline).await;
                ready.map(|()| Output::Done)
            }
            Operation::Info { commands } => self.info(&commands, deadline).await,
            Operation::Many(many) => sessions.many(many).await,
            Operation::Close | Operation::One { .. } => Ok(Output::Done),
        }
    }

    async fn info(&self, commands: &[String], deadline: Instant) -> Result<Output> {
        let nodes = self.cluster.info(commands, deadline).await?;
        let json = serde_json::to_string(&nodes);
        json.map(Output::Json)
            .map_err(|error| Error::new(Code::Server, error.to_string()))
    }
}

/// One session's key, and when what is asked of it has to be over.
pub struct At {
    key: Key,
    deadline: Instant,
    trace: Option<Arc<Trace>>,
    /// Some attempt to write may have been carried out although it failed.
    doubt: AtomicBool,
    /// Hardly anything else was asked of the store as this was.
    is_lone: bool,
}

impl At {
    fn terms(&self) -> Terms<'_> {
        Terms {
            deadline: self.deadline,
            trace: self.trace.as_ref(),
            doubt: &self.doubt,
            is_lone: self.is_lone,
        }
    }

    /// The error of an operation that has failed: it is in doubt if any of its commands is.
    fn failed(&self, error: Error) -> Error {
        let in_doubt = error.in_doubt || self.doubt.load(Ordering::Relaxed);
        error.in_doubt(in_doubt)
    }

    /// One that nobody follows.
    fn alone(key: Key, deadline: Instant) -> At {
        At {
            key,
            deadline,
            trace: None,
            doubt: AtomicBool::new(false),
            is_lone: false,
        }
    }

    /// What may be told of a session: its key's digest, as the server's own tools print it.
    fn digest(&self) -> String {
        hex(&self.key.digest())
    }
}

impl Sessions<'_> {
    fn options(&self) -> &Options {
        &self.layout.options
    }

    /// What came of reading what is stored. That it cannot be read is told, once.
    fn read_as<T>(&self, outcome: Result<T>) -> Result<T> {
        let is_unreadable = |error: &Error| error.code == Code::BadData;
        if outcome.as_ref().is_err_and(is_unreadable)
            && !self.core.met_unreadable.swap(true, Ordering::Relaxed)
        {
            (self.core.notify)(Notice::Unreadable);
        }
        outcome
    }

    /// Waits for a turn, if what is to be stored is large, and refuses what no server takes.
    async fn judge_size(&self, what: &One) -> Result<()> {
        let (json, most) = match what {
            One::Save { json, .. } => (json, LARGEST_RECORD),
            One::Set { json, baseline, .. } => match baseline {
                None => (json, LARGEST_RECORD),
                // Others may have removed what it holds, to make place for what it adds.
                Some(_) => (json, 2 * LARGEST_RECORD),
            },
            _ => return Ok(()),
        };
        self.core.turn(json.len()).await;
        match least::is_larger(json, most) {
            true => Err(too_big()),
            false => Ok(()),
        }
    }

    /// Takes out of `what` what it stores or returns.
    async fn one(&self, at: &At, what: &mut One) -> Result<Output> {
        planted::panic_in("serve", &self.options().set);
        self.judge_size(what).await?;
        match what {
            One::Save { json, expires } => self.save(at, json, *expires).await,
            One::Get => self.get(at).await,
            One::Touch { expires } => self.touch(at, *expires).await,
            // Boxed: much larger than the others, and rare.
            One::Delete => Box::pin(self.delete(at)).await,
            One::Has => self.has(at).await,
            One::Load => self.load(at).await,
            One::Set {
                json,
                expires,
                baseline,
                writer,
                user,
            } => {
                let user = user.as_ref().map(Option::as_deref);
                // What an earlier set of the same object stored, if its answer is on the way.
                let baseline = writer.baseline(baseline.take());
                let outcome = self
                    .set(at, json, *expires, baseline.as_ref(), user)
                    .await
                    .map_err(|error| at.failed(error));
                if let Err(error) = &outcome {
                    writer.failed(error, baseline, &Doubt::Set(json));
                }
                let written = outcome?;
                if let Some(head) = written.head.clone() {
                    writer.stored(Baseline {
                        head,
                        json: std::mem::take(json),
                        notes: String::new(),
                    });
                }
                Ok(Output::Written(written, writer.clone()))
            }
            One::Refresh {
                cookie,
                expires,
                baseline,
                writer,
            } => {
                let mut baseline = writer.baseline(baseline.take());
                let outcome = self
                    .refresh(at, cookie.as_deref(), *expires, baseline.as_ref())
                    .await
                    .map_err(|error| at.failed(error));
                if let Err(error) = &outcome {
                    writer.failed(error, baseline.take(), &Doubt::Touch(cookie.as_deref()));
                }
                let Touched { head, notes } = outcome?;
                if let Some((head, baseline)) = head.clone().zip(baseline) {
                    writer.stored(Baseline {
                        head,
                        notes,
                        ..baseline
                    });
                }
                let written = Written {
                    head,
                    ..Written::default()
                };
                Ok(Output::Written(written, writer.clone()))
            }
            One::Destroy => self.destroy(at).await,
        }
    }

    async fn many(&self, many: Many) -> Result<Output> {
        planted::panic_in("many", &self.options().set);
        match many {
            Many::All { partitions } => self.all(partitions).await,
            Many::Ids { partitions } => self.ids(partitions).await,
            Many::Length { partitions } => self.length(partitions).await,
            Many::Clear => self.clear().await,
            Many::Prune { partitions } => self.prune(partitions).await,
            Many::CreateUserIndex => self.create_user_index().await,
            Many::SessionsOf { user, limit } => self.sessions_of(&user, limit).await,
            Many::CountOf { user } => self.count_of(&user).await,
            Many::DestroyOf { user, except } => self.destroy_of(&user, except.as_deref()).await,
        }
    }
}
