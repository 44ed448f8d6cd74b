//! The watched sessions of a store: when each is checked next, and which watches end with it.
//!
//! The registry knows neither the cluster nor tasks. [`watch_ops`](super::watch_ops) asks it which sessions to check, and
//! reports what it found. Writes of this process report removals and new ends, so those need no check.
//!
//! Several watches of one session share its checks. A session is checked once per `watchInterval`, and at its end. The
//! checks are spread over the interval: each session has a place in it, and sessions with the same place are checked
//! together. With few sessions there is one place, so that one batch checks all of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aerospike::Key;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::options::Options;
use super::session_queue::Digest;
use super::view::View;

/// The most sessions that are checked together. It is also the most commands of one batch, see `cluster::node_queue`.
pub const MAX_SLICE: usize = 128;
/// About how many sessions share a place in the interval: some fewer, because chance does not fill places evenly.
const PER_PLACE: usize = 100;
/// The shortest time between two places in the interval.
const MIN_PLACE: Duration = Duration::from_millis(20);
/// A record may be removed up to a second before its session ends, because the server counts whole seconds. Its clock
/// may also differ. A record that is missing this long before the end was not removed by a logout.
const EARLY_REMOVAL_MS: i64 = 2_000;
/// The number of renewals of a session that one check follows at once. More are followed by the next check.
const MAX_HOPS: u8 = 4;

/// The watched sessions. Costs writes one load while nothing is watched.
pub struct Watches {
    count: AtomicUsize,
    state: Mutex<State>,
    /// Notified when the next check may be earlier than it was.
    pub changed: Notify,
    started: Instant,
}

#[derive(Default)]
struct State {
    /// Whether the task that checks sessions runs.
    is_running: bool,
    last_id: SessionId,
    /// The logical time of the last watch.
    last_time: LogicalTime,
    sessions: HashMap<SessionId, Session>,
    by_digest: BTreeSet<(Digest, SessionId)>,
    /// The sessions that are not being checked, by the time of their next check.
    due: BTreeSet<(Instant, SessionId)>,
    watches: HashMap<u64, SessionId>,
}

/// Never used twice, so that a late finding cannot belong to another session.
type SessionId = u64;

/// Orders watches and commands. What a command has found or done concerns only the watches that were added before it was
/// sent: after that, another session may have been stored under the same id.
pub type LogicalTime = u64;

struct Watch {
    number: u64,
    /// Whether it extends the session.
    touch: bool,
    added: LogicalTime,
}

struct Session {
    view: Arc<View>,
    /// The digest of its current record. It changes when the session is renewed.
    digest: Digest,
    watches: Vec<Watch>,
    /// When it is checked next. `None`: it is being checked.
    due: Option<Instant>,
    /// When the last check that found it was sent. Watches that were added later may mean another session.
    found: Option<LogicalTime>,
    created: Option<i64>,
    /// When the session ends, as far as is known. `None`: never.
    end: Option<i64>,
    /// When the session is to be extended. `None`: not known yet.
    touch_at: Option<i64>,
    hops: u8,
}

/// A session to check now.
pub struct Check {
    pub id: SessionId,
    pub sent: LogicalTime,
    pub view: Arc<View>,
    pub key: Key,
    /// Whether the check may have to extend the session, and so has to read its cookie.
    pub may_touch: bool,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The session is alive. Times are milliseconds since 1970.
    Alive {
        created: Option<i64>,
        /// `None`: it never ends.
        end: Option<i64>,
        /// When it is to be extended. `None`: not known.
        touch_at: Option<i64>,
    },
    /// The session was renewed: this is the digest of its new record.
    Renewed(Digest),
    /// The record is there, and the session in it has ended.
    Expired,
    /// There is no session.
    Missing,
    /// The cluster did not answer. Nothing is known.
    Unknown,
}

/// The numbers of watches that have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    pub gone: Vec<u64>,
    pub expired: Vec<u64>,
}

