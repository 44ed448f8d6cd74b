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

use futures::future::join_all;

use super::session_queue::Digest;
use crate::error::{Code, Error, Result};

/// How often a login looks again, because others changed sessions meanwhile.
const MAX_ROUNDS: usize = 64;
/// The number of records that are read or removed at once.
pub(super) const TOGETHER: usize = 100;
/// By how many milliseconds a login moves its session beyond the last use of all others, if those unused for longest are
/// removed. Within this time, others that are used do not overtake it. It exceeds the time that a login takes, and the
/// difference between the clocks of nodes.
const IDLE_LEAD_MS: i64 = 10_000;
const NANOS_PER_MS: i64 = 1_000_000;

/// A session of the user, as it was found.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) digest: Digest,
    pub(super) created: Option<i64>,
    pub(super) login: Option<i64>,
    /// When the record was last written, in nanoseconds since 1970, if that decides.
    pub(super) updated: Option<i64>,
    /// The session that this one continues under a new id. Until that one is gone, both are one session.
    pub(super) renews: Option<Digest>,
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

#[cfg(test)]
mod tests;
