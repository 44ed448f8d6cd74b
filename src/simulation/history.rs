//! One history: what a site's visitors and programs do in some seconds, on a cluster in some weather, and what came of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{json, Value};
use tokio::sync::oneshot;
use tokio::time::{sleep, sleep_until, Instant};

use super::log::{judge, Answer, Data, Effect, Operation, COOKIE, KEPT};
use super::nodes::{Nodes, Spell, Weather};
use super::random::Random;
use crate::bulk_runtime::Bulk;
use crate::clock;
use crate::cluster::credentials::Auth;
use crate::cluster::trace::Trace;
use crate::cluster::{Cluster, Host, Options as ClusterOptions, Transport};
use crate::error::Error;
use crate::store::baseline::Baseline;
use crate::store::{self, Notice, Options, Output, SessionOp, Store, Ticket, View, Writer};

/// When histories begin, in milliseconds since 1970.
const AT_START: i64 = 1_780_000_000_000;
/// How long a history is; then it settles.
const LASTS: Duration = Duration::from_millis(7_000);
/// How long sessions live, in milliseconds.
const TTL: i64 = 3_600_000;
/// How long sessions that live for seconds are used.
const KEEPS: Duration = Duration::from_secs(90);
/// By how many milliseconds a session that reads extend may end earlier than the percentage says: an end that was moved by no
/// more than 2 seconds does not count, the server's seconds are whole, and the two clocks do not go alike.
const INEXACT: u64 = 4_500;
const NODES: usize = 3;
/// Processes with a store each.
const PROCESSES: usize = 2;
const VISITORS: usize = 4;

/// What a history is made of; all of it follows from the seed.
#[derive(Debug)]
struct Setting {
    timeout: Duration,
    sessions: usize,
    refuses_ttl: bool,
    weather: Weather,
    options: Options,
}

impl Setting {
    fn of(random: &mut Random) -> Setting {
        let ms = Duration::from_millis;
        let timeout = [1_000, 2_000, 3_000][random.below(3) as usize];
        let mut weather = Weather::default();
        // One node is silent or slow at a time.
        let mut from = random.between(300, 2_000);
        for _ in 0..random.below(3) {
            let until = from + random.between(200, 3_500);
            let spell = Spell {
                node: random.below(NODES as u64) as usize,
                from: ms(from),
                until: ms(until),
            };
            match random.percent(70) {
                true => weather.silences.push(spell),
                false => weather
                    .slow
                    .push((spell, ms(random.between(20, timeout / 3)))),
            }
            // Until what waited for it has been answered.
            from = until + timeout + random.below(1_000);
        }
        if random.percent(25) {
            let from = random.between(500, 4_000);
            let until = from + random.between(timeout / 2, 2 * timeout);
            weather.outage = Some((ms(from), ms(until)));
        }
        if random.percent(30) {
            weather.refused = random.between(1, 8);
        }
        if random.percent(30) {
            weather.lost = random.between(1, 6);
        }
        if random.percent(20) {
            weather.forbidden = random.between(1, 5);
        }
        let touch_on_read = random
            .percent(35)
            .then(|| [50, 80, 90][random.below(3) as usize]);
        Setting {
            timeout: ms(timeout),
            sessions: random.between(1, 3) as usize,
            refuses_ttl: random.percent(15),
            weather,
            options: Options {
                namespace: "test".into(),
                set: "sessions".into(),
                bin: "data".into(),
                prefix: ["", "shop:"][random.below(2) as usize].into(),
                json: random.percent(30),
                store_ids: random.percent(20),
                tombstones: random.percent(20),
                absolute_ttl: random.percent(40).then_some(2 * TTL),
                // With `touch_on_read` there are sessions that live for less than a minute.
                touch_after: match touch_on_read {
                    None => [0, 60_000][random.below(2) as usize],
                    Some(_) => 0,
                },
                touch_on_read,
                ttl: TTL,
                ..Options::default()
            },
        }
    }
}