impl Ended {
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.expired.is_empty()
    }

    fn add(&mut self, numbers: Vec<u64>, is_expired: bool) {
        match is_expired {
            true => self.expired.extend(numbers),
            false => self.gone.extend(numbers),
        }
    }
}

impl Watches {
    pub fn new() -> Watches {
        Watches {
            count: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Notify::new(),
            started: Instant::now(),
        }
    }

    /// Adds a watch under a new number. Returns whether the task that checks sessions has to be started.
    #[must_use]
    pub fn add(&self, number: u64, view: &Arc<View>, digest: Digest, touch: bool) -> bool {
        let mut state = self.lock();
        let same = state.sessions_of(&digest).into_iter().find(|id| {
            let session = state.sessions.get(id);
            session.is_some_and(|session| Arc::ptr_eq(&session.view, view))
        });
        let now = Instant::now();
        state.last_time += 1;
        let added = state.last_time;
        let id = same.unwrap_or_else(|| {
            state.last_id += 1;
            let id = state.last_id;
            state.by_digest.insert((digest, id));
            state.due.insert((now, id));
            let session = Session {
                view: view.clone(),
                digest,
                watches: Vec::with_capacity(1),
                due: Some(now),
                found: None,
                created: None,
                end: None,
                touch_at: None,
                hops: 0,
            };
            state.sessions.insert(id, session);
            id
        });
        state.watches.insert(number, id);
        if let Some(session) = state.sessions.get_mut(&id) {
            session.watches.push(Watch {
                number,
                touch,
                added,
            });
        }
        if touch {
            // Its end for extending is not known yet.
            state.set_due(id, now);
        }
        self.count.store(state.sessions.len(), Ordering::SeqCst);
        let must_start = !std::mem::replace(&mut state.is_running, true);
        drop(state);
        self.changed.notify_one();
        must_start
    }

    /// Removes a watch. Does nothing if it has ended.
    pub fn remove(&self, number: u64) {
        let mut state = self.lock();
        let Some(id) = state.watches.remove(&number) else {
            return;
        };
        let Some(session) = state.sessions.get_mut(&id) else {
            return;
        };
        session.watches.retain(|watch| watch.number != number);
        if session.watches.is_empty() {
            state.remove_session(id);
        }
        let is_empty = state.sessions.is_empty();
        self.count.store(state.sessions.len(), Ordering::SeqCst);
        drop(state);
        if is_empty {
            self.changed.notify_one();
        }
    }

    /// Returns whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// Returns the logical time of a command that is about to be sent.
    pub fn logical_time(&self) -> LogicalTime {
        match self.is_empty() {
            true => 0,
            false => self.lock().last_time,
        }
    }

    /// Notes that a command of this process, sent after `sent`, has removed a session. Returns the watches that end.
    #[must_use]
    pub fn removed(
        &self,
        options: &Options,
        digest: &Digest,
        sent: LogicalTime,
        now: i64,
    ) -> Ended {
        let mut ended = Ended::default();
        if self.is_empty() {
            return ended;
        }
        let mut state = self.lock();
        for id in state.sessions_like(options, digest) {
            let end = state.sessions.get(&id).and_then(|session| session.end);
            let numbers = state.end_watches(id, sent);
            ended.add(numbers, end.is_some_and(|end| end <= now));
        }
        self.count.store(state.sessions.len(), Ordering::SeqCst);
        self.changed.notify_one();
        ended
    }

    /// Notes that this process has written a session that now ends at `expires`.
    pub fn written(&self, options: &Options, digest: &Digest, expires: i64, now: i64) {
        if self.is_empty() {
            return;
        }
        let mut state = self.lock();
        let due = Instant::now() + until(expires, now);
        for id in state.sessions_like(options, digest) {
            let Some(session) = state.sessions.get_mut(&id) else {
                continue;
            };
            session.end = Some(expires);
            if session.due.is_some_and(|before| due < before) {
                state.set_due(id, due);
                self.changed.notify_one();
            }
        }
    }

