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
use super::record_ref::RecordRef;
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

    /// Reads when each session was last written. Those that are gone are left out.
    async fn with_times(&self, found: Vec<Candidate>) -> Result<Vec<Candidate>> {
        let keys: Vec<_> = found
            .iter()
            .map(|one| self.sessions.layout.key_of(one.digest))
            .collect();
        let mut timed = Vec::with_capacity(found.len());
        for keys in keys.chunks(TOGETHER) {
            let (bins, deadline) = (&[CREATED, LOGIN, RENEWS], self.own.deadline);
            let add = |key: &aerospike::Key, record: &Record, updated| {
                timed.push(Candidate {
                    updated: Some(updated),
                    ..candidate(key.digest(), record)
                });
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
        RecordRef::untraced(self.sessions.layout.key_of(digest), self.own.deadline)
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
