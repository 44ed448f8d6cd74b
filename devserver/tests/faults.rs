//! Faults of connections and nodes, as a client sees them.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use aerospike::{
    BatchOperation, BatchPolicy, BatchWritePolicy, Key, ReadPolicy, ResultCode, Value, WritePolicy,
    as_bin, operations,
};
use aerospike_session_devserver::DevServer;
use common::*;
use serde_json::{Value as Json, json};

fn key(id: &str) -> Key {
    Key::new("test", "sessions", Value::from(id)).unwrap()
}

/// A connection that repeatedly requests the status.
struct Asker(TcpStream);

const ASKED: &[u8] = b"status\n";
const RESPONSE: &[u8] = b"status\tok\n";

impl Asker {
    fn connect(server: &DevServer) -> Asker {
        let stream = TcpStream::connect(server.addr()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Asker(stream)
    }

    fn ask(&mut self) {
        self.0.write_all(&frame(1, ASKED)).unwrap();
    }

    /// Returns the next response, or the kind of the error.
    fn response(&mut self) -> Result<(), ErrorKind> {
        let mut response = vec![0; 8 + RESPONSE.len()];
        self.0
            .read_exact(&mut response)
            .map_err(|error| error.kind())?;
        assert_eq!(response[8..], *RESPONSE);
        Ok(())
    }

    /// Whether nothing was received, and the connection is open.
    fn hears_nothing(&mut self) -> bool {
        self.0
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let heard = self.0.read(&mut [0; 1]).map_err(|error| error.kind());
        self.0
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        matches!(heard, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_delays_only_its_operations() {
    let (server, client) = start().await;
    let slow = inject(
        &server,
        json!({ "kind": "latency", "ms": 3_600_000, "on": "write" }),
    )
    .await;
    let impatient = write_policy(|policy| {
        policy.base_policy.total_timeout = 200;
        policy.base_policy.max_retries = 0;
    });
    let (id, bins) = (key("a"), [as_bin!("a", 1)]);
    let put = client.put(&impatient, &id, &bins);
    let (outcome, count) = tokio::join!(put, struck(&server, slow, 1));
    outcome.unwrap_err();
    assert_eq!(count, 1);
    assert_eq!(
        refusal(get(&client, &key("a")).await),
        ResultCode::KeyNotFoundError
    );
    // A waiting request does not delay stopping.
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_completes_every_request() {
    let (server, client) = start().await;
    for when in ["before", "after", "midReply"] {
        let fault = json!({ "kind": "latency", "ms": 5, "jitter": 5, "when": when, "times": 1 });
        let slow = inject(&server, fault).await;
        client
            .put(&WritePolicy::default(), &key(when), &[as_bin!("a", 1)])
            .await
            .unwrap();
        get(&client, &key(when)).await.unwrap();
        assert_eq!(struck(&server, slow, 0).await, 1);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_after_execution_delays_the_response_only() {
    let (server, client) = start().await;
    let slow = json!({ "kind": "latency", "ms": 3_600_000, "on": "write", "when": "after" });
    let slow = inject(&server, slow).await;
    let impatient = write_policy(|policy| {
        policy.base_policy.total_timeout = 200;
        policy.base_policy.max_retries = 0;
    });
    let (alone, bins) = (key("alone"), [as_bin!("a", 1)]);
    client.put(&impatient, &alone, &bins).await.unwrap_err();
    let mut policy = BatchPolicy::default();
    policy.base_policy.total_timeout = 200;
    policy.base_policy.max_retries = 0;
    let put = vec![operations::put(&bins[0])];
    let row = |id| BatchOperation::write(&BatchWritePolicy::default(), key(id), put.clone());
    let mut rows = ["first", "second"].map(row);
    let outcome = client.batch(&policy, &mut rows).await;
    assert!(
        outcome.is_err()
            || rows
                .iter()
                .all(|row| row.result_code() != Some(ResultCode::Ok))
    );
    for id in ["alone", "first", "second"] {
        get(&client, &key(id)).await.unwrap();
    }
    assert_eq!(struck(&server, slow, 2).await, 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drops_and_resets_connections_at_each_point_of_a_request() {
    let server = server().await;
    for (kind, end) in [
        ("drop", ErrorKind::UnexpectedEof),
        ("reset", ErrorKind::ConnectionReset),
    ] {
        for when in ["before", "after", "midReply"] {
            let fault = json!({ "kind": kind, "on": "info", "when": when, "times": 1 });
            let fault = inject(&server, fault).await;
            let mut struck_one = Asker::connect(&server);
            struck_one.ask();
            assert_eq!(struck_one.response(), Err(end), "{kind} {when}");
            let mut next = Asker::connect(&server);
            next.ask();
            assert_eq!(next.response(), Ok(()));
            assert_eq!(struck(&server, fault, 0).await, 1);
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drops_a_connection_after_half_of_a_response() {
    let server = server().await;
    inject(
        &server,
        json!({ "kind": "drop", "on": "info", "when": "midReply" }),
    )
    .await;
    let response = exchange(&server, &frame(1, ASKED), 10_000);
    let whole = frame(1, RESPONSE);
    assert_eq!(response, whole[..whole.len() / 2]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_point_of_a_fault_decides_whether_a_request_is_applied() {
    let (server, client) = start().await;
    let once = write_policy(|policy| policy.base_policy.max_retries = 0);
    for (kind, when, is_applied) in [
        ("drop", "before", false),
        ("drop", "after", true),
        ("reset", "before", false),
        ("reset", "after", true),
        ("reset", "midReply", true),
    ] {
        let id = format!("{kind} {when}");
        let fault = json!({ "kind": kind, "when": when, "on": "write", "times": 1 });
        let fault = inject(&server, fault).await;
        client
            .put(&once, &key(&id), &[as_bin!("a", 1)])
            .await
            .unwrap_err();
        assert_eq!(struck(&server, fault, 0).await, 1);
        assert_eq!(get(&client, &key(&id)).await.is_ok(), is_applied, "{id}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn applies_all_rows_of_a_batch_before_its_response_is_lost() {
    let (server, client) = start().await;
    inject(
        &server,
        json!({ "kind": "drop", "when": "after", "on": "batch", "times": 1 }),
    )
    .await;
    let mut policy = BatchPolicy::default();
    policy.base_policy.max_retries = 0;
    let operations = [operations::put(&as_bin!("text", "x".repeat(10_000)))];
    let row = BatchWritePolicy::default();
    let rows = 0..100;
    let mut batch: Vec<_> = rows
        .clone()
        .map(|id| BatchOperation::write(&row, key(&id.to_string()), operations.to_vec()))
        .collect();
    let outcome = client.batch(&policy, &mut batch).await;
    assert!(outcome.is_err() || batch.iter().all(|row| row.error().is_some()));
    assert_eq!(server.objects("test"), Some(100));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_accepts_requests_and_never_responds() {
    let server = server().await;
    let fault = inject(
        &server,
        json!({ "kind": "silent", "on": "any", "times": 1 }),
    )
    .await;
    let mut struck_one = Asker::connect(&server);
    struck_one.ask();
    assert_eq!(struck(&server, fault, 1).await, 1);
    // This connection stays lost. Others work.
    clear(&server).await;
    struck_one.ask();
    let mut other = Asker::connect(&server);
    other.ask();
    assert_eq!(other.response(), Ok(()));
    assert!(struck_one.hears_nothing());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusing_node_closes_its_port_and_keeps_its_connections() {
    let server = server().await;
    let mut old = Asker::connect(&server);
    old.ask();
    assert_eq!(old.response(), Ok(()));
    for _ in 0..3 {
        let fault = inject(&server, json!({ "kind": "refuse", "node": 0 })).await;
        assert_eq!(struck(&server, fault, 0).await, 1);
        let refused = TcpStream::connect(server.addr()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        old.ask();
        assert_eq!(old.response(), Ok(()));
        clear(&server).await;
        let mut new = Asker::connect(&server);
        new.ask();
        assert_eq!(new.response(), Ok(()));
    }
    inject(&server, json!({ "kind": "refuse" })).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_with_a_duration_ends_by_itself() {
    let server = server().await;
    let fault = inject(&server, json!({ "kind": "refuse", "lasts": 100 })).await;
    TcpStream::connect(server.addr()).unwrap_err();
    // There are never two strikes, so this waits for the end of the fault.
    assert_eq!(struck(&server, fault, 2).await, 1);
    while TcpStream::connect(server.addr()).is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let faults = command(&server, json!({ "command": "faults" }))
        .await
        .unwrap();
    assert_eq!(faults[0]["isOver"], true);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_node_accepts_connections_and_does_nothing_until_it_is_thawed() {
    let server = server().await;
    let mut old = Asker::connect(&server);
    old.ask();
    assert_eq!(old.response(), Ok(()));
    let freeze = inject(&server, json!({ "kind": "freeze" })).await;
    let mut new = Asker::connect(&server);
    for asker in [&mut old, &mut new] {
        asker.ask();
        asker.ask();
    }
    assert_eq!(struck(&server, freeze, 2).await, 2);
    assert!(old.hears_nothing() && new.hears_nothing());
    clear(&server).await;
    for asker in [&mut old, &mut new] {
        assert_eq!((asker.response(), asker.response()), (Ok(()), Ok(())));
    }
    inject(&server, json!({ "kind": "freeze" })).await;
    old.ask();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_frozen_node_was_sent_is_carried_out_when_it_is_thawed_unless_its_client_has_hung_up()
 {
    let (server, client) = start().await;
    let fault = inject(&server, json!({ "kind": "freeze" })).await;
    let waits = |milliseconds| {
        write_policy(|policy| {
            policy.base_policy.total_timeout = milliseconds;
            policy.base_policy.max_retries = 0;
        })
    };
    let impatient = waits(200);
    client
        .put(&impatient, &key("a"), &[as_bin!("a", 1)])
        .await
        .unwrap_err();
    let (patient, other, bins) = (waits(30_000), key("b"), [as_bin!("b", 1)]);
    let (put, ()) = tokio::join!(client.put(&patient, &other, &bins), async {
        struck(&server, fault, 2).await;
        clear(&server).await;
    });
    put.unwrap();
    assert!(
        !client
            .exists(&ReadPolicy::default(), &key("a"))
            .await
            .unwrap()
    );
    assert_eq!(server.objects("test"), Some(1));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_strike_info_and_login_only_by_name() {
    let server = server().await;
    let fault = inject(&server, json!({ "kind": "drop" })).await;
    let mut asker = Asker::connect(&server);
    asker.ask();
    assert_eq!(asker.response(), Ok(()));
    assert_eq!(struck(&server, fault, 0).await, 0);
    let login = inject(&server, json!({ "kind": "drop", "on": "login" })).await;
    assert!(exchange(&server, &frame(2, &[0; 16]), 10_000).is_empty());
    assert_eq!(struck(&server, login, 0).await, 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_protocol_works_on_a_frozen_node() {
    let server = server().await;
    inject(&server, json!({ "kind": "freeze" })).await;
    inject(&server, json!({ "kind": "drop", "on": "any" })).await;
    let ask = |command: Json| {
        let response = info(&server, &format!("dev-server:{command}\n"));
        response.split_once('\t').unwrap().1.trim_end().to_owned()
    };
    let parsed = |response: String| serde_json::from_str::<Json>(&response).unwrap();
    let faults = parsed(ask(json!({ "command": "faults" })));
    assert_eq!(faults[0]["kind"], "freeze");
    let fault = json!({ "kind": "code", "code": "KEY_BUSY" });
    let set = parsed(ask(json!({ "command": "inject", "fault": fault })));
    assert_eq!(
        (&set["id"], &set["code"], &set["struck"]),
        (&3.into(), &14.into(), &0.into())
    );
    assert_eq!(
        parsed(ask(json!({ "command": "clearFault", "id": 3 })))["kind"],
        "code"
    );
    assert_eq!(
        ask(json!({ "command": "clearFault", "id": 3 })),
        "ERROR:4:there is no fault 3"
    );
    assert!(ask(json!({ "command": "melt" })).starts_with("ERROR:4:unknown variant `melt`"));
    assert!(ask(json!(7)).starts_with("ERROR:4:"));
    let cleared = ask(json!({ "command": "clearFaults" }));
    assert_eq!(parsed(cleared).as_array().unwrap().len(), 2);
    assert_eq!(info(&server, "status\n"), "status\tok\n");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_a_strike_ends_when_the_server_stops() {
    let server = server().await;
    let fault = inject(&server, json!({ "kind": "drop" })).await;
    let (count, ()) = tokio::join!(struck(&server, fault, 1), async {
        tokio::task::yield_now().await;
        server.stop().await;
    });
    assert_eq!(count, 0);
}

async fn server() -> DevServer {
    DevServer::start(aerospike_session_devserver::Config::default())
        .await
        .unwrap()
}

async fn clear(server: &DevServer) {
    command(server, json!({ "command": "clearFaults" }))
        .await
        .unwrap();
}
