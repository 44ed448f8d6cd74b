//! Logins of users who may have a limited number of sessions, and the rules for what is left of them.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;

use super::log::FIRST_LIMITED;
use super::random::Random;
use super::site::{PROCESSES, Site};
use crate::store::Evict;

/// The numbers of the sessions of one user.
const SESSIONS_OF_A_USER: usize = 100;

/// What became of logins.
#[derive(Clone, Copy, Default)]
struct Outcome {
    logins: usize,
    /// Whether all of them were acknowledged.
    are_acknowledged: bool,
}

impl Site {
    /// Simulates the logins of one user: several at once, and at the end one more.
    pub async fn log_in_often(&self, user: usize, mut random: Random) {
        let name = format!("user-{user}");
        let mut next = FIRST_LIMITED + user * SESSIONS_OF_A_USER;
        let mut all = Outcome {
            logins: 0,
            are_acknowledged: true,
        };
        while !self.is_over() {
            sleep(Duration::from_millis(random.between(1, 2_000))).await;
            let unenforced = self.unenforced.load(Ordering::Relaxed);
            let logins = (0..random.between(1, 6)).map(|_| {
                next += 1;
                self.log_in(next, &name, random.fork())
            });
            let outcomes = join_all(logins.collect::<Vec<_>>()).await;
            all.logins += outcomes.len();
            all.are_acknowledged &= outcomes.into_iter().all(|is_done| is_done);
            let is_enforced = unenforced == self.unenforced.load(Ordering::Relaxed);
            all.are_acknowledged &= is_enforced;
            if all.are_acknowledged {
                self.check_limit(&name, Some(all.logins));
            }
        }
        // Every fault is over by then.
        sleep(Duration::from_secs(10)).await;
        let unenforced = self.unenforced.load(Ordering::Relaxed);
        let is_done = self.log_in(next + 1, &name, random).await;
        if is_done && unenforced == self.unenforced.load(Ordering::Relaxed) {
            self.check_limit(&name, None);
            if self.load(0, next + 1).await.is_none() {
                self.broken("the session of the last login is gone", &name);
            }
        }
    }

    /// Logs in with a new session. Some visitors have had a session before. Returns whether the login was acknowledged.
    async fn log_in(&self, session: usize, user: &str, mut random: Random) -> bool {
        let process = random.below(PROCESSES as u64) as usize;
        sleep(Duration::from_millis(random.below(30))).await;
        let new = RefCell::new(self.new_session(process, session));
        if random.percent(30) {
            if !self.set(process, session, &new).await {
                return false;
            }
            sleep(Duration::from_millis(random.below(30))).await;
        }
        {
            let mut new = new.borrow_mut();
            new.user = Some(user.to_owned());
            new.now["login"] = serde_json::json!(self.value());
        }
        if !self.set(process, session, &new).await {
            return false;
        }
        // A later set of the same visitor is no login.
        if random.percent(30) {
            new.borrow_mut().now["later"] = serde_json::json!(self.value());
            self.set(process, session, &new).await;
        }
        true
    }

    /// Checks the sessions of a user while no login is pending. `logins`: the number of all logins, if all were
    /// acknowledged and limited.
    fn check_limit(&self, user: &str, logins: Option<usize>) {
        let (left, removed) = self.nodes.places_of(user);
        let limit = self.limit.limit;
        if left.len() > limit {
            let what = format!("{} sessions are left, and {limit} are allowed", left.len());
            self.broken(&what, user);
        }
        if let Some(logins) = logins
            && left.len() < limit.min(logins)
        {
            self.broken("too many sessions were removed", user);
        }
        if self.limit.evict == Evict::Oldest
            && let (Some(oldest), Some(newest)) = (left.iter().min(), removed.iter().max())
            && oldest < newest
        {
            self.broken(
                "a newer session was removed, and an older one is left",
                user,
            );
        }
    }

    fn broken(&self, what: &str, user: &str) {
        let violation = format!("{what}, of {user}, limit {:?}", self.limit);
        self.violations.borrow_mut().push(violation);
    }
}
