//! Faults that return a result code, and the requests that a fault strikes.

#![allow(clippy::unwrap_used)]

mod common;

use aerospike::operations;
use aerospike::*;
use aerospike_session_devserver::{Config, DevServer};
use common::*;
use proptest::prelude::*;
use serde_json::json;

fn key(id: &str) -> Key {
    Key::new("test", "sessions", Value::from(id)).unwrap()
}

async fn put(client: &Client, id: &str) -> Result<()> {
    let policy = write_policy(|policy| policy.base_policy.max_retries = 0);
    client.put(&policy, &key(id), &[as_bin!("a", 1)]).await
}

async fn read(client: &Client, id: &str) -> Result<Record> {
    let mut policy = ReadPolicy::default();
    policy.base_policy.max_retries = 0;
    client.get(&policy, &key(id), Bins::All).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_code_replaces_the_command() {
    let (server, client) = start().await;
    put(&client, "a").await.unwrap();
    for (code, expected) in [
        (json!(14), ResultCode::KeyBusy),
        (json!("KEY_BUSY"), ResultCode::KeyBusy),
        (json!(13), ResultCode::RecordTooBig),
    ] {
        let fault = inject(
            &server,
            json!({ "kind": "code", "code": code, "times": 2, "on": ["write", "read"] }),
        )
        .await;
        assert_eq!(refusal(put(&client, "b").await), expected);
        assert_eq!(refusal(read(&client, "a").await), expected);
        assert_eq!(
            refusal(read(&client, "b").await),
            ResultCode::KeyNotFoundError
        );
        assert_eq!(struck(&server, fault, 0).await, 2);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_can_fail_a_command_after_executing_it() {
    let (server, client) = start().await;
    inject(
        &server,
        json!({ "kind": "code", "code": "TIMEOUT", "when": "after", "times": 1 }),
    )
    .await;
    assert_eq!(refusal(put(&client, "a").await), ResultCode::Timeout);
    read(&client, "a").await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_can_fail_one_row_of_a_batch() {
    let (server, client) = start().await;
    let bad = json!({ "kind": "code", "code": 14, "set": "sessions", "key": "2", "on": "write" });
    let fault = inject(&server, bad).await;
    let other = inject(
        &server,
        json!({ "kind": "code", "code": 9, "on": ["read", "query"] }),
    )
    .await;
    let row = BatchWritePolicy::default();
    let bins = vec![operations::put(&as_bin!("a", 1))];
    let mut rows: Vec<_> = ["1", "2", "3"]
        .map(|id| BatchOperation::write(&row, key(id), bins.clone()))
        .into();
    client
        .batch(&BatchPolicy::default(), &mut rows)
        .await
        .unwrap();
    let codes = rows
        .iter()
        .map(|row| row.error().map(|error| error.server_result_code()));
    assert_eq!(
        codes.collect::<Vec<_>>(),
        [None, Some(Some(ResultCode::KeyBusy)), None]
    );
    assert_eq!(struck(&server, fault, 0).await, 1);
    assert_eq!(struck(&server, other, 0).await, 0);
    assert_eq!(server.objects("test"), Some(2));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_on_batch_fails_the_whole_batch() {
    let (server, client) = start().await;
    let fault = json!({ "kind": "code", "code": "BATCH_QUEUES_FULL", "on": "batch" });
    let fault = inject(&server, fault).await;
    let mut policy = BatchPolicy::default();
    policy.base_policy.max_retries = 0;
    let bins = vec![operations::put(&as_bin!("a", 1))];
    let row = BatchWritePolicy::default();
    let mut rows: Vec<_> = ["1", "2"]
        .map(|id| BatchOperation::write(&row, key(id), bins.clone()))
        .into();
    client.batch(&policy, &mut rows).await.unwrap();
    // The client reports the code of the closing frame for the first row, and no result for the others.
    let codes: Vec<_> = rows.iter().map(BatchOperation::result_code).collect();
    assert_eq!(codes, [Some(ResultCode::BatchQueuesFull), None]);
    assert_eq!(struck(&server, fault, 0).await, 1);
    assert_eq!(server.objects("test"), Some(0));
    put(&client, "3").await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_device_refuses_writes_and_touches() {
    let (server, client) = start().await;
    put(&client, "a").await.unwrap();
    let fault = inject(&server, json!({ "kind": "overload" })).await;
    assert_eq!(refusal(put(&client, "b").await), ResultCode::DeviceOverload);
    let once = write_policy(|policy| policy.base_policy.max_retries = 0);
    let touched = client.touch(&once, &key("a")).await;
    assert_eq!(refusal(touched), ResultCode::DeviceOverload);
    // This check comes first, also before NOT_FOUND.
    let touched = client.touch(&once, &key("none")).await;
    assert_eq!(refusal(touched), ResultCode::DeviceOverload);
    read(&client, "a").await.unwrap();
    assert!(client.delete(&once, &key("a")).await.unwrap());
    assert_eq!(struck(&server, fault, 0).await, 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_distinguish_all_operations() {
    let (server, client) = start().await;
    put(&client, "a").await.unwrap();
    let mut faults = Vec::new();
    for on in ["read", "write", "touch", "delete", "batch", "query"] {
        let fault = json!({ "kind": "latency", "ms": 0, "on": on });
        faults.push((on, inject(&server, fault).await));
    }
    let policy = WritePolicy::default();
    let key = key("a");
    let mut seen = Vec::new();
    let mut told = async |what: &str| {
        let mut now = Vec::new();
        for (on, fault) in &faults {
            now.push((*on, struck(&server, *fault, 0).await));
        }
        let before = std::mem::replace(&mut seen, now.clone());
        let on: Vec<_> = now
            .iter()
            .enumerate()
            .filter(|(at, (_, count))| *count > before.get(*at).map_or(0, |(_, count)| *count))
            .map(|(_, (on, _))| *on)
            .collect();
        assert_eq!(on.join(" "), what);
    };
    read(&client, "a").await.unwrap();
    told("read").await;
    client.exists(&ReadPolicy::default(), &key).await.unwrap();
    told("read").await;
    let reads = [operations::get()];
    client.operate(&policy, &key, &reads).await.unwrap();
    told("read").await;
    put(&client, "a").await.unwrap();
    told("write").await;
    let both = [operations::touch(), operations::put(&as_bin!("a", 2))];
    client.operate(&policy, &key, &both).await.unwrap();
    told("write").await;
    client.touch(&policy, &key).await.unwrap();
    told("touch").await;
    // A batch of one row is sent as a single command.
    let row = BatchReadPolicy::default();
    let rows = &mut [1, 2].map(|_| BatchOperation::read(&row, key.clone(), Bins::All));
    client.batch(&BatchPolicy::default(), rows).await.unwrap();
    told("read batch").await;
    let statement = Statement::new("test", "sessions", Bins::All);
    let records = client
        .query(&QueryPolicy::default(), PartitionFilter::all(), statement)
        .await
        .unwrap();
    assert_eq!(futures::StreamExt::count(records.into_stream()).await, 1);
    told("query").await;
    client.delete(&policy, &key).await.unwrap();
    told("delete").await;
    client
        .operate(&policy, &key, &[operations::delete()])
        .await
        .ok();
    told("delete").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_strikes_only_what_its_filters_match() {
    let (server, client) = start().await;
    let other_set = Key::new("test", "others", Value::from("a")).unwrap();
    let other_namespace = Key::new("nottl", "sessions", Value::from("a")).unwrap();
    let number = Key::new("test", "sessions", Value::from(7)).unwrap();
    let text = Key::new("test", "sessions", Value::from("7")).unwrap();
    let keys = [key("a"), other_set, other_namespace, number, text];
    for (filter, expected) in [
        (json!({ "namespace": "nottl" }), [2].as_slice()),
        (json!({ "set": "others" }), &[1]),
        (
            json!({ "key": "a", "set": "sessions", "namespace": "test" }),
            &[0],
        ),
        (json!({ "key": "a" }), &[0, 1, 2]),
        (json!({ "key": 7 }), &[3]),
        (json!({ "node": 0 }), &[0, 1, 2, 3, 4]),
        (json!({ "set": "none" }), &[]),
    ] {
        let mut fault = json!({ "kind": "code", "code": 22 });
        fault
            .as_object_mut()
            .unwrap()
            .extend(filter.as_object().unwrap().clone());
        let fault = inject(&server, fault).await;
        let mut hit = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let outcome = client
                .put(&WritePolicy::default(), key, &[as_bin!("a", 1)])
                .await;
            if outcome.is_err() {
                hit.push(index);
            }
        }
        assert_eq!(hit, expected, "{filter}");
        assert_eq!(struck(&server, fault, 0).await, expected.len() as u64);
        command(&server, json!({ "command": "clearFaults" }))
            .await
            .unwrap();
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_gives_the_same_faults() {
    let (server, client) = start().await;
    let run = async |seed: u64| {
        let fault =
            json!({ "kind": "code", "code": 22, "probability": 0.5, "seed": seed, "times": 1000 });
        let fault = inject(&server, fault).await;
        let mut outcomes = Vec::new();
        for _ in 0..64 {
            outcomes.push(put(&client, "a").await.is_ok());
        }
        let count = struck(&server, fault, 0).await;
        assert_eq!(count as usize, outcomes.iter().filter(|ok| !**ok).count());
        command(&server, json!({ "command": "clearFault", "id": fault }))
            .await
            .unwrap();
        outcomes
    };
    let (first, second, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert!(first.contains(&true) && first.contains(&false));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_an_invalid_fault_with_a_reason() {
    let server = DevServer::start(Config::default()).await.unwrap();
    let refusals = [
        (json!({}), "missing field `kind`"),
        (json!({ "kind": "fire" }), "unknown variant `fire`"),
        (json!({ "kind": "drop", "tims": 3 }), "unknown field `tims`"),
        (json!({ "kind": "drop", "ms": 3 }), "takes no 'ms'"),
        (
            json!({ "kind": "drop", "when": "never" }),
            "unknown variant `never`",
        ),
        (
            json!({ "kind": "drop", "on": "eat" }),
            "unknown operation 'eat'",
        ),
        (
            json!({ "kind": "drop", "on": [] }),
            "at least one operation",
        ),
        (
            json!({ "kind": "drop", "times": 0 }),
            "'times' must be at least 1",
        ),
        (json!({ "kind": "drop", "times": -1 }), "expected u64"),
        (
            json!({ "kind": "drop", "probability": 0 }),
            "'probability' must be",
        ),
        (
            json!({ "kind": "drop", "probability": 1.5 }),
            "'probability' must be",
        ),
        (json!({ "kind": "drop", "node": 1 }), "there is no node 1"),
        (json!({ "kind": "drop", "lasts": 0 }), "'lasts' must be"),
        (json!({ "kind": "latency" }), "needs 'ms'"),
        (
            json!({ "kind": "latency", "ms": u64::MAX }),
            "'ms' must be at most",
        ),
        (json!({ "kind": "code" }), "needs 'code'"),
        (
            json!({ "kind": "code", "code": 0 }),
            "a result code from 1 to 255",
        ),
        (
            json!({ "kind": "code", "code": "OK" }),
            "a result code from 1 to 255",
        ),
        (
            json!({ "kind": "code", "code": "BUSY" }),
            "a result code from 1 to 255",
        ),
        (
            json!({ "kind": "code", "code": 9, "on": "info" }),
            "strikes read, write",
        ),
        (
            json!({ "kind": "code", "code": 9, "when": "midReply" }),
            "'before' or 'after'",
        ),
        (json!({ "kind": "overload", "on": "read" }), "takes no 'on'"),
        (json!({ "kind": "freeze", "times": 1 }), "takes no 'times'"),
        (
            json!({ "kind": "refuse", "probability": 1 }),
            "takes no 'probability'",
        ),
    ];
    for (fault, words) in refusals {
        let response = command(&server, json!({ "command": "inject", "fault": fault })).await;
        let reason = response.unwrap_err();
        assert!(reason.contains(words), "{fault}: {reason}");
    }
    let faults = command(&server, json!({ "command": "faults" })).await;
    assert_eq!(faults, Ok(json!([])));
    for _ in 0..1000 {
        inject(&server, json!({ "kind": "drop" })).await;
    }
    let one_more = json!({ "command": "inject", "fault": { "kind": "drop" } });
    assert!(
        command(&server, one_more)
            .await
            .unwrap_err()
            .contains("clear some")
    );
    server.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_control_protocol_survives_any_text(text in "[ -~\\n]{0,200}") {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let server = DevServer::start(Config::default()).await.unwrap();
            let response = info(&server, &format!("dev-server:{text}\n"));
            assert!(response.contains("\tERROR:4:"), "{response}");
            server.stop().await;
        });
    }
}
