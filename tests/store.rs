//! The store without JavaScript, through the `aerospike` crate and real sockets, on a development server.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use aerospike_session::bulk_runtime::Bulk;
use aerospike_session::cache::{CacheOp, Entry, ManyOp};
use aerospike_session::cluster::credentials::Auth;
use aerospike_session::cluster::{Host, Options as ClusterOptions};
use aerospike_session::error::{Code, Error};
use aerospike_session::store::expiry::now;
use aerospike_session::store::{
    Answer, Notice, Operation, Options, Output, ScanOp, SessionName, SessionOp, Store, Ticket, View,
};
use aerospike_session_devserver::{Config, DevServer};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

struct Reply(oneshot::Sender<Result<Output, Error>>);

impl Answer for Reply {
    fn give(self, outcome: Result<Output, Error>, _ticket: Option<Ticket>) {
        let _ = self.0.send(outcome);
    }
}

struct Client {
    store: Store<Reply>,
    view: Arc<View>,
    notices: mpsc::UnboundedReceiver<Notice>,
}

impl Client {
    fn open(port: u16, namespace: &str) -> Client {
        let (sender, notices) = mpsc::unbounded_channel();
        let cluster = ClusterOptions {
            hosts: vec![Host {
                name: "127.0.0.1".into(),
                port,
                tls_name: None,
            }],
            auth: Auth::None,
            tls: None,
            timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(3),
            max_conns_per_node: 16,
            cluster_name: None,
            services_alternate: false,
            rack_ids: Vec::new(),
        };
        let view = View::new(Options {
            namespace: namespace.into(),
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
            ttl: 60_000,
            ..Options::default()
        });
        let store = Store::open(
            cluster,
            100_000,
            &Handle::current(),
            Bulk::default(),
            move |notice| {
                let _ = sender.send(notice);
            },
        );
        Client {
            store,
            view,
            notices,
        }
    }

    fn ask(&self, operation: Operation) -> oneshot::Receiver<Result<Output, Error>> {
        let (reply, answer) = oneshot::channel();
        self.store
            .submit(self.view.clone(), operation, Reply(reply));
        answer
    }

    async fn one(&self, op: SessionOp) -> Result<Output, Error> {
        let id = "sess-abc123".into();
        self.ask(Operation::Session {
            name: SessionName::Id(id),
            op,
        })
        .await
        .unwrap()
    }

    async fn save(&self, json: &str) -> Result<Output, Error> {
        let expires = now() + 60_000;
        self.one(SessionOp::Save {
            json: json.into(),
            expires,
        })
        .await
    }
}

fn json(output: Output) -> String {
    match output {
        Output::Json(text) => text,
        other => panic!("{other:?}"),
    }
}

async fn server() -> DevServer {
    DevServer::start(Config::default()).await.unwrap()
}

