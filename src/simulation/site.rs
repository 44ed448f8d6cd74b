//! A site with several stores, and the operations of these stores.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answers::{Learned, Reply, kind};
use super::loaded::Loaded;
use super::log::{
    Answer, COOKIE, Effect, FIRST_LIMITED, FIRST_RENEWED, FIRST_SHORT_LIVED, Operation, data,
};
use super::nodes::Nodes;
use super::random::Random;
use super::setting::{NODES, Setting, TTL};
use crate::bulk_runtime::Bulk;
use crate::clock;
use crate::cluster::credentials::Auth;
use crate::cluster::trace::Trace;
use crate::cluster::{Cluster, Host, Options as ClusterOptions, Transport};
use crate::error::Error;
use crate::store::baseline::Baseline;
use crate::store::request::Kind;
use crate::store::{
    self, Ended, Evict, Notice, Output, SessionLimit, SessionName, SessionOp, Store, View, Writer,
};

/// When histories begin, in milliseconds since 1970.
pub const START_MS: i64 = 1_780_000_000_000;
/// How long visitors use the site. After that, pending operations end.
pub const DURATION: Duration = Duration::from_millis(7_000);
/// The number of processes. Each has a store.
pub const PROCESSES: usize = 2;

pub struct Site {
    pub nodes: Arc<Nodes>,
    pub learned: Arc<Mutex<Learned>>,
    pub started: Instant,
    pub stores: Vec<(Store<Reply>, Arc<View>)>,
    /// A view with a limit of sessions, of each process.
    pub limited: Vec<Arc<View>>,
    pub limit: SessionLimit,
    /// How often a store has reported that a limit could not be enforced.
    pub unenforced: Arc<AtomicUsize>,
    pub sessions: u64,
    pub timeout: Duration,
    pub log: Arc<Mutex<Vec<Operation>>>,
    /// The trace of each operation. Its address identifies the operation, so it is kept until the end of the history.
    pub traces: Mutex<Vec<Arc<Trace>>>,
    pub values: Mutex<i64>,
    /// The watches that were reported as ended, by process and number.
    pub ended: Arc<Mutex<BTreeSet<(usize, u64)>>>,
    /// The violations found during the history.
    pub violations: RefCell<Vec<String>>,
}

impl Site {
    pub fn open(setting: &Setting, random: &mut Random) -> Site {
        let nodes = Nodes::new(
            NODES,
            setting.faults.clone(),
            setting.refuses_ttl,
            START_MS,
            random.fork(),
        );
        let unenforced: Arc<AtomicUsize> = Arc::default();
        let limit = SessionLimit {
            limit: random.between(1, 3) as usize,
            evict: match random.percent(60) {
                true => Evict::Oldest,
                false => Evict::Idle,
            },
        };
        let limited = store::Options {
            limit: Some(limit),
            ..setting.options.clone()
        };
        let ended: Arc<Mutex<BTreeSet<(usize, u64)>>> = Arc::default();
        let open = |process| {
            let options = ClusterOptions {
                hosts: vec![Host {
                    name: "simulated".into(),
                    port: 3_000,
                    tls_name: None,
                }],
                auth: Auth::None,
                tls: None,
                timeout: setting.timeout,
                connect_timeout: setting.timeout,
                max_conns_per_node: 100,
                cluster_name: None,
                services_alternate: false,
                rack_ids: Vec::new(),
            };
            let transport = Transport::Simulated(nodes.clone());
            let cluster = Cluster::simulated(options, transport, &nodes.masters());
            let (unenforced, ended) = (unenforced.clone(), ended.clone());
            let notify = move |notice: Notice| match notice {
                Notice::LimitNotEnforced(_) => {
                    unenforced.fetch_add(1, Ordering::Relaxed);
                }
                Notice::Ended(Ended { gone, expired }) => {
                    let numbers = gone.into_iter().chain(expired);
                    let mut ended = ended.lock().expect("watches");
                    ended.extend(numbers.map(|number| (process, number)));
                }
                _ => {}
            };
            let store = Store::on(cluster, Bulk::default(), 10_000, notify);
            (store, View::new(setting.options.clone()))
        };
        Site {
            stores: (0..PROCESSES).map(open).collect(),
            limited: (0..PROCESSES).map(|_| View::new(limited.clone())).collect(),
            limit,
            unenforced,
            nodes,
            learned: Arc::default(),
            started: Instant::now(),
            sessions: setting.sessions as u64,
            timeout: setting.timeout,
            log: Arc::default(),
            traces: Mutex::default(),
            values: Mutex::new(0),
            violations: RefCell::default(),
            ended: ended.clone(),
        }
    }

