//! The limit of sessions of one user (option `maxSessionsPerUser`).
//!
//! After the write that gives a session to a user, [`enforce`] finds the sessions of this user and removes those beyond
//! the limit. Logins may happen at once, in any number of processes, without a lock:
//!
//! - The sessions have one order, in which all logins agree: by a time that is stored in the record, then by digest. A
//!   stored time only grows.
//! - The query of a login begins after its write. So the login that writes last finds all sessions that are left.
//! - No login removes the session that it has just written. If it finds this session beyond the limit, it first
//!   moves the session up, before all others (bin `login`). That happens if the session was created long before its
//!   login, if clocks differ, or if sessions are created in the same millisecond.
//! - A removal compares the time with the one that was found. So a session that was moved up meanwhile stays, and the
//!   login looks again. Two logins that each find the other one beyond the limit never remove each other.
//!
//! Why no more than the limit are left once all logins are answered: consider the sessions that are left, and the login
//! among them that wrote a time last. Its next query finds all of them with their final times, and it removes all those
//! beyond the limit except its own. Its own is beyond the limit only if others moved up after the query before. They look
//! again after that, find this session, and remove it. Why the newest are left: a session is removed only after a query
//! has found as many newer ones as the limit allows.

use std::collections::HashMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};

use aerospike::expressions::{Expression, and, eq, int_bin, int_val, last_update, not};
use aerospike::{Bin, Bins, Expiration, Record, Value};
use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::baseline::BaselineMeta;
use super::bins::{CREATED, LOGIN, RENEWS, USER};
use super::expiry::{is_integer, now};
use super::notice::Notice;
use super::options::{Evict, SessionLimit};
use super::record_ref::{RecordRef, digest_of_text};
use super::request::Written;
use super::session_queue::Digest;
use super::sessions::Sessions;
use super::user_ops::owned_by;
use crate::cluster::scan::{Query, lacks_index};
use crate::cluster::{Command, Reply};
use crate::codec::keys::hex;
use crate::error::{Code, Error, Result};

/// How often a login looks again, because others changed sessions meanwhile.
const MAX_ROUNDS: usize = 64;
/// The number of sessions that one round handles.
const MAX_FOUND: usize = 10_000;
/// The number of records that are read or removed at once.
const TOGETHER: usize = 100;
/// By how many milliseconds a login moves its session beyond the last use of all others, if those unused for longest are
/// removed. Within this time, others that are used do not overtake it. It exceeds the time that a login takes, and the
/// difference between the clocks of nodes.
const IDLE_LEAD_MS: i64 = 10_000;
const NANOS_PER_MS: i64 = 1_000_000;

/// A session of the user, as it was found.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    digest: Digest,
    created: Option<i64>,
    login: Option<i64>,
    /// When the record was last written, in nanoseconds since 1970, if that decides.
    updated: Option<i64>,
    /// The session that this one continues under a new id. Until that one is gone, both are one session.
    renews: Option<Digest>,
}

impl Candidate {
    /// Returns the time that decides the order: milliseconds since 1970. A session without a time comes last.
    fn time(&self) -> i64 {
        let last = i64::MIN;
        match self.updated {
            None => self.login.or(self.created).unwrap_or(last),
            Some(updated) => (updated / NANOS_PER_MS).max(self.login.unwrap_or(last)),
        }
    }

    /// Returns a time for bin `login` of another session, with which that one comes before this one.
    fn earlier_place(&self) -> i64 {
        let after_login = self.time().saturating_add(1);
        match (self.updated, self.login) {
            (None, _) => after_login,
            (Some(updated), login) => (updated / NANOS_PER_MS)
                .saturating_add(IDLE_LEAD_MS)
                .max(login.map_or(i64::MIN, |login| login.saturating_add(1))),
        }
    }
}

/// The records of one user, in a cluster or in the model of the tests.
pub(super) trait UserRecords: Sync {
    /// Returns the sessions of the user, and whether these are all. If they are no more than the limit, `updated` may be
    /// missing.
    fn find(&self) -> impl Future<Output = Result<(Vec<Candidate>, bool)>> + Send;