/// Runs the history of a seed: what is wrong with it, and how many operations it has.
pub async fn run(seed: u64) -> (Vec<String>, usize) {
    let mut random = Random::new(seed);
    clock::simulated::start(AT_START, random.next());
    let setting = Setting::of(&mut random);
    let site = Site::open(&setting, &mut random);
    let mut doing: Vec<futures::future::LocalBoxFuture<'_, ()>> = Vec::new();
    for visitor in 0..VISITORS {
        doing.push(Box::pin(site.visit(visitor, random.fork())));
    }
    doing.push(Box::pin(site.administer(random.fork())));
    doing.push(Box::pin(site.look(random.fork())));
    let weather = &setting.weather;
    if let Some(percent) = setting.options.touch_on_read {
        // A read that goes to a replica while the master is silent extends nothing.
        if weather.silences.is_empty() && weather.outage.is_none() {
            for session in KEPT..KEPT + 2 {
                doing.push(Box::pin(site.keep(session, percent, random.fork())));
            }
        }
    }
    join_all(doing).await;
    // Every silence is over, and everything was answered.
    sleep(LASTS).await;
    for session in 0..setting.sessions {
        site.load(0, session).await;
    }
    let refuses = setting.refuses_ttl;
    let mut wrong = site.nodes.broken();
    wrong.append(&mut site.wrong.borrow_mut());
    let immortal = site
        .nodes
        .void_times()
        .iter()
        .filter(|time| **time == 0)
        .count();
    if immortal > 0 && !refuses && setting.weather.forbidden == 0 {
        wrong.push(format!("{immortal} records never end"));
    }
    let operations = site.log().clone();
    wrong.extend(judge(&operations, setting.timeout, setting.weather.outage));
    if !wrong.is_empty() {
        wrong.push(format!("{setting:?}"));
    }
    if std::env::var_os("SIMULATION_LOG").is_some() {
        for one in &operations {
            println!("{one:?}");
        }
    }
    (wrong, operations.len())
}

struct Site {
    nodes: Arc<Nodes>,
    learned: Arc<Mutex<Learned>>,
    started: Instant,
    stores: Vec<(Store<Reply>, Arc<View>)>,
    sessions: u64,
    /// How long a read waits at the most for a node that may be silent.
    wait: Duration,
    log: Arc<Mutex<Vec<Operation>>>,
    /// What notes the way of each operation, which names it.
    traces: Mutex<Vec<Arc<Trace>>>,
    values: Mutex<i64>,
    /// What was found to be wrong on the way.
    wrong: RefCell<Vec<String>>,
}

/// What the processes know of the nodes, as far as can be seen from outside.
#[derive(Default)]
struct Learned {
    /// A read of this process has waited for this node, in the silence that began then.
    silent: HashMap<(usize, usize), Duration>,
    /// Operations of this process on this session that are not answered yet.
    pending: HashMap<(usize, usize), usize>,
}

/// Takes the answer to one operation down.
struct Reply {
    process: usize,
    session: usize,
    /// The node it goes to.
    node: usize,
    is_read: bool,
    /// The silence of the node that the process knows of, if nothing else was asked of the session meanwhile.
    known: Option<Duration>,
    learned: Arc<Mutex<Learned>>,
    wait: Duration,
    place: usize,
    log: Arc<Mutex<Vec<Operation>>>,
    nodes: Arc<Nodes>,
    trace: Arc<Trace>,
    started: Instant,
    answer: oneshot::Sender<Result<Output, Error>>,
}

impl store::Answer for Reply {
    fn give(self, outcome: Result<Output, Error>, _ticket: Option<Ticket>) {
        self.nodes.answered(&self.trace);
        let silence = self.nodes.silence_since(self.node);
        {
            let mut learned = self.learned.lock().expect("what is known");
            if let Some(pending) = learned.pending.get_mut(&(self.process, self.session)) {
                *pending -= 1;
            }
            let mut log = self.log.lock().expect("a log");
            let one = &mut log[self.place];
            one.end = self.started.elapsed();
            let waited = self.is_read && one.end - one.start >= self.wait;
            if let Some(since) = silence.filter(|since| waited && *since <= one.start) {
                learned.silent.insert((self.process, self.node), since);
            }
            one.expects_no_wait = self.known.is_some() && self.known == silence;
            one.answer = match &outcome {
                Ok(Output::Missing) => Answer::Read(None),
                Ok(Output::Loaded(baseline)) => Answer::Read(Some(data(&baseline.json))),
                Ok(Output::Json(json)) => Answer::Read(Some(data(json))),
                Ok(Output::Written(written, _)) if written.gone.is_some() => Answer::Gone,
                Ok(Output::Written(written, _)) if written.head.is_none() => Answer::Nothing,
                Ok(_) => Answer::Done,
                Err(error) => Answer::Failed {
                    code: error.code,
                    in_doubt: error.in_doubt,
                },
            };
        }
        let _ = self.answer.send(outcome);
    }

