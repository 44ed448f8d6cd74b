//! The fixed workload of benchmarks and allocation tests: sessions as text, and a store that answers without a
//! server.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use aerospike::Value;
use aerospike_session::bulk_runtime::Bulk;
use aerospike_session::cluster::credentials::Auth;
use aerospike_session::cluster::{Host, Options as ClusterOptions};
use aerospike_session::codec::{decode, encode, tree};
use aerospike_session::error::Error;
use aerospike_session::store::baseline::Baseline;
use aerospike_session::store::expiry::now;
use aerospike_session::store::{
    Answer, Operation, Options, Output, SessionName, SessionOp, Store, Ticket, View,
};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// Returns the session of a shop as text, with this many items in the cart: about 450 bytes ([`SMALL`]) or 4 kB
/// ([`LARGE`]).
pub fn session(items: usize) -> String {
    let item = |n: usize| {
        format!(
            r#"{{"sku":"sku-{n:05}","name":"Kettle, stainless steel, no. {n}","price":{}.95,"quantity":{}}}"#,
            20 + n,
            1 + n % 3
        )
    };
    let cart: Vec<_> = (0..items).map(item).collect();
    format!(
        r#"{{"user":{{"id":4711,"name":"Ada Lovelace","email":"ada@example.org","roles":["customer","editor"]}},"csrf":"Jk3p0fQ8zv1mWc6dLr9sYt2u","locale":"en-GB","views":12,"lastSeen":1767225600000,"cart":[{}]}}"#,
        cart.join(",")
    )
}

pub const SMALL: usize = 2;
pub const LARGE: usize = 46;

pub fn encode(json: &str) -> encode::Encoded {
    encode::object(json).unwrap()
}

/// Returns the value that the crate makes of a map it has read.
pub fn value(json: &str) -> Value {
    tree::value(json, 1).unwrap().unwrap()
}

pub fn decode(value: &Value) -> String {
    let mut text = String::new();
    decode::value(&mut text, value).unwrap();
    text
}

struct Reply(oneshot::Sender<Result<Output, Error>>);

impl Answer for Reply {
    fn give(self, outcome: Result<Output, Error>, _ticket: Option<Ticket>) {
        let _ = self.0.send(outcome);
    }
}

/// Returns a cookie of Express.
fn cookie(expires: &str) -> String {
    format!(r#"{{"originalMaxAge":86400000,"expires":"{expires}","httpOnly":true,"path":"/"}}"#)
}

/// A store whose requests run from `submit` to their answer without the network: each is a touch that is skipped.
pub struct Dispatcher {
    runtime: Runtime,
    store: Store<Reply>,
    view: Arc<View>,
    expires: i64,
    baseline: Baseline,
}

impl Dispatcher {
    pub fn open() -> Dispatcher {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let cluster = ClusterOptions {
            // No server listens there, and none is needed.
            hosts: vec![Host {
                name: "127.0.0.1".into(),
                port: 1,
                tls_name: None,
            }],
            auth: Auth::None,
            timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(3),
            tls: None,
            max_conns_per_node: 16,
            cluster_name: None,
            services_alternate: false,
            rack_ids: Vec::new(),
        };
        let view = View::new(Options {
            namespace: "test".into(),
            set: "sessions".into(),
            bin: "data".into(),
            prefix: String::new(),
            json: false,
            overwrite: false,
            store_ids: false,
            tombstones: false,
            durable_delete: false,
            absolute_ttl: None,
            touch_after: 0,
            touch_on_read: None,
            ttl: 86_400_000,
            ..Options::default()
        });
        let store = runtime.block_on(async {
            Store::open(
                cluster,
                100_000,
                &Handle::current(),
                Bulk::default(),
                |_| {},
            )
        });
        let expires = now() + 86_400_000;
        let baseline = Baseline {
            meta: format!("Wm,{expires},{},1", now()),
            json: String::new(),
            notes: format!("\u{1e}k{}", cookie("2026-01-01T00:00:00.000Z")),
        };
        Dispatcher {
            runtime,
            store,
            view,
            expires,
            baseline,
        }
    }

    /// Sends `count` requests for as many sessions at once, and waits for their answers.
    pub fn answer(&self, count: usize) {
        self.runtime.block_on(async {
            let mut answers = Vec::with_capacity(count);
            for number in 0..count {
                let (reply, answer) = oneshot::channel();
                let op = SessionOp::Refresh {
                    cookie: Some(cookie("2026-01-01T00:10:00.000Z")),
                    expires: self.expires,
                    baseline: Some(self.baseline.clone()),
                    writer: self.view.writer(number as u64),
                };
                let id = format!("sess-{number:08}");
                let operation = Operation::Session {
                    name: SessionName::Id(id),
                    op,
                };
                self.store
                    .submit(self.view.clone(), operation, Reply(reply));
                answers.push(answer);
            }
            for answer in answers {
                assert!(matches!(answer.await.unwrap(), Ok(Output::Written(..))));
            }
        });
    }
}
