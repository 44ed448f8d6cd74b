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
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);
    /// The time of day when a test begins.
    const NOW: i64 = 1_780_000_000_000;

    /// A registry, and a time of day that passes with tokio's clock.
    struct Registry {
        watches: Watches,
        view: Arc<View>,
        started: Instant,
    }

    impl Registry {
        fn new() -> Registry {
            Registry {
                watches: Watches::new(),
                view: view("sessions", ""),
                started: Instant::now(),
            }
        }

        fn now(&self) -> i64 {
            NOW + i64::try_from(self.started.elapsed().as_millis()).unwrap()
        }

        fn add(&self, number: u64, id: &str) -> Digest {
            self.add_touching(number, id, false)
        }

        fn add_touching(&self, number: u64, id: &str, touch: bool) -> Digest {
            let digest = self.view.key(id).digest();
            let _ = self.watches.add(number, &self.view, digest, touch);
            digest
        }

        fn options(&self) -> &Options {
            &self.view.layout.options
        }

        fn take(&self) -> Vec<Check> {
            self.watches.take_due(Instant::now(), self.now())
        }

        /// Waits until the next check is due, and returns how long that took and what is checked.
        async fn next(&self) -> (Duration, Vec<Check>) {
            let began = Instant::now();
            tokio::time::sleep_until(self.watches.next_due().unwrap().unwrap()).await;
            (began.elapsed(), self.take())
        }

        fn finish(&self, check: &Check, finding: Finding) -> Ended {
            let found = vec![(check.id, check.sent, finding)];
            self.watches.finish(found, self.now())
        }

        fn removed(&self, digest: &Digest) -> Ended {
            let sent = self.watches.logical_time();
            self.watches.removed(self.options(), digest, sent, NOW)
        }
    }

    fn view(set: &str, prefix: &str) -> Arc<View> {
        View::new(Options {
            namespace: "test".into(),
            set: set.into(),
            prefix: prefix.into(),
            watch_interval: INTERVAL,
            ..Options::default()
        })
    }

    fn alive(created: i64, end: Option<i64>) -> Finding {
        Finding::Alive {
            created: Some(created),
            end,
            touch_at: None,
        }
    }

    fn gone(numbers: &[u64]) -> Ended {
        Ended {
            gone: numbers.to_vec(),
            expired: vec![],
        }
    }

    fn expired(numbers: &[u64]) -> Ended {
        Ended {
            gone: vec![],
            expired: numbers.to_vec(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn watches_of_a_session_share_its_checks_and_end_together() {
        let all = Registry::new();
        all.add(1, "a");
        all.add(2, "a");
        let checks = all.take();
        assert_eq!(checks.len(), 1);
        assert!(all.take().is_empty());
        assert!(all.finish(&checks[0], alive(7, None)).is_empty());
        let (passed, checks) = all.next().await;
        assert!(passed <= INTERVAL);
        assert_eq!(all.finish(&checks[0], Finding::Missing), gone(&[1, 2]));
        assert!(all.watches.is_empty());
        assert!(all.watches.next_due().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn each_session_is_checked_once_an_interval_in_slices_that_are_spread_over_it() {
        let all = Registry::new();
        for number in 0..10_000 {
            all.add(number, &format!("session-{number}"));
        }
        let mut first = 0;
        loop {
            let slice = all.take();
            if slice.is_empty() {
                break;
            }
            assert!(slice.len() <= MAX_SLICE);
            first += slice.len();
            for check in &slice {
                assert!(all.finish(check, alive(1, None)).is_empty());
            }
        }
        assert_eq!(first, 10_000);
        let end = Instant::now() + 3 * INTERVAL;
        let mut checked: HashMap<SessionId, Vec<Instant>> = HashMap::new();
        let (mut slices, mut most_together) = (0, HashMap::<Instant, usize>::new());
        while Instant::now() < end {
            let (_, slice) = all.next().await;
            assert!(slice.len() <= MAX_SLICE);
            slices += 1;
            *most_together.entry(Instant::now()).or_default() += slice.len();
            for check in &slice {
                checked.entry(check.id).or_default().push(Instant::now());
                assert!(all.finish(check, alive(1, None)).is_empty());
            }
        }
        assert_eq!(checked.len(), 10_000);
        for times in checked.values() {
            assert!((3..=4).contains(&times.len()));
            let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(gaps.into_iter().all(|gap| gap <= INTERVAL));
        }
        // 100 places in the interval, and hardly any that needs two slices.
        assert!((300..=330).contains(&slices), "{slices} slices");
        assert!(
            most_together
                .values()
                .all(|together| *together < 2 * PER_PLACE)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn few_sessions_are_checked_together() {
        let all = Registry::new();
        for number in 0..100 {
            all.add(number, &format!("session-{number}"));
        }
        for check in all.take() {
            assert!(all.finish(&check, alive(1, None)).is_empty());
        }
        for _ in 0..3 {
            let (passed, slice) = all.next().await;
            assert_eq!((passed, slice.len()), (INTERVAL, 100));
            for check in &slice {
                assert!(all.finish(check, alive(1, None)).is_empty());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_checked_at_its_end_and_goes_on_if_it_was_extended() {
        let all = Registry::new();
        all.add(1, "a");
        let check = &all.take()[0];
        assert!(all.finish(check, alive(1, Some(NOW + 1_200))).is_empty());
        let (passed, checks) = all.next().await;
        assert_eq!(passed, Duration::from_millis(1_201));
        assert!(
            all.finish(&checks[0], alive(1, Some(NOW + 2_000)))
                .is_empty()
        );
        let (passed, checks) = all.next().await;
        assert_eq!(passed, Duration::from_millis(800));
        assert_eq!(all.finish(&checks[0], Finding::Expired), expired(&[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_session_has_expired_if_its_end_has_come_and_is_gone_otherwise() {
        for (left, is_expired) in [(EARLY_REMOVAL_MS, true), (EARLY_REMOVAL_MS + 1, false)] {
            let all = Registry::new();
            all.add(1, "a");
            let check = &all.take()[0];
            assert!(all.finish(check, alive(1, Some(NOW + left))).is_empty());
            let ended = all.finish(check, Finding::Missing);
            assert_eq!(
                ended,
                if is_expired {
                    expired(&[1])
                } else {
                    gone(&[1])
                }
            );
        }
        let all = Registry::new();
        all.add(1, "never stored");
        let check = &all.take()[0];
        assert_eq!(all.finish(check, Finding::Missing), gone(&[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_session_under_the_same_id_is_another_one() {
        let all = Registry::new();
        all.add(1, "a");
        let check = &all.take()[0];
        let without = Finding::Alive {
            created: None,
            end: None,
            touch_at: None,
        };
        // Written by another program at first, and then by a store.
        assert!(all.finish(check, without.clone()).is_empty());
        assert!(all.finish(check, alive(1, None)).is_empty());
        assert!(all.finish(check, without).is_empty());
        assert!(all.finish(check, alive(1, None)).is_empty());
        assert_eq!(all.finish(check, alive(2, None)), gone(&[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_ends_nothing_even_after_the_end() {
        let all = Registry::new();
        all.add(1, "a");
        let check = &all.take()[0];
        assert!(all.finish(check, alive(1, Some(NOW + 1_000))).is_empty());
        for _ in 0..10 {
            let (_, checks) = all.next().await;
            assert!(all.finish(&checks[0], Finding::Unknown).is_empty());
        }
        // Not more often than once an interval.
        assert!(all.started.elapsed() > 8 * INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn what_this_process_removes_ends_at_once_in_every_view_of_the_same_sessions() {
        let all = Registry::new();
        let digest = all.add(1, "a");
        let twin = view("sessions", "");
        let _ = all.watches.add(2, &twin, digest, false);
        // The same key, in a view with another prefix and in another namespace.
        let _ = all.watches.add(3, &view("sessions", "a"), digest, false);
        let elsewhere = View::new(Options {
            namespace: "other".into(),
            ..all.options().clone()
        });
        let _ = all.watches.add(4, &elsewhere, digest, false);
        let check = &all.take()[0];
        assert_eq!(all.removed(&digest), gone(&[1, 2]));
        // A check that was under way finds nothing to end.
        assert!(all.finish(check, Finding::Missing).is_empty());
        assert!(all.removed(&digest).is_empty());
        assert!(!all.watches.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_was_added_after_a_command_was_sent_is_of_a_later_session() {
        let all = Registry::new();
        let digest = all.add(1, "a");
        let check = &all.take()[0];
        assert!(all.finish(check, alive(1, None)).is_empty());
        // A removal is under way. Another process stores a new session under the same id.
        let sent = all.watches.logical_time();
        all.add(2, "a");
        let ended = all.watches.removed(all.options(), &digest, sent, NOW);
        assert_eq!(ended, gone(&[1]));
        let check = &all.take()[0];
        all.add(3, "a");
        assert_eq!(all.finish(check, Finding::Missing), gone(&[2]));
        let check = &all.take()[0];
        assert!(all.finish(check, alive(3, None)).is_empty());
        all.add(4, "a");
        assert_eq!(all.finish(check, alive(4, None)), gone(&[3]));
        let check = &all.take()[0];
        assert!(all.finish(check, alive(4, None)).is_empty());
        assert_eq!(all.removed(&digest), gone(&[4]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_of_this_process_moves_the_check_at_the_end_forward() {
        let all = Registry::new();
        let digest = all.add(1, "a");
        let check = &all.take()[0];
        assert!(all.finish(check, alive(1, None)).is_empty());
        all.watches.written(all.options(), &digest, NOW + 700, NOW);
        let (passed, checks) = all.next().await;
        assert_eq!(passed, Duration::from_millis(701));
        assert_eq!(all.finish(&checks[0], Finding::Missing), expired(&[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopped_watch_does_not_end_and_its_session_is_checked_for_the_others_only() {
        let all = Registry::new();
        let digest = all.add(1, "a");
        all.add(2, "a");
        all.watches.remove(1);
        all.watches.remove(1);
        assert_eq!(all.take().len(), 1);
        all.watches.remove(2);
        assert!(all.watches.is_empty());
        assert!(all.removed(&digest).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_is_followed_to_the_new_record_and_not_in_circles() {
        let all = Registry::new();
        let old = all.add(1, "old");
        let new = all.view.key("new").digest();
        let check = &all.take()[0];
        assert!(all.finish(check, alive(1, None)).is_empty());
        assert!(all.finish(check, Finding::Renewed(new)).is_empty());
        let checks = all.take();
        assert_eq!(checks[0].key.digest(), new);
        assert!(all.removed(&old).is_empty());
        for _ in 0..MAX_HOPS {
            assert!(all.finish(&checks[0], Finding::Renewed(new)).is_empty());
        }
        assert!(all.take().is_empty());
        assert_eq!(all.removed(&new), gone(&[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_by_this_process_is_followed_at_once() {
        let all = Registry::new();
        let old = all.add(1, "old");
        let new = all.view.key("new").digest();
        all.watches.renewed(all.options(), &old, new);
        assert!(all.removed(&old).is_empty());
        assert_eq!(all.removed(&new), gone(&[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_extended_when_it_is_time_and_only_if_a_watch_asks_for_it() {
        let all = Registry::new();
        all.add(1, "a");
        let check = &all.take()[0];
        assert!(!check.may_touch);
        assert!(all.finish(check, alive(1, Some(NOW + 20_000))).is_empty());
        all.add_touching(2, "a", true);
        let checks = all.take();
        assert!(checks[0].may_touch);
        let finding = Finding::Alive {
            created: Some(1),
            end: Some(NOW + 20_000),
            touch_at: Some(NOW + 2_000),
        };
        assert!(all.finish(&checks[0], finding).is_empty());
        let (passed, checks) = all.next().await;
        assert_eq!(passed, Duration::from_millis(2_001));
        assert!(checks[0].may_touch);
        assert!(all.finish(&checks[0], Finding::Unknown).is_empty());
        all.watches.remove(2);
        let (_, checks) = all.next().await;
        assert!(!checks[0].may_touch);
    }

    #[tokio::test(start_paused = true)]
    async fn checks_that_were_given_up_come_again() {
        let all = Registry::new();
        all.add(1, "a");
        let check = &all.take()[0];
        assert_eq!(all.watches.next_due(), Ok(None));
        all.watches.give_up(&[check.id]);
        assert_eq!(all.next().await.1.len(), 1);
    }

    /// docs/watching.md states the memory.
    #[test]
    fn a_watch_takes_little_memory() {
        assert!(size_of::<Session>() <= 160, "{}", size_of::<Session>());
    }
}