    fn trace(&self) -> Option<Arc<Trace>> {
        Some(self.trace.clone())
    }
}

/// A request's session object, and what lib/baselines.js keeps beside it.
struct Loaded {
    head: Option<String>,
    json: String,
    cookie: Option<String>,
    /// Writes in doubt: the letter of the note, and its text.
    doubts: Vec<(char, String)>,
    data: Known,
    cookies: Known,
    now: Value,
    at: Duration,
    /// How long it lives after a set or touch, in milliseconds.
    life: i64,
    writer: Arc<Writer>,
}

/// What may be stored of a session by what its object knows.
struct Known {
    sure: Vec<Value>,
    /// By writes that are not answered yet.
    pending: Vec<(i64, Value)>,
}

/// How a value that is written differs from those that may be stored.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Differs {
    No,
    Perhaps,
    Surely,
}

impl Known {
    fn of(value: Value) -> Known {
        Known {
            sure: vec![value],
            pending: Vec::new(),
        }
    }

    /// Of a set or touch that is made now, by a part of the value.
    fn differs(&self, is_same: impl Fn(&Value) -> bool) -> Differs {
        let from_sure = !self.sure.iter().all(&is_same);
        let mut pending = self.pending.iter().map(|(_, value)| is_same(value));
        if from_sure && pending.all(|is_same| !is_same) {
            return Differs::Surely;
        }
        let mut pending = self.pending.iter();
        match from_sure || !pending.all(|(_, value)| is_same(value)) {
            true => Differs::Perhaps,
            false => Differs::No,
        }
    }

    /// A write is answered: it was carried out, or nothing came of it, or it is in doubt.
    fn answered(&mut self, number: i64, answer: &Answer) {
        let Some(place) = self.pending.iter().position(|(one, _)| *one == number) else {
            return;
        };
        let (_, value) = self.pending.remove(place);
        match answer {
            Answer::Done => self.sure = vec![value],
            Answer::Failed { in_doubt: true, .. } => self.sure.push(value),
            _ => {}
        }
    }
}

impl Loaded {
    fn new(head: Option<String>, json: String, at: Duration, writer: Arc<Writer>) -> Loaded {
        let now: Value = serde_json::from_str(&json).expect("JSON");
        Loaded {
            head,
            json,
            cookie: None,
            doubts: Vec::new(),
            cookies: Known::of(now[COOKIE].clone()),
            data: Known::of(now.clone()),
            now,
            at,
            life: TTL,
            writer,
        }
    }

    /// `notes()` of lib/baselines.js, with another `letter` for sets that a touch takes for touches.
    fn notes(&self, cookie: Option<&str>, doubts: &[(char, String)]) -> String {
        let stored = cookie.map(|cookie| format!("\u{1e}k{cookie}"));
        let doubts = doubts
            .iter()
            .map(|(letter, text)| format!("\u{1e}{letter}{text}"));
        stored.into_iter().chain(doubts).collect()
    }

    fn baseline(&self) -> Option<Baseline> {
        Some(Baseline {
            head: self.head.clone()?,
            json: self.json.clone(),
            notes: self.notes(self.cookie.as_deref(), &self.doubts),
        })
    }

    /// The same for a touch.
    fn without_data(&self) -> Option<Baseline> {
        let cookie = self.cookie.clone().or_else(|| cookie_of(&self.json));
        let doubts = self.doubts.iter().map(|(letter, text)| match letter {
            's' => ('c', cookie_of(text).unwrap_or_default()),
            _ => (*letter, text.clone()),
        });
        Some(Baseline {
            head: self.head.clone()?,
            json: String::new(),
            notes: self.notes(
                Some(&cookie.unwrap_or_default()),
                &doubts.collect::<Vec<_>>(),
            ),
        })
    }