    pub fn log(&self) -> MutexGuard<'_, Vec<Operation>> {
        self.log.lock().expect("a log")
    }

    /// Returns a value that was not written before.
    pub fn value(&self) -> i64 {
        let mut values = self.values.lock().expect("a number");
        *values += 1;
        *values
    }

    pub fn is_over(&self) -> bool {
        self.started.elapsed() >= DURATION
    }

    pub async fn ask(
        &self,
        process: usize,
        session: usize,
        effect: Effect,
        what: SessionOp,
    ) -> Result<Output, Error> {
        self.ask_as(process, session, id(session), effect, what)
            .await
    }

    /// Makes a request with one of the ids of a session.
    pub async fn ask_as(
        &self,
        process: usize,
        session: usize,
        id: String,
        effect: Effect,
        what: SessionOp,
    ) -> Result<Output, Error> {
        let (store, view) = &self.stores[process];
        let view = match session >= FIRST_LIMITED {
            true => &self.limited[process],
            false => view,
        };
        let trace = Arc::new(Trace::default());
        self.traces.lock().expect("traces").push(trace.clone());
        let index = {
            let mut log = self.log();
            log.push(Operation {
                name: what.name(),
                session,
                effect,
                start: self.started.elapsed(),
                end: Duration::ZERO,
                answer: Answer::Open,
                shows_cookie: matches!(what, SessionOp::Load),
                within: None,
            });
            log.len() - 1
        };
        let (answer, answered) = oneshot::channel();
        let node = self.nodes.master(&view.key(&id));
        let kind = kind(&what);
        let (before, known) = {
            let mut learned = self.learned.lock().expect("what is known");
            let pending = learned.pending.entry((process, session)).or_default();
            let before = *pending;
            *pending.count(kind) += 1;
            let known = learned.silent.get(&(process, node)).copied();
            (before, known)
        };
        // A read that follows an alias asks two nodes.
        let is_renewed = (FIRST_RENEWED..FIRST_SHORT_LIVED).contains(&session);
        let is_timed = kind == Kind::Read && !is_renewed && !self.nodes.has_no_read_limit();
        let reply = Reply {
            process,
            session,
            node,
            kind,
            before: is_timed.then_some(before),
            known,
            learned: self.learned.clone(),
            timeout: self.timeout,
            index,
            log: self.log.clone(),
            nodes: self.nodes.clone(),
            trace,
            started: self.started,
            answer,
        };
        store.submit(
            view.clone(),
            store::Operation::Session {
                name: SessionName::Id(id),
                op: what,
            },
            reply,
        );
        answered.await.expect("an answer")
    }

    pub async fn load(&self, process: usize, session: usize) -> Option<Loaded> {
        self.read(process, session).await.ok().flatten()
    }

    pub async fn read(&self, process: usize, session: usize) -> Result<Option<Loaded>, Error> {
        self.read_as(process, session, id(session)).await
    }

    /// Reads a session with one of its ids.
    pub async fn read_as(
        &self,
        process: usize,
        session: usize,
        id: String,
    ) -> Result<Option<Loaded>, Error> {
        let at = self.started.elapsed();
        let output = self
            .ask_as(process, session, id.clone(), Effect::None, SessionOp::Load)
            .await?;
        let Output::Loaded(Baseline {
            meta: head, json, ..
        }) = output
        else {
            return Ok(None);
        };
        let writer = self.writer(process);
        Ok(Some(Loaded::new(id, Some(head), json, at, writer)))
    }

    fn writer(&self, process: usize) -> Arc<Writer> {
        self.stores[process].1.writer(self.value().unsigned_abs())
    }

    /// Returns a new session, which was not loaded.
    pub fn new_session(&self, process: usize, session: usize) -> Loaded {
        let cookie = json!({ "originalMaxAge": TTL, "httpOnly": true, "path": "/" });
        let json = json!({ COOKIE: cookie }).to_string();
        let (at, writer) = (self.started.elapsed(), self.writer(process));
        Loaded::new(id(session), None, json, at, writer)
    }

    /// Returns the answer to a set or touch, and the new head, as in lib/aerospike-store.js.
    fn answer(outcome: &Result<Output, Error>) -> (Answer, Option<String>) {
        match outcome {
            Ok(Output::Written(written, _)) => match written.meta.clone() {
                Some(head) => (Answer::Done, Some(head)),
                None => (Answer::Nothing, None),
            },
            Ok(_) => (Answer::Nothing, None),
            Err(Error { code, in_doubt, .. }) => {
                let (code, in_doubt) = (*code, *in_doubt);
                (Answer::Failed { code, in_doubt }, None)
            }
        }
    }

    /// Stores a session. Returns whether that succeeded.
    pub async fn set(&self, process: usize, session: usize, loaded: &RefCell<Loaded>) -> bool {
        let number = self.value();
        let (what, effect, json) = {
            let mut loaded = loaded.borrow_mut();
            let json = loaded.now.to_string();
            let effect = match &loaded.head {
                None => Effect::Whole(data(&json)),
                Some(_) => loaded.effect(false),
            };
            let what = SessionOp::Set {
                json: json.clone(),
                expires: clock::now() + loaded.life,
                baseline: loaded.baseline(),
                writer: loaded.writer.clone(),
                user: loaded.user.clone().map(Some),
            };
            let now = loaded.now.clone();
            loaded.cookies.pending.push((number, now[COOKIE].clone()));
            loaded.data.pending.push((number, now));
            (what, effect, json)
        };
        let id = loaded.borrow().id.clone();
        let outcome = self.ask_as(process, session, id, effect, what).await;
        let (answer, head) = Site::answer(&outcome);
        let loaded = &mut *loaded.borrow_mut();
        loaded.cookies.answered(number, &answer);
        loaded.data.answered(number, &answer);
        if head.is_some() {
            loaded.head = head;
            loaded.json = json;
            loaded.cookie = None;
            loaded.doubts.clear();
        } else if matches!(answer, Answer::Failed { in_doubt: true, .. }) && loaded.head.is_some() {
            loaded.doubts.push(('s', json));
        }
        outcome.is_ok()
    }

    /// Renews the id of a session, as lib/renewal.js does. Returns the session under its new id.
    pub async fn renew(
        &self,
        process: usize,
        session: usize,
        loaded: &RefCell<Loaded>,
    ) -> Option<Loaded> {
        let number = self.value();
        let new_id = format!("renewed-{number}");
        let (what, effect, json, id) = {
            let mut loaded = loaded.borrow_mut();
            let json = loaded.now.to_string();
            let effect = loaded.effect(false);
            let what = SessionOp::Renew {
                id: new_id.clone(),
                json: json.clone(),
                expires: clock::now() + loaded.life,
                baseline: loaded.baseline(),
                writer: loaded.writer.clone(),
                user: None,
                // Longer than a history, in which all ids of a session then lead to it.
                grace: TTL,
            };
            let now = loaded.now.clone();
            loaded.cookies.pending.push((number, now[COOKIE].clone()));
            loaded.data.pending.push((number, now));
            (what, effect, json, loaded.id.clone())
        };
        let outcome = self.ask_as(process, session, id, effect, what).await;
        let head = match &outcome {
            Ok(Output::Json(answer)) => {
                let answer: serde_json::Value = serde_json::from_str(answer).expect("JSON");
                answer["head"].as_str().map(str::to_owned)
            }
            _ => None,
        };
        let answer = match &outcome {
            Ok(_) => Answer::Nothing,
            Err(_) => Site::answer(&outcome).0,
        };
        let mut loaded = loaded.borrow_mut();
        loaded.cookies.answered(number, &answer);
        loaded.data.answered(number, &answer);
        if matches!(answer, Answer::Failed { in_doubt: true, .. }) {
            loaded.doubts.push(('s', json));
            return None;
        }
        let writer = self.writer(process);
        Some(Loaded::new(new_id, Some(head?), json, loaded.at, writer))
    }

    /// Touches a session. Returns whether that succeeded.
    pub async fn touch(&self, process: usize, session: usize, loaded: &RefCell<Loaded>) -> bool {
        let number = self.value();
        let (what, effect, cookie) = {
            let mut loaded = loaded.borrow_mut();
            let now = loaded.now[COOKIE].clone();
            let cookie = now.to_string();
            let what = SessionOp::Refresh {
                cookie: Some(cookie.clone()),
                expires: clock::now() + loaded.life,
                baseline: loaded.without_data(),
                writer: loaded.writer.clone(),
            };
            let effect = match loaded.head {
                Some(_) => loaded.effect(true),
                None => Effect::Change {
                    keys: BTreeMap::from([(COOKIE.to_owned(), now[COOKIE].as_i64())]),
                    uncertain: BTreeSet::new(),
                    loaded: loaded.at,
                },
            };
            loaded.cookies.pending.push((number, now));
            (what, effect, cookie)
        };
        let id = loaded.borrow().id.clone();
        let outcome = self.ask_as(process, session, id, effect, what).await;
        let (answer, head) = Site::answer(&outcome);
        let loaded = &mut *loaded.borrow_mut();
        loaded.cookies.answered(number, &answer);
        if head.is_some() {
            loaded.head = head;
            loaded.cookie = Some(cookie);
            loaded.doubts.retain(|(letter, _)| *letter == 's');
        } else if matches!(answer, Answer::Failed { in_doubt: true, .. }) && loaded.head.is_some() {
            loaded.doubts.push(('c', cookie));
        }
        outcome.is_ok()
    }
}

/// Returns the id of a session.
pub fn id(session: usize) -> String {
    format!("session-{session}")
}
