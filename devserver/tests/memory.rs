//! Memory: a full namespace refuses only writes, and clients cannot make the server use too much memory.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use aerospike::operations;
use aerospike::query::PartitionFilter;
use aerospike::*;
use aerospike_session_devserver::{Config, DevServer, NamespaceConfig};
use common::*;
use futures::StreamExt;

const MIB: u64 = 1024 * 1024;
const FULL: ResultCode = ResultCode::ServerMemError;

/// Starts a server whose namespace `test` holds 1 MiB.
async fn small() -> (DevServer, Client) {
    start_with(Config {
        namespaces: vec![NamespaceConfig {
            data_size: MIB,
            ..NamespaceConfig::new("test")
        }],
        ..Config::default()
    })
    .await
}

fn key(id: i64) -> Key {
    Key::new("test", "sessions", Value::from(id)).unwrap()
}

async fn put(client: &Client, id: i64, size: usize) -> Result<()> {
    let bins = [as_bin!("data", vec![7u8; size])];
    client.put(&write_policy(|_| {}), &key(id), &bins).await
}

/// Writes records of 10,000 bytes until one is refused. Returns the number of records.
async fn fill(client: &Client) -> i64 {
    for id in 0..1000 {
        if let Err(error) = put(client, id, 10_000).await {
            assert_eq!(error.server_result_code(), Some(FULL));
            return id;
        }
    }
    panic!("it takes ten times what it may hold");
}