    /// Writes bin `login` of the session that logs in. Returns whether it still exists.
    fn move_up(&self, login: i64) -> impl Future<Output = Result<bool>> + Send;

    /// Removes a session if its time is still the one that was found. Returns whether it was removed.
    fn remove(&self, session: &Candidate) -> impl Future<Output = Result<bool>> + Send;
}

/// A session, with the copy that continues it under a new id, if there is one.
struct Group {
    time: i64,
    digest: Digest,
    members: Vec<Candidate>,
}

impl Group {
    fn has(&self, digest: &Digest) -> bool {
        self.members.iter().any(|one| one.digest == *digest)
    }
}

/// Returns the sessions in their order, the newest first.
fn ordered(found: Vec<Candidate>) -> Vec<Group> {
    let (copies, originals): (Vec<_>, Vec<_>) = {
        let digests: std::collections::HashSet<Digest> =
            found.iter().map(|one| one.digest).collect();
        found.into_iter().partition(|one| {
            one.renews
                .is_some_and(|original| original != one.digest && digests.contains(&original))
        })
    };
    let mut groups: Vec<Group> = originals
        .into_iter()
        .map(|one| Group {
            time: one.time(),
            digest: one.digest,
            members: vec![one],
        })
        .collect();
    let places: HashMap<Digest, usize> = groups
        .iter()
        .enumerate()
        .map(|(place, group)| (group.digest, place))
        .collect();
    for copy in copies {
        let original = copy.renews.and_then(|original| places.get(&original));
        match original.and_then(|place| groups.get_mut(*place)) {
            Some(group) => {
                group.time = group.time.max(copy.time());
                group.members.push(copy);
            }
            // A copy of a copy, which no store writes.
            None => groups.push(Group {
                time: copy.time(),
                digest: copy.digest,
                members: vec![copy],
            }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse((group.time, group.digest)));
    groups
}

/// Removes the sessions of a user beyond the limit, but not `own`, which has just been written. Adds those that were
/// removed to `evicted`.
///
/// # Errors
///
/// The first failure. More sessions than the limit may be left then.
pub(super) async fn enforce(
    records: &impl UserRecords,
    own: &Digest,
    limit: usize,
    evicted: &mut Vec<Digest>,
) -> Result<()> {
    let mut has_moved_up = false;
    for _ in 0..MAX_ROUNDS {
        let (found, is_whole) = records.find().await?;
        if found.len() <= limit && is_whole {
            return Ok(());
        }
        let mut groups = ordered(found);
        let place = groups.iter().position(|group| group.has(own));
        if !has_moved_up && place.is_some_and(|place| place >= limit) {
            let all = groups.iter().flat_map(|group| &group.members);
            let login = all.map(Candidate::earlier_place).max().unwrap_or(0);
            if !records.move_up(login).await? {
                // Another login has removed it, or its user has logged out.
                return Ok(());
            }
            has_moved_up = true;
            continue;
        }
        let mut beyond = groups.split_off(limit.min(groups.len()));
        beyond.retain(|group| !group.has(own));
        let victims: Vec<Candidate> = beyond.into_iter().flat_map(|group| group.members).collect();
        let (mut all_removed, mut failure) = (true, None);
        for some in victims.chunks(TOGETHER) {
            let outcomes = join_all(some.iter().map(|victim| records.remove(victim))).await;
            for (victim, outcome) in some.iter().zip(outcomes) {
                match outcome {
                    Ok(true) => evicted.push(victim.digest),
                    Ok(false) => all_removed = false,
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        if all_removed && is_whole {
            return Ok(());
        }
    }
    Err(Error::new(
        Code::Conflict,
        "others changed the sessions of the user faster than they could be counted",
    ))
}

impl Sessions<'_> {
    /// Enforces the limit after the set that gave the session to `user`. A failure is reported by a notice.
    pub(super) async fn limit_sessions(
        &self,
        target: &RecordRef,
        user: &str,
        written: &mut Written,
    ) {
        let Some(SessionLimit { limit, evict }) = self.options().limit else {
            return;
        };
        let meta = written.meta.clone().unwrap_or_default();
        let Some(base) = BaselineMeta::parse(&meta) else {
            return;
        };
        // The session may have been set through an alias.
        let led = digest_of_text(base.target).map(|digest| target.to(self.layout.key_of(digest)));
        let target = led.as_ref().unwrap_or(target);
        let records = Records {
            sessions: self,
            own: target,
            created: base.created,
            generation: AtomicU32::new(base.generation),
            user: &self.layout.owner(user),
            limit,
            evict,
        };
        let mut evicted = Vec::new();
        let outcome = enforce(&records, &target.key.digest(), limit, &mut evicted).await;
        let generation = records.generation.load(Ordering::Relaxed);
        if generation != base.generation {
            written.meta = Some(BaselineMeta { generation, ..base }.to_string());
        }
        written.evicted = evicted.iter().map(|digest| hex(digest)).collect();
        if let Err(error) = outcome {
            (self.shared.notify)(Notice::LimitNotEnforced(error.message));
        }
    }
}

/// The records of one user in the cluster.
struct Records<'a> {
    sessions: &'a Sessions<'a>,
    /// The session that logs in.
    own: &'a RecordRef,
    created: Option<i64>,
    /// The generation of its record, if its baseline has one.
    generation: AtomicU32,
    /// The value of bin `user`.
    user: &'a str,
    limit: usize,
    evict: Evict,
}

impl Records<'_> {
    async fn query(&self, query: Query<'_>) -> Result<(Vec<Candidate>, bool)> {
        let (mut found, mut is_whole) = (Vec::new(), true);
        let query = Query {
            // With bin `user`, because a query leaves out records that have none of the bins.
            bins: Bins::Some([USER, CREATED, LOGIN, RENEWS].map(String::from).to_vec()),
            ..query
        };
        let cluster = &self.sessions.shared.cluster;
        let scan = cluster.scan(query, |record| {
            let digest = record.key.as_ref().map(aerospike::Key::digest);
            found.extend(digest.map(|digest| candidate(digest, &record)));
            is_whole = found.len() < MAX_FOUND;
            Ok(match is_whole {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        });
        // A scan has no deadline of its own. It only reads, so it may be given up at any time.
        let outcome = timeout_at(self.own.deadline, scan).await;
        outcome.unwrap_or_else(|_| Err(cluster.late()))?;
        Ok((found, is_whole))
    }

    /// Reads when each session was last written. Those that are gone are left out, and so are those that no longer belong to
    /// the user: a tombstone has been written last, but is no session.
    async fn with_times(&self, found: Vec<Candidate>) -> Result<Vec<Candidate>> {
        let keys: Vec<_> = found
            .iter()
            .map(|one| self.sessions.layout.key_of(one.digest))
            .collect();
        let mut timed = Vec::with_capacity(found.len());
        for keys in keys.chunks(TOGETHER) {
            let (bins, deadline) = (&[USER, CREATED, LOGIN, RENEWS], self.own.deadline);
            let add = |key: &aerospike::Key, record: &Record, updated| {
                if matches!(record.bins.get(USER), Some(Value::String(user)) if user == self.user) {
                    timed.push(Candidate {
                        updated: Some(updated),
                        ..candidate(key.digest(), record)
                    });
                }
            };
            self.sessions
                .read_with_time(keys, bins, deadline, add)
                .await?;
        }
        Ok(timed)
    }

    /// Passes a session of this user whose time is still the one that was found.
    fn is_unchanged(&self, session: &Candidate) -> Expression {
        let is_same = |bin: &str, found: Option<i64>| match found {
            Some(time) => eq(int_bin(bin), int_val(time)),
            None => not(is_integer(bin)),
        };
        let mut all = vec![
            self.sessions.filters.in_this_view(),
            owned_by(self.user),
            is_same(CREATED, session.created),
            is_same(LOGIN, session.login),
        ];
        all.extend(
            session
                .updated
                .map(|updated| eq(last_update(), int_val(updated))),
        );
        and(all)
    }

    fn reference(&self, digest: Digest) -> RecordRef {
        RecordRef {
            trace: self.own.trace.clone(),
            ..RecordRef::untraced(self.sessions.layout.key_of(digest), self.own.deadline)
        }
    }

    fn check_deadline(&self) -> Result<()> {
        match Instant::now() < self.own.deadline {
            true => Ok(()),
            false => Err(self.sessions.shared.cluster.late()),
        }
    }
}

impl UserRecords for Records<'_> {
    async fn find(&self) -> Result<(Vec<Candidate>, bool)> {
        self.check_deadline()?;
        let sessions = self.sessions;
        let (found, is_whole) = match self.query(sessions.index_query(self.user)).await {
            Err(error) if lacks_index(&error) => {
                sessions.request_user_index();
                self.query(sessions.scan_query(self.user)).await
            }
            outcome => outcome,
        }?;
        match self.evict {
            Evict::Idle if found.len() > self.limit => {
                Ok((self.with_times(found).await?, is_whole))
            }
            _ => Ok((found, is_whole)),
        }
    }

    async fn move_up(&self, login: i64) -> Result<bool> {
        let is_own =
            self.sessions
                .filters
                .same_and_alive(self.sessions.layout, self.created, now());
        let command = Command::Change {
            operations: vec![],
            size: 0,
            bins: vec![Bin::new(LOGIN, Value::Int(login))],
            ttl: Expiration::DontUpdate,
            only_if: and(vec![is_own, owned_by(self.user)]),
            generation: None,
        };
        let own = self.reference(self.own.key.digest());
        let reply = self.sessions.execute(&own, &command).await?;
        if let Reply::Record(record) = &reply {
            // The next generation belongs to the known data only if nobody else wrote in between.
            let known = self.generation.load(Ordering::Relaxed);
            if known > 0 && known.checked_add(1) == Some(record.generation) {
                self.generation.store(record.generation, Ordering::Relaxed);
            }
        }
        Ok(!matches!(reply, Reply::Missing))
    }

    async fn remove(&self, session: &Candidate) -> Result<bool> {
        let victim = self.reference(session.digest);
        let only_if = self.is_unchanged(session);
        self.sessions.remove_one(&victim, Some(&only_if)).await
    }
}

/// Returns a session from the bins of its record.
fn candidate(digest: Digest, record: &Record) -> Candidate {
    let integer = |bin: &str| match record.bins.get(bin) {
        Some(Value::Int(value)) => Some(*value),
        _ => None,
    };
    Candidate {
        digest,
        created: integer(CREATED),
        login: integer(LOGIN),
        updated: None,
        renews: match record.bins.get(RENEWS) {
            Some(Value::Blob(digest)) => digest.as_slice().try_into().ok(),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    //! A model: logins at once on records in memory, which take turns in every possible order, or in many random ones.

    use std::collections::BTreeMap;
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::sync::{Mutex, MutexGuard};
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::simulation::random::Random;

    /// A deliberate mistake, which the model has to find.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Mistake {
        None,
        EvictsBeforeTheWrite,
        DoesNotMoveUp,
        RemovesWhatHasChanged,
        DoesNotLookAgain,
    }

    #[derive(Clone, Copy)]
    struct Stored {
        created: i64,
        login: Option<i64>,
        /// Milliseconds since 1970.
        updated: i64,
        renews: Option<Digest>,
    }

    struct Setting {
        limit: usize,
        evict: Evict,
        mistake: Mistake,
        /// When each session was created that logs in.
        logins: Vec<i64>,
        /// When each session was created that had logged in before.
        earlier: Vec<i64>,
        /// The number of nodes. A query reads one after the other.
        nodes: u8,
        /// The number of times that the earlier sessions are used meanwhile.
        uses: usize,
        /// Whether writes are carried out twice.
        repeats: bool,
    }

    impl Default for Setting {
        fn default() -> Setting {
            Setting {
                limit: 1,
                evict: Evict::Oldest,
                mistake: Mistake::None,
                logins: Vec::new(),
                earlier: Vec::new(),
                nodes: 1,
                uses: 0,
                repeats: false,
            }
        }
    }

    #[derive(Default)]
    struct State {
        records: BTreeMap<Digest, Stored>,
        /// The time and digest of each removed session, as they were then.
        removed: Vec<(i64, Digest)>,
        clock: i64,
        may_act: bool,
    }

    struct Model<'a> {
        setting: &'a Setting,
        state: Mutex<State>,
    }

    fn digest(number: usize) -> Digest {
        [u8::try_from(number).expect("a small number"); 20]
    }

    impl Model<'_> {
        fn state(&self) -> MutexGuard<'_, State> {
            self.state.lock().expect("no panic under the lock")
        }

        /// Waits for a turn: for one operation on the records.
        async fn turn(&self) {
            poll_fn(|_| match std::mem::take(&mut self.state().may_act) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            self.state().clock += 1;
        }

        fn put(&self, digest: Digest, created: i64) {
            let mut state = self.state();
            let updated = state.clock;
            state.records.insert(
                digest,
                Stored {
                    created,
                    login: None,
                    updated,
                    renews: None,
                },
            );
        }

        fn candidate(&self, digest: Digest, stored: Stored) -> Candidate {
            Candidate {
                digest,
                created: Some(stored.created),
                login: stored.login,
                updated: match self.setting.evict {
                    Evict::Oldest => None,
                    Evict::Idle => Some(stored.updated * NANOS_PER_MS),
                },
                renews: stored.renews,
            }
        }

        async fn log_in(&self, own: Digest, created: i64) -> Result<()> {
            let records = OfUser { model: self, own };
            if self.setting.mistake != Mistake::EvictsBeforeTheWrite {
                self.turn().await;
                self.put(own, created);
            }
            let outcome = enforce(&records, &own, self.setting.limit, &mut Vec::new()).await;
            if self.setting.mistake == Mistake::EvictsBeforeTheWrite {
                self.turn().await;
                self.put(own, created);
            }
            outcome
        }

        async fn use_earlier(&self) -> Result<()> {
            for n in 0..self.setting.uses {
                self.turn().await;
                let mut state = self.state();
                let clock = state.clock;
                let used = digest(100 + n % self.setting.earlier.len());
                if let Some(stored) = state.records.get_mut(&used) {
                    stored.updated = clock;
                }
            }
            Ok(())
        }
    }

    struct OfUser<'a> {
        model: &'a Model<'a>,
        own: Digest,
    }

    impl OfUser<'_> {
        fn times(&self) -> usize {
            1 + usize::from(self.model.setting.repeats)
        }
    }

    impl UserRecords for OfUser<'_> {
        async fn find(&self) -> Result<(Vec<Candidate>, bool)> {
            let mut found = Vec::new();
            for node in 0..self.model.setting.nodes {
                self.model.turn().await;
                let state = self.model.state();
                let of_node = state
                    .records
                    .iter()
                    .filter(|(digest, _)| digest[0] % self.model.setting.nodes == node);
                found
                    .extend(of_node.map(|(digest, stored)| self.model.candidate(*digest, *stored)));
            }
            Ok((found, true))
        }

        async fn move_up(&self, login: i64) -> Result<bool> {
            let mut exists = false;
            for _ in 0..self.times() {
                self.model.turn().await;
                let mut state = self.model.state();
                let clock = state.clock;
                let stored = state.records.get_mut(&self.own);
                exists = stored.is_some();
                if let Some(stored) = stored
                    && self.model.setting.mistake != Mistake::DoesNotMoveUp
                {
                    stored.login = Some(login);
                    stored.updated = clock;
                }
            }
            Ok(exists)
        }

        async fn remove(&self, session: &Candidate) -> Result<bool> {
            let mut is_removed = false;
            for _ in 0..self.times() {
                self.model.turn().await;
                let mut state = self.model.state();
                is_removed = false;
                let Some(stored) = state.records.get(&session.digest) else {
                    continue;
                };
                let now = self.model.candidate(session.digest, *stored);
                let is_same = (now.created, now.login, now.updated)
                    == (session.created, session.login, session.updated);
                if is_same || self.model.setting.mistake == Mistake::RemovesWhatHasChanged {
                    state.records.remove(&session.digest);
                    state.removed.push((now.time(), now.digest));
                    is_removed = true;
                }
            }
            Ok(is_removed || self.model.setting.mistake == Mistake::DoesNotLookAgain)
        }
    }

    /// Runs all logins, one operation at a time. `choose` returns which of the tasks that have not ended is next: it gets
    /// their number, and the one that had the last turn. Returns what is wrong afterwards.
    fn run(
        setting: &Setting,
        mut choose: impl FnMut(usize, Option<usize>) -> usize,
    ) -> Option<String> {
        let model = Model {
            setting,
            state: Mutex::default(),
        };
        for (n, created) in setting.earlier.iter().enumerate() {
            model.state().clock += 1;
            model.put(digest(100 + n), *created);
        }
        type Task<'t> = Pin<Box<dyn Future<Output = Result<()>> + 't>>;
        let logins = setting.logins.iter().enumerate();
        let mut tasks: Vec<Task<'_>> = logins
            .map(|(n, created)| Box::pin(model.log_in(digest(n + 1), *created)) as Task<'_>)
            .collect();
        if setting.uses > 0 {
            tasks.push(Box::pin(model.use_earlier()));
        }
        let mut context = Context::from_waker(Waker::noop());
        // The first poll of a task leads to its first turn.
        tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
        let mut last = None;
        while !tasks.is_empty() {
            let next = choose(tasks.len(), last);
            last = Some(next);
            model.state().may_act = true;
            let polled = tasks[next].as_mut().poll(&mut context);
            if let Poll::Ready(outcome) = polled {
                drop(tasks.remove(next));
                last = None;
                if let Err(error) = outcome {
                    return Some(error.message);
                }
            }
        }
        drop(tasks);
        let state = model.state();
        let all = setting.logins.len() + setting.earlier.len();
        if state.records.len() != setting.limit.min(all) {
            return Some(format!("{} sessions are left", state.records.len()));
        }
        let left = state.records.iter();
        let oldest_left = left
            .map(|(digest, stored)| (model.candidate(*digest, *stored).time(), *digest))
            .min();
        let newest_removed = state.removed.iter().max();
        match (oldest_left, newest_removed) {
            (Some(left), Some(removed)) if left < *removed => {
                Some(format!("{removed:?} was removed, and {left:?} is left"))
            }
            _ => None,
        }
    }

    /// Runs every possible order of turns in which a login is interrupted by others at most `interruptions` times in all.
    /// Returns their number, or what is wrong after one of them.
    fn every_order(setting: &Setting, interruptions: usize) -> Result<usize, String> {
        let mut orders = 0;
        // Each choice, and how many there were. Choice 0 goes on with the last task.
        let mut script: Vec<(usize, usize)> = Vec::new();
        loop {
            let (mut place, mut left) = (0, interruptions);
            let wrong = run(setting, |tasks, last| {
                if place == script.len() {
                    let is_fixed = last.is_some() && left == 0;
                    script.push((0, if is_fixed { 1 } else { tasks }));
                }
                let choice = script[place].0;
                place += 1;
                left -= usize::from(last.is_some() && choice > 0);
                (last.unwrap_or(0) + choice) % tasks
            });
            if let Some(wrong) = wrong {
                return Err(format!("{wrong}, after {script:?}"));
            }
            orders += 1;
            while script
                .last()
                .is_some_and(|(choice, count)| choice + 1 == *count)
            {
                script.pop();
            }
            match script.last_mut() {
                Some((choice, _)) => *choice += 1,
                None => return Ok(orders),
            }
        }
    }

    fn random_orders(setting: &Setting, count: u64) -> Result<(), String> {
        for seed in 0..count {
            let mut random = Random::new(seed);
            let wrong = run(setting, |tasks, _| {
                usize::try_from(random.below(tasks as u64)).expect("a small number")
            });
            if let Some(wrong) = wrong {
                return Err(format!("{wrong}, seed {seed}"));
            }
        }
        Ok(())
    }

    /// Returns the settings of `count` logins at once, beside sessions that exist, and with some of them only.
    fn settings(count: usize) -> Vec<Setting> {
        let mut settings = Vec::new();
        for evict in [Evict::Oldest, Evict::Idle] {
            // Created at once; in the order of the digests; in the other order; long before, as of a visitor without a login.
            for logins in [[50, 50, 50], [50, 51, 52], [52, 51, 50], [5, 50, 6]] {
                for earlier in [vec![], vec![20, 10]] {
                    for limit in [1, 2] {
                        settings.push(Setting {
                            limit,
                            evict,
                            logins: logins.iter().copied().take(count).collect(),
                            earlier: earlier.clone(),
                            ..Setting::default()
                        });
                    }
                }
            }
        }
        settings
    }

    #[test]
    fn of_two_logins_at_once_the_newest_are_left_in_every_order() {
        for setting in settings(2) {
            let orders =
                every_order(&setting, usize::MAX).unwrap_or_else(|wrong| panic!("{wrong}"));
            assert!(orders >= 6, "{orders}");
        }
    }

    #[test]
    fn of_three_logins_at_once_the_newest_are_left_in_every_order_with_few_interruptions() {
        let mut orders = 0;
        for setting in settings(3) {
            orders += every_order(&setting, 3).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
        assert!(orders > 10_000, "{orders}");
    }

    /// Logins whose queries read two nodes after each other, whose writes are carried out twice, and beside which other
    /// sessions are used.
    fn busy(setting: Setting) -> Setting {
        let logins = [&setting.logins[..], &[50, 49]].concat();
        let earlier = match setting.earlier.is_empty() {
            true => vec![30],
            false => setting.earlier,
        };
        Setting {
            logins,
            earlier,
            nodes: 2,
            uses: 20,
            repeats: true,
            ..setting
        }
    }

    #[test]
    fn of_many_logins_at_once_the_newest_are_left_in_random_orders() {
        for setting in settings(3).into_iter().map(busy) {
            random_orders(&setting, 300).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
    }

    #[test]
    fn the_model_finds_mistakes() {
        for mistake in [
            Mistake::EvictsBeforeTheWrite,
            Mistake::DoesNotMoveUp,
            Mistake::RemovesWhatHasChanged,
            Mistake::DoesNotLookAgain,
        ] {
            let is_found = settings(3).into_iter().any(|setting| {
                let setting = Setting { mistake, ..setting };
                every_order(&setting, 3).is_err()
            });
            assert!(is_found, "{mistake:?}");
        }
    }

    fn found(number: usize, created: i64, renews: Option<usize>) -> Candidate {
        Candidate {
            digest: digest(number),
            created: Some(created),
            login: None,
            updated: None,
            renews: renews.map(digest),
        }
    }

    #[test]
    fn a_session_and_its_copy_under_a_new_id_are_one() {
        let groups = ordered(vec![
            found(1, 10, None),
            found(2, 10, Some(1)),
            found(3, 20, None),
            // What it continues is gone.
            found(4, 5, Some(9)),
            // No store writes these.
            found(5, 1, Some(5)),
            found(6, 2, Some(7)),
            found(7, 3, Some(6)),
        ]);
        let numbers =
            |group: &Group| -> Vec<u8> { group.members.iter().map(|one| one.digest[0]).collect() };
        let all: Vec<_> = groups.iter().map(numbers).collect();
        assert_eq!(
            all,
            [vec![3], vec![1, 2], vec![4], vec![7], vec![6], vec![5]]
        );
    }

    #[test]
    fn a_session_without_a_time_comes_last() {
        let untimed = Candidate {
            created: None,
            ..found(9, 0, None)
        };
        let groups = ordered(vec![untimed, found(1, -5, None)]);
        assert_eq!(groups.last().map(|group| group.digest), Some(digest(9)));
    }
}