    /// What a set of the session as it is changes, or a touch, which writes nothing but the cookie.
    fn effect(&self, is_touch: bool) -> Effect {
        let (mut keys, mut perhaps) = (BTreeMap::new(), BTreeSet::new());
        let mut note = |key: &str, differs: Differs, value: Option<i64>| {
            if differs > Differs::No {
                keys.insert(key.to_owned(), value);
            }
            if differs == Differs::Perhaps {
                perhaps.insert(key.to_owned());
            }
        };
        let cookie = &self.now[COOKIE];
        let differs = self.cookies.differs(|one| same_cookie(one, cookie));
        note(COOKIE, differs, cookie[COOKIE].as_i64());
        if !is_touch {
            let all = self.data.sure.iter();
            let all = all.chain(self.data.pending.iter().map(|(_, value)| value));
            let names = all.chain([&self.now]).flat_map(Value::as_object);
            for name in names.flat_map(|object| object.keys()) {
                if name != COOKIE {
                    let value = &self.now[name];
                    let differs = self.data.differs(|one| one[name] == *value);
                    note(name, differs, value.as_i64());
                }
            }
        }
        Effect::Change {
            keys,
            perhaps,
            loaded: self.at,
        }
    }
}

/// The text of the cookie in that of a session.
fn cookie_of(json: &str) -> Option<String> {
    let session: Value = serde_json::from_str(json).expect("JSON");
    session.get(COOKIE).map(Value::to_string)
}

/// Whether two cookies differ in nothing but their end.
fn same_cookie(a: &Value, b: &Value) -> bool {
    let [mut a, mut b] = [a, b].map(Clone::clone);
    for cookie in [&mut a, &mut b] {
        if let Some(object) = cookie.as_object_mut() {
            object.remove("expires");
        }
    }
    a == b
}

impl Site {
    fn open(setting: &Setting, random: &mut Random) -> Site {
        let nodes = Nodes::new(
            NODES,
            setting.weather.clone(),
            setting.refuses_ttl,
            AT_START,
            random.fork(),
        );
        let open = |_| {
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
            let link = Transport::Simulated(nodes.clone());
            let cluster = Cluster::simulated(options, link, &nodes.masters());
            let store = Store::on(cluster, Bulk::default(), 10_000, |_: Notice| {});
            (store, View::new(setting.options.clone()))
        };
        Site {
            stores: (0..PROCESSES).map(open).collect(),
            nodes,
            learned: Arc::default(),
            started: Instant::now(),
            sessions: setting.sessions as u64,
            // A silence is a sixth of the time.
            wait: setting.timeout / 6,
            log: Arc::default(),
            traces: Mutex::default(),
            values: Mutex::new(0),
            wrong: RefCell::default(),
        }
    }

