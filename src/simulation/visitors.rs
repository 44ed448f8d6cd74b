//! The behaviour of the visitors of a site, and of its programs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::{sleep, sleep_until};

use super::loaded::Loaded;
use super::log::{COOKIE, Data, Effect, FIRST_RENEWED, FIRST_RUSHED, FIRST_SHORT_LIVED};
use super::nodes::FaultPeriod;
use super::random::Random;
use super::setting::{TTL, WATCH_INTERVAL};
use super::site::{PROCESSES, Site, id};
use crate::clock;
use crate::store::SessionOp;

/// How long short-lived sessions are used.
const SHORT_LIVED_DURATION: Duration = Duration::from_secs(90);
/// By how many milliseconds a session that reads extend may end earlier than the percentage says. The reasons: an expiry that moved by at
/// most 2 seconds is not written, the server counts whole seconds, and the two clocks differ.
const TOLERANCE: u64 = 4_500;
/// How often it is checked whether a watch has ended.
const WATCH_STEP: Duration = Duration::from_millis(25);

impl Site {
    /// Simulates the requests of one visitor, who has keys of his own in the sessions and shares one key with the others.
    pub async fn visit(&self, visitor: usize, mut random: Random) {
        while !self.is_over() {
            pause(&mut random, 400).await;
            let process = random.below(PROCESSES as u64) as usize;
            let session = random.below(self.sessions) as usize;
            let Some(loaded) = self.load(process, session).await else {
                // Logs in.
                if random.percent(60) {
                    let new = RefCell::new(self.new_session(process, session));
                    self.change(visitor, &new, &mut random);
                    self.set(process, session, &new).await;
                    if random.percent(60) {
                        // Some logins save the session, and change it once more.
                        self.change(visitor, &new, &mut random);
                        self.set(process, session, &new).await;
                    }
                }
                continue;
            };
            let loaded = RefCell::new(loaded);
            match random.below(10) {
                0 => {
                    let what = match random.percent(50) {
                        true => SessionOp::Destroy,
                        false => SessionOp::Delete,
                    };
                    let _ = self.ask(process, session, Effect::Removal, what).await;
                }
                1..=3 => {
                    self.touch(process, session, &loaded).await;
                }
                4 | 5 => {
                    // Saves and touches that are not awaited, and the save at the end of the response.
                    let mut later = 0;
                    let calls = (0..=random.between(1, 3)).map(|_| {
                        later += [0, random.below(15)][random.below(2) as usize];
                        let (later, mut random, loaded) = (later, random.fork(), &loaded);
                        async move {
                            sleep(Duration::from_millis(later)).await;
                            self.change(visitor, loaded, &mut random);
                            match random.percent(50) {
                                true => self.set(process, session, loaded).await,
                                false => self.touch(process, session, loaded).await,
                            };
                        }
                    });
                    join_all(calls.collect::<Vec<_>>()).await;
                }
                _ => {
                    pause(&mut random, 200).await;
                    for _ in 0..=random.below(2) {
                        self.change(visitor, &loaded, &mut random);
                        self.set(process, session, &loaded).await;
                        if random.percent(50) {
                            self.touch(process, session, &loaded).await;
                        }
                    }
                }
            }
        }
    }

    /// Simulates a visitor of a session that he and others renew. `ids`: the ids that the session has had. All of them lead to it until
    /// somebody logs out, and then to nothing. Then the visitors use another session.
    pub async fn use_renewed(
        &self,
        visitor: usize,
        ids: &RefCell<Vec<Vec<String>>>,
        mut random: Random,
    ) {
        while !self.is_over() {
            pause(&mut random, 200).await;
            let process = random.below(PROCESSES as u64) as usize;
            let number = ids.borrow().len();
            let session = FIRST_RENEWED + number.saturating_sub(1);
            if session + 1 >= FIRST_SHORT_LIVED {
                return;
            }
            let known = ids.borrow().last().cloned().unwrap_or_default();
            if known.is_empty() {
                let session = FIRST_RENEWED + number;
                ids.borrow_mut().push(vec![id(session)]);
                let new = RefCell::new(self.new_session(process, session));
                self.change(visitor, &new, &mut random);
                self.set(process, session, &new).await;
                continue;
            }
            let id = known[random.below(known.len() as u64) as usize].clone();
            let Ok(Some(loaded)) = self.read_as(process, session, id.clone()).await else {
                continue;
            };
            let mut loaded = RefCell::new(loaded);
            pause(&mut random, 100).await;
            match random.below(12) {
                0 => {
                    // The next visitor begins another session.
                    let is_current = ids.borrow().len() == number;
                    if is_current {
                        ids.borrow_mut().push(Vec::new());
                    }
                    let what = match random.percent(50) {
                        true => SessionOp::Destroy,
                        false => SessionOp::Delete,
                    };
                    let _ = self
                        .ask_as(process, session, id, Effect::Removal, what)
                        .await;
                    continue;
                }
                1..=4 => {
                    if random.percent(60) {
                        self.change(visitor, &loaded, &mut random);
                    }
                    if let Some(renewed) = self.renew(process, session, &loaded).await {
                        ids.borrow_mut()[number - 1].push(renewed.id.clone());
                        loaded = RefCell::new(renewed);
                    }
                }
                _ => {}
            }
            match random.below(3) {
                0 => drop(self.touch(process, session, &loaded).await),
                _ => {
                    self.change(visitor, &loaded, &mut random);
                    self.set(process, session, &loaded).await;
                }
            }
        }
    }

