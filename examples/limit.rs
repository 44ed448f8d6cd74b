//! The upper limit of performance: the `aerospike` crate does the same work in a bare Rust loop, without JavaScript,
//! JSON and session logic. `npm run bench` runs it beside the stores.
//!
//! `limit HOST:PORT SET` reads orders from stdin, one JSON object per line, and answers each with a line of JSON:
//!
//! - `{"order":"fill","session":{..},"count":2000}`: writes the sessions.
//! - `{"order":"measure","depth":64,"mix":"write","seconds":0.5,"batched":true}`: simulates visitors that read a
//!   session (`read`), and then change it (`write`) or touch it (`touch`). `depth` operations are in flight at once,
//!   each as a single command, or all in four batches.
//! - `{"order":"clear"}`: removes the sessions.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aerospike::operations::maps::{MapOrder, put_items};
use aerospike::operations::{self, Operation};
use aerospike::{
    AdminPolicy, BatchOperation, BatchPolicy, BatchReadPolicy, BatchWritePolicy, Bin, Bins, Client,
    ClientPolicy, Concurrency, Expiration, Key, MapPolicy, MapWriteFlags, ReadPolicy,
    RecordExistsAction, Value, WritePolicy,
};
use aerospike_session::codec::{encode, packer};
use serde::{Deserialize, Serialize};

/// Batches in flight at once, as in `src/cluster/node_queue.rs`.
const BATCHES: usize = 4;
const TTL: Expiration = Expiration::Seconds(3_600);

#[derive(Deserialize)]
#[serde(tag = "order", rename_all = "lowercase")]
enum Order {
    Fill {
        session: serde_json::Value,
        count: usize,
    },
    Measure {
        depth: usize,
        mix: Mix,
        seconds: f64,
        batched: bool,
    },
    Clear,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mix {
    Read,
    Write,
    Touch,
}

/// Times in microseconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    ops: usize,
    throughput: f64,
    p50: f64,
    p99: f64,
    p999: f64,
    cpu_us: f64,
}

struct Limit {
    client: Client,
    set: String,
    keys: Arc<Vec<Key>>,
}

/// What a visitor does to a session.
#[derive(Clone, Copy)]
enum Step {
    Read,
    Change,
    Touch,
}

impl Mix {
    fn steps(self) -> &'static [Step] {
        match self {
            Mix::Read => &[Step::Read],
            Mix::Write => &[Step::Read, Step::Change],
            Mix::Touch => &[Step::Read, Step::Touch],
        }
    }
}

impl Step {
    /// Returns the operations of a write. Like those of the store, they contain only the changed keys and the new
    /// expiry, or only the expiry.
    fn operations(self) -> Vec<Operation> {
        let expires = operations::put(&Bin::new("expires", Value::Int(1_767_225_600_000)));
        match self {
            Step::Read => vec![],
            Step::Touch => vec![expires],
            Step::Change => {
                let changed = [("views", 13), ("lastSeen", 1_767_225_600_000)];
                let changed: BTreeMap<_, _> = changed
                    .map(|(key, value)| (Value::from(key), Value::Int(value)))
                    .into();
                let policy = MapPolicy::new(MapOrder::KeyOrdered, MapWriteFlags::DEFAULT);
                vec![put_items(&policy, "data", changed), expires]
            }
        }
    }

    async fn alone(self, client: &Client, key: &Key) {
        match self {
            Step::Read => drop(
                client
                    .get(&ReadPolicy::default(), key, Bins::All)
                    .await
                    .unwrap(),
            ),
            _ => {
                let policy = writing(RecordExistsAction::UpdateOnly);
                let operations = self.operations();
                client.operate(&policy, key, &operations).await.unwrap();
            }
        }
    }

    fn row(self, key: &Key) -> BatchOperation {
        match self {
            Step::Read => BatchOperation::read(&BatchReadPolicy::default(), key.clone(), Bins::All),
            _ => {
                let policy = BatchWritePolicy {
                    record_exists_action: RecordExistsAction::UpdateOnly,
                    expiration: TTL,
                    ..BatchWritePolicy::default()
                };
                BatchOperation::write(&policy, key.clone(), self.operations())
            }
        }
    }
}

