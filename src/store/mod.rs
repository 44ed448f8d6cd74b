//! What a session is, on a cluster: pure Rust, nothing of JavaScript.
//!
//! - [`request`]: what can be asked, and what comes back.
//! - [`lanes`]: requests for one session are answered in the order they came in.
//! - [`recipe`]: the operations on plain data, as Aerospike's recipe has them.
//! - [`express`]: the operations of express-session, which lose no update and revive nothing.
//! - [`many`], [`users`]: the operations on all sessions of a view, and on those of a user.
//! - [`layout`], [`cookie`]: the record: which bin holds what. The only place that knows.
//! - [`baseline`], [`merge`]: what a request knew, what it changed, and how that goes together
//!   with what others changed.
//! - [`writers`]: what was stored for a session object and is not told yet.
//! - [`expiry`]: when a session ends. The only place that decides.

pub mod baseline;
mod cookie;
pub mod expiry;
mod express;
mod lanes;
mod layout;
mod many;
mod merge;
mod recipe;
pub mod request;
mod users;
mod writers;

use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use aerospike::Key;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::cluster::{self, Cluster};
use crate::error::{Error, Result};

use expiry::TtlSupport;
use lanes::Lanes;
use layout::Layout;
pub use request::{Answer, Many, One, Operation, Output, Request, Written};
pub use writers::Writer;
use writers::Writers;

/// Where sessions are kept, what they are called, and what is done about the hard cases. Already
/// validated.
#[derive(Debug, Clone)]
pub struct Options {
    pub namespace: String,
    pub set: String,
    /// The bin of the session's data.
    pub bin: String,
    /// What is put before every session id, and keeps this view of the set to itself.
    pub prefix: String,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The namespace refuses TTLs: sessions are stored without one, and end by their `expires`.
    TtlRefused,
    /// Sessions of a user were looked for without an index: every record was read.
    NoUserIndex,
    /// The cluster is there (again).
    Up,
    /// No node of the cluster can be reached.
    Down,
}

/// A store: a cluster, and the requests on their way to it. Dropping it closes it.
pub struct Store<A: Answer> {
    requests: mpsc::UnboundedSender<Request<A>>,
    core: Arc<Core>,
    /// Every request that is not answered yet holds one.
    tickets: Arc<()>,
    max_pending: usize,
}

/// One way of looking at the store's sessions: several may share a store.
pub struct View {
    layout: Layout,
    writers: Arc<Writers>,
}

/// What every operation needs.
struct Core {
    cluster: Cluster,
    ttl: TtlSupport,
    /// Whether it was told that users have no index: once is enough.
    lacks_index: AtomicBool,
    notify: Box<dyn Fn(Notice) + Send + Sync>,
}

/// A view, with the core it is looked at through: where the operations are.
struct Sessions<'a> {
    core: &'a Core,
    layout: &'a Layout,
}

impl View {
    pub fn new(options: Options) -> Arc<View> {
        Arc::new(View {
            layout: Layout { options },
            writers: Arc::default(),
        })
    }

    /// Who sets sessions under this number: each session object has one of its own.
    pub fn writer(&self, number: u64) -> Arc<Writer> {
        self.writers.join(number)
    }
}