    /// Simulates many visitors at once while the node of their sessions is silent or slow. Some operations wait for others of the same
    /// session. So first attempts, repetitions and operations close to their deadline wait for the node together.
    pub async fn rush(&self, period: &FaultPeriod, mut random: Random) {
        let ms = Duration::from_millis;
        let process = random.below(PROCESSES as u64) as usize;
        let (_, view) = &self.stores[process];
        let is_on_node =
            |session: &usize| self.nodes.master(&view.key(&id(*session))) == period.node;
        let sessions = (FIRST_RUSHED..FIRST_RENEWED).filter(is_on_node);
        let duration = (period.until - period.from).min(self.timeout);
        let duration = u64::try_from(duration.as_millis()).expect("a short period");
        let visits = sessions
            .take(random.between(6, 12) as usize)
            .map(|session| {
                let mut random = random.fork();
                async move {
                    sleep_until(self.started + period.from.saturating_sub(ms(200))).await;
                    let loaded = RefCell::new(self.new_session(process, session));
                    self.change(session, &loaded, &mut random);
                    self.set(process, session, &loaded).await;
                    if loaded.borrow().head.is_none() {
                        return;
                    }
                    let calls = (0..=random.below(3)).map(|_| {
                        let at = period.from + ms(random.below(duration));
                        let (mut random, loaded) = (random.fork(), &loaded);
                        async move {
                            sleep_until(self.started + at).await;
                            self.change(session, loaded, &mut random);
                            match random.percent(60) {
                                true => self.set(process, session, loaded).await,
                                false => self.touch(process, session, loaded).await,
                            };
                        }
                    });
                    join_all(calls.collect::<Vec<_>>()).await;
                }
            });
        join_all(visits.collect::<Vec<_>>()).await;
    }

    /// Changes some keys of a session object, and sometimes its cookie.
    fn change(&self, visitor: usize, loaded: &RefCell<Loaded>, random: &mut Random) {
        let now = &mut loaded.borrow_mut().now;
        for _ in 0..=random.below(2) {
            let key = match random.below(5) {
                0 => "shared".to_owned(),
                number => format!("v{visitor}k{number}"),
            };
            let Some(object) = now.as_object_mut() else {
                return;
            };
            match random.percent(15) {
                true => object.remove(&key),
                false => object.insert(key, json!(self.value())),
            };
        }
        if random.percent(25) {
            now[COOKIE][COOKIE] = json!(self.value());
        }
    }

    /// Simulates two programs. One reads a session and stores the whole session again, as with any other store. The other uses the
    /// operations of Aerospike's session-store recipe.
    pub async fn administer(&self, mut random: Random) {
        while !self.is_over() {
            pause(&mut random, 2_500).await;
            let process = random.below(PROCESSES as u64) as usize;
            let session = random.below(self.sessions) as usize;
            match random.below(3) {
                0 => {
                    let data = Data::from([("saved".to_owned(), self.value())]);
                    let what = SessionOp::Save {
                        json: json!(data).to_string(),
                        expires: clock::now() + TTL,
                    };
                    let _ = self.ask(process, session, Effect::Whole(data), what).await;
                }
                _ => {
                    let Some(mut loaded) = self.load(process, session).await else {
                        continue;
                    };
                    loaded.head = None;
                    loaded.now["notice"] = json!(self.value());
                    self.set(process, session, &RefCell::new(loaded)).await;
                }
            }
        }
    }