fn writing(action: RecordExistsAction) -> WritePolicy {
    WritePolicy {
        record_exists_action: action,
        expiration: TTL,
        ..WritePolicy::default()
    }
}

impl Limit {
    async fn fill(&mut self, session: &str, count: usize) {
        let encode::Encoded::Map(packed) = encode::object(session).unwrap() else {
            panic!("the session has a lone surrogate");
        };
        let keys = (0..count).map(|n| {
            let id = Value::String(format!("limit-{n:06}"));
            Key::new("test", self.set.as_str(), id).unwrap()
        });
        self.keys = Arc::new(keys.collect());
        let policy = writing(RecordExistsAction::Replace);
        let bins = [
            Bin::new("data", Value::Unknown(packer::PARTICLE_MAP, packed)),
            Bin::new("expires", Value::Int(1_767_225_600_000)),
            Bin::new("created", Value::Int(1_767_225_600_000)),
        ];
        for key in self.keys.iter() {
            self.client.put(&policy, key, &bins).await.unwrap();
        }
    }

    async fn measure(&self, depth: usize, mix: Mix, seconds: f64, batched: bool) -> Measured {
        let (tasks, rows) = match batched {
            true => (depth.min(BATCHES), depth.div_ceil(BATCHES)),
            false => (depth, 1),
        };
        let cpu = cpu();
        let started = Instant::now();
        let end = started + Duration::from_secs_f64(seconds);
        let visitors: Vec<_> = (0..tasks)
            .map(|task| {
                let (client, keys) = (self.client.clone(), self.keys.clone());
                // Each visitor starts at another session, so they never access the same one.
                let first = task * keys.len() / tasks;
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    let mut next = first;
                    while Instant::now() < end {
                        let mine = |n: usize| &keys[(next + n) % keys.len()];
                        for step in mix.steps() {
                            let asked = Instant::now();
                            match batched {
                                true => {
                                    let mut batch: Vec<_> =
                                        (0..rows).map(|n| step.row(mine(n))).collect();
                                    let policy = BatchPolicy {
                                        concurrency: Concurrency::Sequential,
                                        ..BatchPolicy::default()
                                    };
                                    client.batch(&policy, &mut batch).await.unwrap();
                                }
                                false => step.alone(&client, mine(0)).await,
                            }
                            let took = asked.elapsed().as_secs_f64() * 1e6;
                            times.extend(std::iter::repeat_n(took, rows));
                        }
                        next += rows;
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for visitor in visitors {
            times.extend(visitor.await.unwrap());
        }
        let took = started.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        let ops = times.len();
        let at = |part: f64| times[((ops as f64 * part) as usize).min(ops - 1)];
        Measured {
            ops,
            throughput: ops as f64 / took,
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            cpu_us: (self::cpu() - cpu) / ops as f64,
        }
    }
}

/// Returns the CPU time of the threads of this process in microseconds.
fn cpu() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return f64::NAN;
    };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok())
        .sum::<f64>()
        / 1e3
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [host, set] = arguments.as_slice() else {
        panic!("limit HOST:PORT SET");
    };
    let policy = ClientPolicy {
        max_conns_per_node: 300,
        ..ClientPolicy::default()
    };
    let client = runtime.block_on(Client::new(&policy, host)).unwrap();
    let mut limit = Limit {
        client,
        set: set.clone(),
        keys: Arc::default(),
    };
    for line in std::io::stdin().lock().lines() {
        let answer = runtime.block_on(async {
            match serde_json::from_str(&line.unwrap()).unwrap() {
                Order::Fill { session, count } => {
                    limit.fill(&session.to_string(), count).await;
                    "{}".to_owned()
                }
                Order::Measure {
                    depth,
                    mix,
                    seconds,
                    batched,
                } => {
                    let measured = limit.measure(depth, mix, seconds, batched).await;
                    serde_json::to_string(&measured).unwrap()
                }
                Order::Clear => {
                    let policy = AdminPolicy::default();
                    let set = &limit.set;
                    limit
                        .client
                        .truncate(&policy, "test", set, 0)
                        .await
                        .unwrap();
                    "{}".to_owned()
                }
            }
        });
        println!("{answer}");
    }
}