fn figure(server: &DevServer, name: &str) -> String {
    let response = info(server, "namespace/test\n");
    response
        .split(['\t', ';', '\n'])
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("no {name} in {response}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_namespace_refuses_only_writes() {
    let (server, client) = small().await;
    let count = fill(&client).await;
    // 70 % of 1 MiB, in records of 10,000 bytes with their headers.
    assert_eq!(count, 73);
    let write = write_policy(|_| {});
    assert_eq!(refusal(put(&client, 0, 10).await), FULL);
    assert_eq!(refusal(client.touch(&write, &key(0)).await), FULL);
    assert_eq!(refusal(client.touch(&write, &key(-1)).await), FULL);
    let bin = as_bin!("n", 1);
    let mixed = [operations::get_bin("data"), operations::add(&bin)];
    assert_eq!(refusal(client.operate(&write, &key(0), &mixed).await), FULL);

    assert!(get(&client, &key(0)).await.is_ok());
    assert!(
        client
            .exists(&ReadPolicy::default(), &key(0))
            .await
            .unwrap()
    );
    let policy = QueryPolicy::default();
    let statement = Statement::new("test", "sessions", Bins::All);
    let records = client
        .query(&policy, PartitionFilter::all(), statement)
        .await
        .unwrap();
    assert_eq!(records.into_stream().count().await, count as usize);
    assert!(client.delete(&write, &key(0)).await.unwrap());
    assert!(!client.delete(&write, &key(0)).await.unwrap());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_fails_row_by_row_in_a_full_namespace() {
    let (server, client) = small().await;
    fill(&client).await;
    let (reads, writes) = (BatchReadPolicy::default(), BatchWritePolicy::default());
    let deletes = BatchDeletePolicy::default();
    let bin = as_bin!("n", 1);
    let mut rows = [
        BatchOperation::write(&writes, key(0), vec![operations::put(&bin)]),
        BatchOperation::read(&reads, key(1), Bins::All),
        BatchOperation::delete(&deletes, key(2)),
    ];
    client
        .batch(&BatchPolicy::default(), &mut rows)
        .await
        .unwrap();
    let codes: Vec<_> = rows.iter().map(BatchOperation::result_code).collect();
    assert_eq!(
        codes,
        [Some(FULL), Some(ResultCode::Ok), Some(ResultCode::Ok)]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_and_truncation_make_room() {
    let (server, client) = small().await;
    let count = fill(&client).await;
    for id in 0..2 {
        client
            .delete(&write_policy(|_| {}), &key(id))
            .await
            .unwrap();
    }
    put(&client, 0, 10_000).await.unwrap();
    // Records written in the millisecond of the truncation stay.
    tokio::time::sleep(Duration::from_millis(5)).await;
    info(&server, "truncate:namespace=test;set=sessions\n");
    assert_eq!(figure(&server, "data_used_bytes"), "0");
    assert_eq!(fill(&client).await, count);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_used_bytes_as_a_real_server_does() {
    let (server, client) = small().await;
    assert_eq!(figure(&server, "storage-engine.data-size"), "1048576");
    assert_eq!(figure(&server, "data_total_bytes"), "1048576");
    assert_eq!(figure(&server, "data_used_bytes"), "0");
    assert_eq!(figure(&server, "stop_writes"), "false");
    let bins = [as_bin!("a", 1)];
    let policy = write_policy(|_| {});
    client.put(&policy, &key(1), &bins).await.unwrap();
    // The values of server 8.1 for this record: 64 bytes in the index, 64 in storage.
    assert_eq!(figure(&server, "data_used_bytes"), "64");
    assert_eq!(figure(&server, "index_used_bytes"), "64");
    fill(&client).await;
    assert_eq!(figure(&server, "data_used_pct"), "70");
    assert_eq!(figure(&server, "stop_writes"), "true");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn index_entries_fill_a_namespace() {
    let (server, client) = small().await;
    // 2,000 entries of each record in each of 20 indexes, while the records use few bytes.
    for id in 0..20 {
        info(
            &server,
            &format!(
                "sindex-create:namespace=test;indexname=i{id};bin=b{id};indextype=list;type=numeric\n"
            ),
        );
    }
    let numbers: Vec<Value> = (0..2000).map(Value::from).collect();
    let bins: Vec<Bin> = (0..20)
        .map(|id| Bin::new(format!("b{id}"), Value::List(numbers.clone())))
        .collect();
    let policy = write_policy(|_| {});
    client.put(&policy, &key(1), &bins).await.unwrap();
    assert_eq!(refusal(client.put(&policy, &key(2), &bins).await), FULL);
    assert_eq!(figure(&server, "stop_writes"), "true");
    info(
        &server,
        "sindex-delete:namespace=test;indexname=i0\nsindex-delete:namespace=test;indexname=i1\nsindex-delete:namespace=test;indexname=i2\nsindex-delete:namespace=test;indexname=i3\n",
    );
    assert_eq!(figure(&server, "stop_writes"), "false");
    server.stop().await;
}

/// Returns the number of connections besides the current one.
fn other_connections(server: &DevServer) -> usize {
    let response = info(server, "statistics\n");
    let count = response
        .split(['\t', ';'])
        .find_map(|pair| pair.strip_prefix("client_connections="))
        .unwrap();
    count.parse::<usize>().unwrap() - 1
}

/// Returns a query for all bins of all records of a namespace.
fn scan() -> Vec<u8> {
    let mut body = vec![22, 3, 0, 4, 0, 0];
    body.extend([0; 12]);
    body.extend([0, 2, 0, 0]);
    body.extend([0, 0, 0, 5, 0]);
    body.extend(b"test");
    body.extend((1 + 2 * 4096u32).to_be_bytes());
    body.push(11);
    (0..4096u16).for_each(|id| body.extend(id.to_le_bytes()));
    frame(3, &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn drops_a_client_that_does_not_read_and_serves_others() {
    let server = DevServer::start(Config {
        transfer_timeout: Duration::from_millis(200),
        ..Config::default()
    })
    .await
    .unwrap();
    let client = connect(&server).await;
    for id in 0..40 {
        put(&client, id, 1_000_000).await.unwrap();
    }
    client.close().await.unwrap();
    while other_connections(&server) > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.write_all(&scan()).unwrap();
    while other_connections(&server) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Waits until the server has closed the connection.
    while other_connections(&server) > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    assert!(response.len() < 40_000_000, "{} bytes came", response.len());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closes_connections_when_large_requests_exceed_the_memory_limit() {
    let server = DevServer::start(Config::default()).await.unwrap();
    let large = 127 * MIB;
    // Each sends all but the last byte of a request.
    let begin = || {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        let mut header = vec![2, 3];
        header.extend(&large.to_be_bytes()[2..]);
        let sent = stream.write_all(&header);
        let part = vec![0; MIB as usize];
        let sent = (1..large / MIB).fold(sent, |sent, _| sent.and(stream.write_all(&part)));
        (stream, sent)
    };
    let begun: Vec<_> = (0..6).map(|_| begin()).collect();
    let refused = begun.iter().filter(|(_, sent)| sent.is_err()).count();
    assert!(refused >= 1, "all six were kept");
    assert_eq!(info(&server, "status\n"), "status\tok\n");
    drop(begun);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hides_truncated_records_at_once_and_frees_their_memory_later() {
    let (server, client) = start().await;
    // More records than are removed before the response.
    let written = futures::stream::iter(0..10_100)
        .map(|id| put(&client, id, 1))
        .buffer_unordered(64)
        .filter(|outcome| std::future::ready(outcome.is_ok()))
        .count()
        .await;
    assert_eq!(written, 10_100);
    tokio::time::sleep(Duration::from_millis(5)).await;
    info(&server, "truncate:namespace=test;set=sessions\n");
    for id in [0, 5000, 10_099] {
        let missing = refusal(get(&client, &key(id)).await);
        assert_eq!(missing, ResultCode::KeyNotFoundError);
    }
    // Waits until all are removed.
    while figure(&server, "data_used_bytes") != "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop().await;
}