impl<A: Answer> Store<A> {
    /// Opens a store and starts connecting. Must be called within a tokio runtime. Beyond `max_pending` requests that
    /// are not answered yet, further ones are refused.
    pub fn open(
        cluster: cluster::Options,
        max_pending: usize,
        notify: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Store<A> {
        let core = Arc::new(Core {
            cluster: Cluster::open(cluster),
            ttl: TtlSupport::default(),
            lacks_index: AtomicBool::new(false),
            notify: Box::new(notify),
        });
        let (requests, queue) = mpsc::unbounded_channel();
        tokio::spawn(drive(core.clone(), queue));
        tokio::spawn(watch(core.clone()));
        Store {
            requests,
            core,
            tickets: Arc::default(),
            max_pending,
        }
    }

    /// Hands a request over; never blocks. Its answer comes exactly once, from another thread.
    pub fn submit(&self, view: Arc<View>, operation: Operation, answer: A) {
        let is_about_sessions = !matches!(operation, Operation::Ready | Operation::Close);
        if is_about_sessions && Arc::strong_count(&self.tickets) > self.max_pending {
            let error = Error::overload(self.max_pending).during(operation.name());
            return answer.give(Err(error));
        }
        let request = Request {
            view,
            deadline: match operation {
                Operation::Ready => self.core.cluster.connect_deadline(),
                _ => self.core.cluster.deadline(),
            },
            operation,
            answer,
            ticket: Arc::clone(&self.tickets),
        };
        if let Err(mpsc::error::SendError(request)) = self.requests.send(request) {
            request.answer.give(Err(Error::closed()));
        }
    }
}

/// Takes requests as they come and starts each, or the lane of its session.
async fn drive<A: Answer>(core: Arc<Core>, mut queue: mpsc::UnboundedReceiver<Request<A>>) {
    /// Requests taken over at one go.
    const AT_ONCE: usize = 256;
    let lanes = Arc::new(Lanes::default());
    let mut taken = Vec::with_capacity(AT_ONCE);
    while queue.recv_many(&mut taken, AT_ONCE).await > 0 {
        for request in taken.drain(..) {
            let core = core.clone();
            let Operation::One { id, .. } = &request.operation else {
                tokio::spawn(async move { core.answer(request, Vec::new()).await });
                continue;
            };
            let lane = request.view.lane(id);
            if let Some(first) = lanes.enter(&lane, request) {
                let lanes = lanes.clone();
                tokio::spawn(async move {
                    let mut next = Some(first);
                    while let Some(request) = next {
                        let stay = lanes::Stay::new(&lanes, &lane);
                        let alike = lanes.alike(&lane, &request);
                        core.answer(request, alike).await;
                        next = stay.next();
                    }
                });
            }
        }
    }
    // The store was dropped without `close`: the crate's client would live on.
    core.cluster.close().await;
}

/// Tells of the cluster's coming and going, until it is closed.
async fn watch(core: Arc<Core>) {
    let mut health = core.cluster.health();
    let closed = core.cluster.closed();
    tokio::pin!(closed);
    loop {
        tokio::select! {
            changed = health.changed() => if changed.is_err() { return },
            () = &mut closed => return,
        }
        let state = *health.borrow_and_update();
        match state {
            Some(true) => (core.notify)(Notice::Up),
            Some(false) => (core.notify)(Notice::Down),
            None => {}
        }
    }
}

impl View {
    /// What names a session across all views of a store.
    fn lane(&self, id: &str) -> String {
        [self.layout.options.prefix.as_str(), id].concat()
    }
}

impl Core {
    /// Answers a request, and with the same words those that ask the same.
    async fn answer<A: Answer>(&self, request: Request<A>, alike: Vec<Request<A>>) {
        let Request {
            view,
            operation,
            deadline,
            answer,
            ticket: _ticket,
        } = request;
        let name = operation.name();
        let outcome = match operation {
            Operation::Close => {
                self.cluster.close().await;
                Ok(Output::Done)
            }
            operation => {
                // Pinned here: `select!` would keep room for it twice, and all of it is moved on
                // the way to its task.
                let run = std::pin::pin!(self.run(&view, operation, deadline));
                tokio::select! {
                    biased;
                    outcome = run => outcome,
                    () = self.cluster.closed() => Err(Error::closed()),
                }
            }
        };
        let outcome = outcome.map_err(|error| error.during(name));
        let mut answer = answer;
        for other in alike {
            answer.give(outcome.clone());
            answer = other.answer;
        }
        answer.give(outcome);
    }

    async fn run(&self, view: &View, operation: Operation, deadline: Instant) -> Result<Output> {
        let sessions = Sessions {
            core: self,
            layout: &view.layout,
        };
        match operation {
            Operation::Ready => self.cluster.ready(deadline).await.map(|()| Output::Done),
            Operation::Close => Ok(Output::Done),
            Operation::One { id, what } => {
                let key = view.layout.key(&id)?;
                let at = At { key, deadline };
                sessions.one(&at, what).await
            }
            // Boxed: much larger than that of one session, and rare.
            Operation::Many(many) => Box::pin(sessions.many(many)).await,
        }
    }
}

/// One session's key, and when its request has to be over.
struct At {
    key: Key,
    deadline: Instant,
}

impl At {
    /// What may be told of a session: its key's digest, as the server's own tools print it.
    fn digest(&self) -> String {
        let hex = self
            .key
            .digest()
            .into_iter()
            .map(|byte| format!("{byte:02x}"));
        hex.collect()
    }
}

impl Sessions<'_> {
    fn options(&self) -> &Options {
        &self.layout.options
    }

    async fn one(&self, at: &At, what: One) -> Result<Output> {
        match what {
            One::Save { json, expires } => self.save(at, &json, expires).await,
            One::Get => self.get(at).await,
            One::Touch { expires } => self.touch(at, expires).await,
            One::Delete => self.delete(at).await,
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
                let baseline = writer.baseline().or(baseline);
                let mut outcome = self
                    .set(at, &json, expires, baseline.as_deref(), user)
                    .await?;
                if let Output::Written(written) = &mut outcome {
                    if let Some(head) = &written.head {
                        writer.stored(format!("{head}{json}"));
                    }
                    written.writer = Some(writer);
                }
                Ok(outcome)
            }
            One::Refresh {
                cookie,
                expires,
                baseline,
                writer,
            } => {
                let baseline = writer.baseline().or(baseline);
                let mut outcome = self
                    .refresh(at, cookie.as_deref(), expires, baseline.as_deref())
                    .await?;
                if let Output::Written(written) = &mut outcome {
                    if let Some(baseline) = &written.head {
                        writer.stored(baseline.clone());
                    }
                    written.writer = Some(writer);
                }
                Ok(outcome)
            }
            One::Destroy => self.destroy(at).await,
        }
    }

    async fn many(&self, many: Many) -> Result<Output> {
        match many {
            Many::All { partitions } => self.all(partitions).await,
            Many::Ids => self.ids().await,
            Many::Length => self.length().await,
            Many::Clear => self.clear().await,
            Many::Prune { partitions } => self.prune(partitions).await,
            Many::CreateUserIndex => self.create_user_index().await,
            Many::SessionsOf { user } => self.sessions_of(&user).await,
            Many::CountOf { user } => self.count_of(&user).await,
            Many::DestroyOf { user, except } => self.destroy_of(&user, except.as_deref()).await,
        }
    }
}