    /// Simulates a visitor whose session lives for some seconds and is extended when it is read. Checks that a used session continues, and an
    /// unused one ends.
    pub async fn keep(&self, session: usize, percent: u8, mut random: Random) {
        let life = random.between(15_000, 25_000);
        let ms = Duration::from_millis;
        let least = ms((life * u64::from(percent) / 100).saturating_sub(TOLERANCE));
        // When the last successful use began, and when the last use ended.
        let (mut used, mut tried) = (None, Duration::ZERO);
        while self.started.elapsed() < SHORT_LIVED_DURATION {
            let process = random.below(PROCESSES as u64) as usize;
            let at = match random.percent(80) {
                true => {
                    used.unwrap_or_default() + least.mul_f64(random.between(10, 100) as f64 / 100.0)
                }
                false => tried + ms(life) + ms(random.between(1_000, 3_000)),
            };
            sleep_until(self.started + at).await;
            let start = self.started.elapsed();
            let loaded = self.read(process, session).await;
            let is_late = start >= tried + ms(life + 1_000);
            tried = self.started.elapsed();
            let mut loaded = match loaded {
                Err(_) => continue,
                Ok(Some(loaded)) => {
                    if is_late {
                        self.report("went on although it was not used", session, start, used);
                    }
                    loaded
                }
                Ok(None) => {
                    if used.is_some_and(|used: Duration| tried <= used + least) {
                        self.report("ended although it was used", session, start, used);
                    }
                    self.new_session(process, session)
                }
            };
            loaded.life = i64::try_from(life).expect("a short life");
            let loaded = RefCell::new(loaded);
            let is_new = loaded.borrow().head.is_none();
            let is_done = match is_new {
                true => self.set(process, session, &loaded).await,
                false => self.touch(process, session, &loaded).await,
            };
            tried = self.started.elapsed();
            if is_done {
                used = Some(start);
            }
        }
    }

    fn report(&self, what: &str, session: usize, start: Duration, used: Option<Duration>) {
        let violation = format!("session {session} {what}: read at {start:?}, used at {used:?}");
        self.violations.borrow_mut().push(violation);
    }

    /// Watches a session, as a web socket does. Checks that the watch ends if the session does, and not otherwise.
    pub async fn watch(&self, mut random: Random) {
        let has_answers = !self.nodes.has_no_read_limit();
        while !self.is_over() {
            pause(&mut random, 300).await;
            let process = random.below(PROCESSES as u64) as usize;
            let session = random.below(self.sessions) as usize;
            let (store, view) = &self.stores[process];
            let key = view.key(&id(session));
            let node = self.nodes.master(&key);
            let Some(created) = self.nodes.created(&key) else {
                continue;
            };
            let number = self.value().unsigned_abs();
            store.watch(view, number, &id(session), random.percent(30));
            let until = self.started.elapsed() + Duration::from_millis(random.between(500, 4_000));
            // Since when there has been no session, and its node has answered.
            let mut missing_since = None;
            loop {
                sleep(WATCH_STEP).await;
                let now = self.started.elapsed();
                let is_reported = |ended: &BTreeSet<_>| ended.contains(&(process, number));
                let has_ended = is_reported(&self.ended.lock().expect("watches"));
                let found = self.nodes.created(&key);
                if has_ended {
                    if !self.nodes.was_removed(&key, created) {
                        self.report("was not removed, and its watch ended", session, now, None);
                    }
                    break;
                }
                missing_since = match found {
                    None if self.nodes.answers(node) => missing_since.or(Some(now)),
                    _ => None,
                };
                let limit = WATCH_INTERVAL + self.timeout;
                if has_answers && missing_since.is_some_and(|since| now - since > limit) {
                    self.report(
                        "is gone, and its watch goes on",
                        session,
                        now,
                        missing_since,
                    );
                    break;
                }
                if now > until && missing_since.is_none() {
                    break;
                }
            }
            store.unwatch(number);
        }
    }

    /// Reads several sessions at once.
    pub async fn read_many(&self, mut random: Random) {
        while !self.is_over() {
            pause(&mut random, 150).await;
            let process = random.below(PROCESSES as u64) as usize;
            let reads = (0..=random.below(3)).map(|_| {
                let session = random.below(self.sessions) as usize;
                let later = Duration::from_millis(random.below(400));
                async move {
                    sleep(later).await;
                    let _ = self
                        .ask(process, session, Effect::None, SessionOp::Get)
                        .await;
                }
            });
            join_all(reads.collect::<Vec<_>>()).await;
        }
    }
}

async fn pause(random: &mut Random, longest: u64) {
    sleep(Duration::from_millis(random.between(1, longest))).await;
}