    fn log(&self) -> MutexGuard<'_, Vec<Operation>> {
        self.log.lock().expect("a log")
    }

    /// A value that nobody has written before.
    fn value(&self) -> i64 {
        let mut values = self.values.lock().expect("a number");
        *values += 1;
        *values
    }

    fn is_over(&self) -> bool {
        self.started.elapsed() >= LASTS
    }

    async fn ask(
        &self,
        process: usize,
        session: usize,
        effect: Effect,
        what: SessionOp,
    ) -> Result<Output, Error> {
        let (store, view) = &self.stores[process];
        let trace = Arc::new(Trace::default());
        self.traces.lock().expect("traces").push(trace.clone());
        let place = {
            let mut log = self.log();
            log.push(Operation {
                name: what.name(),
                session,
                effect,
                start: self.started.elapsed(),
                end: Duration::ZERO,
                answer: Answer::Open,
                shows_cookie: matches!(what, SessionOp::Load),
                expects_no_wait: false,
            });
            log.len() - 1
        };
        let (answer, answered) = oneshot::channel();
        let id = format!("session-{session}");
        let node = self.nodes.master(&view.key(&id));
        let is_read = matches!(what, SessionOp::Load | SessionOp::Get);
        let known = {
            let mut learned = self.learned.lock().expect("what is known");
            let pending = learned.pending.entry((process, session)).or_default();
            *pending += 1;
            let is_alone = *pending == 1 && is_read && !self.nodes.is_rough();
            let known = learned.silent.get(&(process, node)).copied();
            known.filter(|_| is_alone)
        };
        let reply = Reply {
            process,
            session,
            node,
            is_read,
            known,
            learned: self.learned.clone(),
            wait: self.wait,
            place,
            log: self.log.clone(),
            nodes: self.nodes.clone(),
            trace,
            started: self.started,
            answer,
        };
        store.submit(view.clone(), store::Operation::Session { id, what }, reply);
        answered.await.expect("an answer")
    }

    async fn load(&self, process: usize, session: usize) -> Option<Loaded> {
        self.read(process, session).await.ok().flatten()
    }

    async fn read(&self, process: usize, session: usize) -> Result<Option<Loaded>, Error> {
        let at = self.started.elapsed();
        let output = self
            .ask(process, session, Effect::None, SessionOp::Load)
            .await?;
        let Output::Loaded(Baseline { head, json, .. }) = output else {
            return Ok(None);
        };
        let writer = self.writer(process);
        Ok(Some(Loaded::new(Some(head), json, at, writer)))
    }

    fn writer(&self, process: usize) -> Arc<Writer> {
        self.stores[process].1.writer(self.value().unsigned_abs())
    }

    /// A session that was not loaded.
    fn made(&self, process: usize) -> Loaded {
        let cookie = json!({ "originalMaxAge": TTL, "httpOnly": true, "path": "/" });
        let json = json!({ COOKIE: cookie }).to_string();
        Loaded::new(None, json, self.started.elapsed(), self.writer(process))
    }

    /// What the answer to a set or touch means, as lib/stores/aerospike-store.js sees it.
    fn answer(outcome: &Result<Output, Error>) -> (Answer, Option<String>) {
        match outcome {
            Ok(Output::Written(written, _)) => match written.head.clone() {
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

    /// Whether it succeeded.
    async fn set(&self, process: usize, session: usize, loaded: &RefCell<Loaded>) -> bool {
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
                user: None,
            };
            let now = loaded.now.clone();
            loaded.cookies.pending.push((number, now[COOKIE].clone()));
            loaded.data.pending.push((number, now));
            (what, effect, json)
        };
        let outcome = self.ask(process, session, effect, what).await;
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

    /// Whether it succeeded.
    async fn touch(&self, process: usize, session: usize, loaded: &RefCell<Loaded>) -> bool {
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
                    perhaps: BTreeSet::new(),
                    loaded: loaded.at,
                },
            };
            loaded.cookies.pending.push((number, now));
            (what, effect, cookie)
        };
        let outcome = self.ask(process, session, effect, what).await;
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

    /// Pages of one visitor, who has keys of his own in the sessions and shares one with the others.
    async fn visit(&self, visitor: usize, mut random: Random) {
        while !self.is_over() {
            pause(&mut random, 400).await;
            let process = random.below(PROCESSES as u64) as usize;
            let session = random.below(self.sessions) as usize;
            let Some(loaded) = self.load(process, session).await else {
                // Logs in.
                if random.percent(60) {
                    let made = RefCell::new(self.made(process));
                    self.change(visitor, &made, &mut random);
                    self.set(process, session, &made).await;
                    if random.percent(60) {
                        // As a login does that saves, and changes one more thing.
                        self.change(visitor, &made, &mut random);
                        self.set(process, session, &made).await;
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
                    // Saves and touches that nobody waits for, and the one at the end of the response.
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

    /// Changes some keys of a session object, and at times its cookie.
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

    /// A program that reads a session and stores the whole of it again, as it does with any other store; and one that uses the
    /// recipe's methods.
    async fn administer(&self, mut random: Random) {
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

    /// Pages of a visitor whose session lives for some seconds, and is extended when it is read: one that is used goes on, and
    /// one that is left ends.
    async fn keep(&self, session: usize, percent: u8, mut random: Random) {
        let life = random.between(15_000, 25_000);
        let ms = Duration::from_millis;
        let least = ms((life * u64::from(percent) / 100).saturating_sub(INEXACT));
        // When the last use began that succeeded, and when the last ended.
        let (mut used, mut tried) = (None, Duration::ZERO);
        while self.started.elapsed() < KEEPS {
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
                        self.mistake("went on although it was not used", session, start, used);
                    }
                    loaded
                }
                Ok(None) => {
                    if used.is_some_and(|used: Duration| tried <= used + least) {
                        self.mistake("ended although it was used", session, start, used);
                    }
                    self.made(process)
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

    fn mistake(&self, what: &str, session: usize, start: Duration, used: Option<Duration>) {
        let mistake = format!("session {session} {what}: read at {start:?}, used at {used:?}");
        self.wrong.borrow_mut().push(mistake);
    }

    /// Reads, many at once.
    async fn look(&self, mut random: Random) {
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

/// The numbers in a session.
fn data(json: &str) -> Data {
    let value: Value = serde_json::from_str(json).expect("JSON");
    let members = value.as_object().expect("an object").iter();
    let number = |(key, value): (&String, &Value)| match key.as_str() {
        COOKIE => Some((key.clone(), value[COOKIE].as_i64()?)),
        _ => Some((key.clone(), value.as_i64()?)),
    };
    members.filter_map(number).collect()
}