#[tokio::test]
async fn saves_gets_touches_and_deletes_a_session() {
    let server = server().await;
    let client = Client::open(server.addr().port(), "test");
    client
        .save(r#"{"b":[1,{"c":null}],"a":"é"}"#)
        .await
        .unwrap();
    let got = client.one(SessionOp::Get).await.unwrap();
    assert_eq!(json(got), r#"{"a":"é","b":[1,{"c":null}]}"#);
    let expires = now() + 1_000;
    let touched = client.one(SessionOp::Touch { expires }).await.unwrap();
    assert!(matches!(touched, Output::Flag(true)));
    let deleted = client.one(SessionOp::Delete).await.unwrap();
    assert!(matches!(deleted, Output::Flag(true)));
    assert!(matches!(
        client.one(SessionOp::Get).await.unwrap(),
        Output::Missing
    ));
    server.stop().await;
}

#[tokio::test]
async fn a_loaded_session_is_updated_only_if_it_still_exists() {
    let server = server().await;
    let client = Client::open(server.addr().port(), "test");
    client.save(r#"{"a":1,"b":1}"#).await.unwrap();
    let Output::Loaded(baseline) = client.one(SessionOp::Load).await.unwrap() else {
        panic!("no session");
    };
    client.save(r#"{"a":1,"b":2}"#).await.unwrap();
    let set = |json: &str| SessionOp::Set {
        json: json.into(),
        expires: now() + 60_000,
        baseline: Some(baseline.clone()),
        writer: client.view.writer(1),
        user: None,
    };
    client.one(set(r#"{"a":9,"b":1}"#)).await.unwrap();
    let merged = client.one(SessionOp::Get).await.unwrap();
    assert_eq!(json(merged), r#"{"a":9,"b":2}"#);

    client.one(SessionOp::Destroy).await.unwrap();
    let Output::Written(written, _) = client.one(set(r#"{"a":7,"b":1}"#)).await.unwrap() else {
        panic!("not written");
    };
    assert_eq!(written.gone.map(|digest| digest.len()), Some(40));
    assert!(matches!(
        client.one(SessionOp::Get).await.unwrap(),
        Output::Missing
    ));
    server.stop().await;
}

#[tokio::test]
async fn a_refused_ttl_is_reported_once_and_sessions_are_stored_without_one() {
    let server = server().await;
    let mut client = Client::open(server.addr().port(), "nottl");
    for _ in 0..3 {
        client.save("{}").await.unwrap();
    }
    assert_eq!(client.notices.recv().await, Some(Notice::Up));
    assert_eq!(client.notices.recv().await, Some(Notice::TtlRefused));
    assert!(client.notices.try_recv().is_err());
    server.stop().await;
}

#[tokio::test]
async fn requests_for_one_session_run_in_order() {
    let server = server().await;
    let client = Client::open(server.addr().port(), "test");
    let mut answers = Vec::new();
    for n in 0..50 {
        let save = SessionOp::Save {
            json: format!("{{\"n\":{n}}}"),
            expires: now() + 60_000,
        };
        for op in [save, SessionOp::Get] {
            let id = "same".into();
            answers.push(client.ask(Operation::Session {
                name: SessionName::Id(id),
                op,
            }));
        }
    }
    for (index, answer) in answers.into_iter().enumerate() {
        let answer = answer.await.unwrap().unwrap();
        match index % 2 {
            0 => assert!(matches!(answer, Output::Done)),
            _ => assert_eq!(json(answer), format!("{{\"n\":{}}}", index / 2)),
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_to_a_silent_server_ends_at_its_deadline() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::open(silent.local_addr().unwrap().port(), "test");
    let began = Instant::now();
    let error = client.one(SessionOp::Get).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    // Not a measurement of speed: this only checks that the request ended.
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn closing_fails_pending_and_later_requests() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::open(silent.local_addr().unwrap().port(), "test");
    let pending = client.ask(Operation::Scan(ScanOp::Length { partitions: None }));
    client.ask(Operation::Close).await.unwrap().unwrap();
    assert_eq!(pending.await.unwrap().unwrap_err().code, Code::Closed);
    let after = client.ask(Operation::Ready).await.unwrap();
    assert_eq!(after.unwrap_err().code, Code::Closed);
}

impl Client {
    /// Runs an operation on one entry of a cache. The set also holds the session of the other operations.
    async fn cache(&self, key: &str, op: CacheOp) -> Result<Output, Error> {
        let name = SessionName::Id(key.into());
        let op = SessionOp::Cache(op);
        self.ask(Operation::Session { name, op }).await.unwrap()
    }
}

fn entry(value: &str, expires: Option<i64>) -> Entry {
    Entry {
        value: value.into(),
        expires,
        key: Some("the key".into()),
    }
}

#[tokio::test]
async fn a_cache_stores_takes_and_clears_beside_sessions() {
    let server = server().await;
    let client = Client::open(server.addr().port(), "test");
    client.save("{}").await.unwrap();
    let set = |value, expires| CacheOp::Set(entry(value, expires));
    client.cache("a", set("1", None)).await.unwrap();
    client
        .cache("a", set("2", Some(now() + 60_000)))
        .await
        .unwrap();
    client.cache("ended", set("3", Some(now()))).await.unwrap();
    assert_eq!(json(client.cache("a", CacheOp::Get).await.unwrap()), "2");
    let ended = client.cache("ended", CacheOp::Get).await.unwrap();
    assert!(matches!(ended, Output::Missing));
    assert_eq!(json(client.cache("a", CacheOp::Take).await.unwrap()), "2");
    let taken = client.cache("a", CacheOp::Take).await.unwrap();
    assert!(matches!(taken, Output::Missing));
    client.cache("b", set("4", None)).await.unwrap();
    let clear = client.ask(Operation::Cache(ManyOp::Clear));
    clear.await.unwrap().unwrap();
    let cleared = client.cache("b", CacheOp::Has).await.unwrap();
    assert!(matches!(cleared, Output::Flag(false)));
    assert_eq!(json(client.one(SessionOp::Get).await.unwrap()), "{}");
    server.stop().await;
}

#[tokio::test]
async fn an_increment_with_the_same_token_counts_once() {
    let server = server().await;
    let client = Client::open(server.addr().port(), "test");
    let increment = |token| CacheOp::Increment {
        expires: now() + 60_000,
        token,
    };
    for (token, expected) in [(1, 1), (1, 1), (2, 2), (2, 2), (1, 3)] {
        let count = client.cache("n", increment(token)).await.unwrap();
        assert!(matches!(count, Output::Count(count) if count == expected));
    }
    server.stop().await;
}
