//! One history: what a site's visitors and programs do in some seconds, on a cluster in some weather, and what came of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{json, Value};
use tokio::sync::oneshot;
use tokio::time::{sleep, Instant};

use super::log::{judge, Answer, Data, Effect, Operation};
use super::nodes::{Nodes, Spell, Weather};
use super::random::Random;
use crate::clock;
use crate::cluster::credentials::Auth;
use crate::cluster::trace::Trace;
use crate::cluster::{Cluster, Host, Link, Options as ClusterOptions};
use crate::error::Error;
use crate::store::baseline::{Baseline, Doubt};
use crate::store::{self, Notice, One, Options, Output, Store, View, Writer};

/// When histories begin, in milliseconds since 1970.
const AT_START: i64 = 1_780_000_000_000;
/// How long a history is; then it settles.
const LASTS: Duration = Duration::from_millis(7_000);
/// How long sessions live, in milliseconds.
const TTL: i64 = 3_600_000;
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
                touch_after: [0, 60_000][random.below(2) as usize],
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
    let mut doing: Vec<futures::future::BoxFuture<'_, ()>> = Vec::new();
    for visitor in 0..VISITORS {
        doing.push(Box::pin(site.visit(visitor, random.fork())));
    }
    doing.push(Box::pin(site.administer(random.fork())));
    doing.push(Box::pin(site.look(random.fork())));
    join_all(doing).await;
    // Every silence is over, and everything was answered.
    sleep(LASTS).await;
    for session in 0..setting.sessions {
        site.load(0, session).await;
    }
    let refuses = setting.refuses_ttl;
    let mut wrong = site.nodes.broken();
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
    fn give(self, outcome: Result<Output, Error>) {
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

/// A request's session object, as the JavaScript side keeps it.
struct Loaded {
    baseline: Option<Baseline>,
    /// What it was when it was loaded or last set; and what it was set to just before, if that is not answered yet.
    known: Vec<Value>,
    now: Value,
    at: Duration,
    writer: Arc<Writer>,
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
            let link = Link::Simulated(nodes.clone());
            let cluster = Cluster::simulated(options, link, &nodes.masters());
            let store = Store::on(cluster, 10_000, |_: Notice| {});
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
        what: One,
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
                expects_no_wait: false,
            });
            log.len() - 1
        };
        let (answer, answered) = oneshot::channel();
        let id = format!("session-{session}");
        let node = self.nodes.master(&view.key(&id));
        let is_read = matches!(what, One::Load | One::Get);
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
        store.submit(view.clone(), store::Operation::One { id, what }, reply);
        answered.await.expect("an answer")
    }

    async fn load(&self, process: usize, session: usize) -> Option<Loaded> {
        let at = self.started.elapsed();
        let Ok(Output::Loaded(baseline)) =
            self.ask(process, session, Effect::None, One::Load).await
        else {
            return None;
        };
        let known: Value = serde_json::from_str(&baseline.json).expect("JSON");
        Some(Loaded {
            baseline: Some(baseline),
            now: known.clone(),
            known: vec![known],
            at,
            writer: self.writer(process),
        })
    }

    fn writer(&self, process: usize) -> Arc<Writer> {
        self.stores[process].1.writer(self.value().unsigned_abs())
    }

    /// A session that was not loaded.
    fn made(&self, process: usize) -> Loaded {
        let cookie = json!({ "originalMaxAge": TTL, "httpOnly": true, "path": "/" });
        let value = json!({ "cookie": cookie });
        Loaded {
            baseline: None,
            known: vec![value.clone()],
            now: value,
            at: self.started.elapsed(),
            writer: self.writer(process),
        }
    }

    async fn set(&self, process: usize, session: usize, loaded: &mut Loaded) {
        let json = loaded.now.to_string();
        let now = data(&json);
        let effect = match &loaded.baseline {
            None => Effect::Whole(now),
            Some(_) => {
                let mut keys = BTreeMap::new();
                for before in &loaded.known {
                    let before = data(&before.to_string());
                    let changed = now
                        .iter()
                        .filter(|(key, value)| before.get(*key) != Some(value));
                    keys.extend(changed.map(|(key, value)| (key.clone(), Some(*value))));
                    let removed = before.keys().filter(|key| !now.contains_key(*key));
                    keys.extend(removed.map(|key| (key.clone(), None)));
                }
                Effect::Change {
                    keys,
                    loaded: loaded.at,
                }
            }
        };
        let what = One::Set {
            json: json.clone(),
            expires: clock::now() + TTL,
            baseline: loaded.baseline.clone(),
            writer: loaded.writer.clone(),
            user: None,
        };
        let known = loaded.now.clone();
        match self.ask(process, session, effect, what).await {
            Ok(Output::Written(written, _)) => {
                if let Some(head) = written.head {
                    let json = written.json.unwrap_or(json);
                    loaded.baseline = Some(Baseline { head, json });
                    loaded.known = vec![known];
                }
            }
            Err(error) if error.in_doubt => {
                if let Some(baseline) = &mut loaded.baseline {
                    Doubt::Set(&json).note(&mut baseline.json);
                    loaded.known.push(known);
                }
            }
            _ => {}
        }
    }

    async fn touch(&self, process: usize, session: usize, loaded: &Loaded) {
        let mut cookie = loaded.now["cookie"].clone();
        cookie["originalMaxAge"] = json!(TTL);
        let what = One::Refresh {
            cookie: Some(cookie.to_string()),
            expires: clock::now() + TTL,
            baseline: loaded.baseline.clone(),
            writer: loaded.writer.clone(),
        };
        let _ = self.ask(process, session, Effect::None, what).await;
    }

    /// Pages of one visitor, who has keys of his own in the sessions and shares one with the others.
    async fn visit(&self, visitor: usize, mut random: Random) {
        while !self.is_over() {
            pause(&mut random, 400).await;
            let process = random.below(PROCESSES as u64) as usize;
            let session = random.below(self.sessions) as usize;
            let Some(mut loaded) = self.load(process, session).await else {
                // Logs in.
                if random.percent(60) {
                    let mut made = self.made(process);
                    self.change(visitor, &mut made, &mut random);
                    self.set(process, session, &mut made).await;
                    if random.percent(60) {
                        // As a login does that saves, and changes one more thing.
                        self.change(visitor, &mut made, &mut random);
                        self.set(process, session, &mut made).await;
                    }
                }
                continue;
            };
            match random.below(10) {
                0 => {
                    let what = match random.percent(50) {
                        true => One::Destroy,
                        false => One::Delete,
                    };
                    let _ = self.ask(process, session, Effect::Removal, what).await;
                }
                1..=3 => self.touch(process, session, &loaded).await,
                4 => {
                    // A save that nobody waits for, and the one at the end of the response.
                    self.change(visitor, &mut loaded, &mut random);
                    let mut second = Loaded {
                        baseline: loaded.baseline.clone(),
                        known: [loaded.known.clone(), vec![loaded.now.clone()]].concat(),
                        now: loaded.now.clone(),
                        at: loaded.at,
                        writer: loaded.writer.clone(),
                    };
                    self.change(visitor, &mut second, &mut random);
                    tokio::join!(
                        self.set(process, session, &mut loaded),
                        self.set(process, session, &mut second)
                    );
                }
                _ => {
                    pause(&mut random, 200).await;
                    for _ in 0..=random.below(2) {
                        self.change(visitor, &mut loaded, &mut random);
                        self.set(process, session, &mut loaded).await;
                        if random.percent(50) {
                            self.touch(process, session, &loaded).await;
                        }
                    }
                }
            }
        }
    }

    /// Changes some keys of a session object.
    fn change(&self, visitor: usize, loaded: &mut Loaded, random: &mut Random) {
        for _ in 0..=random.below(2) {
            let key = match random.below(5) {
                0 => "shared".to_owned(),
                number => format!("v{visitor}k{number}"),
            };
            let Some(object) = loaded.now.as_object_mut() else {
                return;
            };
            match random.percent(15) {
                true => object.remove(&key),
                false => object.insert(key, json!(self.value())),
            };
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
                    let what = One::Save {
                        json: json!(data).to_string(),
                        expires: clock::now() + TTL,
                    };
                    let _ = self.ask(process, session, Effect::Whole(data), what).await;
                }
                _ => {
                    let Some(mut loaded) = self.load(process, session).await else {
                        continue;
                    };
                    loaded.baseline = None;
                    loaded.now["notice"] = json!(self.value());
                    self.set(process, session, &mut loaded).await;
                }
            }
        }
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
                    let _ = self.ask(process, session, Effect::None, One::Get).await;
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
    members
        .filter_map(|(key, value)| Some((key.clone(), value.as_i64()?)))
        .collect()
}