    /// Notes that this process has renewed a session: it has another record from now on.
    pub fn renewed(&self, options: &Options, old: &Digest, new: Digest) {
        if self.is_empty() {
            return;
        }
        let mut state = self.lock();
        for id in state.sessions_like(options, old) {
            state.set_digest(id, new);
        }
    }

    /// Returns when the next session is to be checked. `None`: all of them are being checked.
    ///
    /// # Errors
    ///
    /// Nothing is watched any more. The task has to end.
    pub fn next_due(&self) -> Result<Option<Instant>, ()> {
        let mut state = self.lock();
        if state.sessions.is_empty() {
            state.is_running = false;
            return Err(());
        }
        Ok(state.due.first().map(|(due, _)| *due))
    }

    /// Takes the sessions that are to be checked by `until`, at most [`MAX_SLICE`].
    pub fn take_due(&self, until: Instant, now: i64) -> Vec<Check> {
        let mut state = self.lock();
        let mut checks = Vec::new();
        let sent = state.last_time;
        while checks.len() < MAX_SLICE
            && state.due.first().is_some_and(|(due, _)| *due <= until)
            && let Some((_, id)) = state.due.pop_first()
        {
            let Some(session) = state.sessions.get_mut(&id) else {
                continue;
            };
            session.due = None;
            let options = &session.view.layout.options;
            checks.push(Check {
                id,
                sent,
                key: Key::with_digest(
                    options.namespace.as_str(),
                    options.set.as_str(),
                    None,
                    session.digest,
                ),
                may_touch: session.is_touched() && session.touch_at.is_none_or(|at| at <= now),
                view: session.view.clone(),
            });
        }
        checks
    }

    /// Notes what checks have found. Returns the watches that end.
    #[must_use]
    pub fn finish(&self, findings: Vec<(SessionId, LogicalTime, Finding)>, now: i64) -> Ended {
        let mut ended = Ended::default();
        let mut state = self.lock();
        for (id, sent, finding) in findings {
            self.finish_one(&mut state, (id, sent), finding, now, &mut ended);
        }
        self.count.store(state.sessions.len(), Ordering::SeqCst);
        drop(state);
        self.changed.notify_one();
        ended
    }

    fn finish_one(
        &self,
        state: &mut State,
        (id, sent): (SessionId, LogicalTime),
        finding: Finding,
        now: i64,
        ended: &mut Ended,
    ) {
        let count = state.sessions.len();
        // It may have ended meanwhile, because this process has removed it.
        let Some(session) = state.sessions.get_mut(&id) else {
            return;
        };
        let clock = Instant::now();
        let next = self.next_place(session, count, clock);
        let mut due = next;
        match finding {
            Finding::Alive {
                created,
                end,
                touch_at,
            } => {
                let is_another = session
                    .created
                    .zip(created)
                    .is_some_and(|(before, created)| before != created);
                if let Some(found) = session.found.filter(|_| is_another) {
                    // Later watches are of the new session.
                    return ended.add(state.end_watches(id, found), false);
                }
                session.found = Some(sent);
                session.created = created.or(session.created);
                session.end = end;
                session.touch_at = touch_at.or(session.touch_at);
                session.hops = 0;
                let touch_at = session.touch_at.filter(|_| session.is_touched());
                for time in [end, touch_at].into_iter().flatten() {
                    if time > now {
                        due = due.min(clock + until(time, now));
                    }
                }
            }
            Finding::Renewed(digest) => {
                session.hops = session.hops.saturating_add(1);
                if session.hops <= MAX_HOPS {
                    due = clock;
                }
                state.set_digest(id, digest);
            }
            Finding::Expired => return ended.add(state.end_watches(id, sent), true),
            Finding::Missing => {
                let was_due = session
                    .end
                    .is_some_and(|end| end.saturating_sub(EARLY_REMOVAL_MS) <= now);
                return ended.add(state.end_watches(id, sent), was_due);
            }
            Finding::Unknown => {}
        }
        state.set_due(id, due);
    }

