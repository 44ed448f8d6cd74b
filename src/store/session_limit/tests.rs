//! A model: logins at once on records in memory, which take turns in every possible order, or in many random ones.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::super::options::Evict;
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
            found.extend(of_node.map(|(digest, stored)| self.model.candidate(*digest, *stored)));
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
fn run(setting: &Setting, mut choose: impl FnMut(usize, Option<usize>) -> usize) -> Option<String> {
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
        let orders = every_order(&setting, usize::MAX).unwrap_or_else(|wrong| panic!("{wrong}"));
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