    /// Plans the next check of sessions whose check was given up.
    pub fn give_up(&self, checks: &[SessionId]) {
        let mut state = self.lock();
        let count = state.sessions.len();
        for id in checks {
            if let Some(session) = state.sessions.get(id).filter(|one| one.due.is_none()) {
                let next = self.next_place(session, count, Instant::now());
                state.set_due(*id, next);
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Returns when the session's place in the interval comes next: after `now`, and not later than an interval after.
    fn next_place(&self, session: &Session, count: usize, now: Instant) -> Instant {
        let interval = session.view.layout.options.watch_interval.max(MIN_PLACE);
        let most = interval.as_nanos() / MIN_PLACE.as_nanos();
        let places = (count.div_ceil(PER_PLACE) as u128).clamp(1, most.max(1));
        let [.., a, b, c, d] = session.digest;
        let place = u128::from(u32::from_be_bytes([a, b, c, d])) % places;
        let interval = interval.as_nanos();
        let passed = now.saturating_duration_since(self.started).as_nanos();
        let offset = interval * place / places;
        let into = (passed + interval - offset) % interval;
        now + Duration::from_nanos(u64::try_from(interval - into).unwrap_or(u64::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No holder of this lock can panic in the middle of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn sessions_of(&self, digest: &Digest) -> Vec<SessionId> {
        let range = (*digest, 0)..=(*digest, SessionId::MAX);
        self.by_digest.range(range).map(|(_, id)| *id).collect()
    }

    /// Returns the sessions with this record in any view that shows the same sessions.
    fn sessions_like(&self, options: &Options, digest: &Digest) -> Vec<SessionId> {
        let mut ids = self.sessions_of(digest);
        // The set is a part of the digest, and the namespace is not.
        ids.retain(|id| {
            self.sessions.get(id).is_some_and(|session| {
                let own = &session.view.layout.options;
                own.namespace == options.namespace && own.prefix == options.prefix
            })
        });
        ids
    }

    fn set_due(&mut self, id: SessionId, due: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if let Some(before) = session.due.replace(due) {
            self.due.remove(&(before, id));
        }
        self.due.insert((due, id));
    }

    fn set_digest(&mut self, id: SessionId, digest: Digest) {
        if let Some(session) = self.sessions.get_mut(&id) {
            self.by_digest.remove(&(session.digest, id));
            session.digest = digest;
            self.by_digest.insert((digest, id));
        }
    }

    /// Removes the watches of a session that were added by `until`, and returns their numbers. What is left is of another
    /// session with the same id, which is checked now.
    fn end_watches(&mut self, id: SessionId, until: LogicalTime) -> Vec<u64> {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Vec::new();
        };
        let all = std::mem::take(&mut session.watches);
        let (ended, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.added <= until);
        session.watches = left;
        session.found = None;
        session.created = None;
        session.end = None;
        session.touch_at = None;
        match session.watches.is_empty() {
            true => self.remove_session(id),
            false => self.set_due(id, Instant::now()),
        }
        for watch in &ended {
            self.watches.remove(&watch.number);
        }
        ended.into_iter().map(|watch| watch.number).collect()
    }

    fn remove_session(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        self.by_digest.remove(&(session.digest, id));
        if let Some(due) = session.due {
            self.due.remove(&(due, id));
        }
    }
}

impl Session {
    /// Returns whether any of its watches extends it.
    fn is_touched(&self) -> bool {
        self.watches.iter().any(|watch| watch.touch)
    }
}

/// Returns the time until `time`, and a millisecond more: a session ends with its last millisecond.
fn until(time: i64, now: i64) -> Duration {
    let left = time.saturating_sub(now).clamp(0, i64::from(u32::MAX));
    Duration::from_millis(left.unsigned_abs() + 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
