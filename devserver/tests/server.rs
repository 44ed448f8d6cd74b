//! The server: start, stop, data file, limits and malicious input.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aerospike::*;
use aerospike_session_devserver::{Config, DevServer, NamespaceConfig};
use common::*;

fn key(id: i64) -> Key {
    Key::new("test", "sessions", Value::from(id)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_on_the_same_port_at_once() {
    let (server, client) = start().await;
    let port = server.addr().port();
    server.stop().await;
    server.stop().await;
    let again = DevServer::start(Config {
        port,
        ..Config::default()
    })
    .await
    .unwrap();
    assert_eq!(again.addr().port(), port);
    drop(client);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_closes_every_connection() {
    let server = DevServer::start(Config::default()).await.unwrap();
    let mut idle = TcpStream::connect(server.addr()).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // A response means that the server has accepted the connection.
    idle.write_all(&frame(1, b"status\n")).unwrap();
    idle.read_exact(&mut [0; 8 + b"status\tok\n".len()])
        .unwrap();
    server.stop().await;
    assert_eq!(idle.read(&mut [0; 1]).unwrap_or(0), 0);
    assert!(TcpStream::connect(server.addr()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_an_invalid_configuration() {
    for namespaces in [
        vec![],
        vec![NamespaceConfig::new("")],
        vec![NamespaceConfig::new("a b")],
        vec![NamespaceConfig::new("a"), NamespaceConfig::new("a")],
    ] {
        let error = DevServer::start(Config {
            namespaces,
            ..Config::default()
        })
        .await
        .err()
        .unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closes_connections_beyond_the_limit() {
    let server = DevServer::start(Config {
        max_connections: 1,
        ..Config::default()
    })
    .await
    .unwrap();
    let mut first = TcpStream::connect(server.addr()).unwrap();
    first.write_all(&frame(1, b"status\n")).unwrap();
    first.read_exact(&mut [0; 8]).unwrap();
    assert!(exchange(&server, &frame(1, b"status\n"), 5000).is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closes_idle_and_stalled_connections() {
    let config = Config {
        idle_timeout: Some(Duration::from_millis(100)),
        transfer_timeout: Duration::from_millis(100),
        ..Config::default()
    };
    let server = DevServer::start(config).await.unwrap();
    for begun in [&b""[..], &[2, 3, 0, 0], &[2, 3, 0, 0, 0, 0, 1, 0, 22]] {
        let start = Instant::now();
        assert!(exchange(&server, begun, 5000).is_empty());
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{begun:?} was kept"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_the_address_that_the_client_used() {
    let server = DevServer::start(Config::default()).await.unwrap();
    assert_eq!(
        info(&server, "service-clear-std\n"),
        format!("service-clear-std\t{}\n", server.addr())
    );
    assert_eq!(
        info(&server, "namespaces\nbogus\n"),
        "namespaces\ttest;nottl\nbogus\tERROR:4:unrecognized command\n"
    );
    assert!(info(&server, "namespace/nottl\n").contains("nsup-period=0"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_clients_of_localhost() {
    let server = DevServer::start(Config::default()).await.unwrap();
    let hosts = vec![Host::new("localhost", server.addr().port())];
    let client = Client::new(&ClientPolicy::default(), &hosts).await.unwrap();
    client
        .put(&WritePolicy::default(), &key(1), &[as_bin!("a", 1)])
        .await
        .unwrap();
    client.close().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_malicious_input() {
    let (server, client) = start().await;
    let header = |info1: u8, fields: u16, ops: u16| {
        let mut header = vec![22, info1, 0, 0, 0, 0];
        header.extend_from_slice(&[0; 12]);
        header.extend_from_slice(&fields.to_be_bytes());
        header.extend_from_slice(&ops.to_be_bytes());
        header
    };
    let mut deep = vec![0x91; 100_000];
    deep.push(0xc0);
    let digest = |ops: &[u8]| {
        let mut body = header(1, 2, 1);
        body.extend_from_slice(&[0, 0, 0, 5, 0, b't', b'e', b's', b't', 0, 0, 0, 21, 4]);
        body.extend_from_slice(&[7; 20]);
        body[2] = 1;
        body.extend_from_slice(&((ops.len() + 5) as u32).to_be_bytes());
        body.extend_from_slice(&[2, 20, 0, 1, b'l']);
        body.extend_from_slice(ops);
        body
    };
    let malformed: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        frame(3, &[]),
        frame(3, &[22; 21]),
        frame(3, &header(1, u16::MAX, 0)),
        frame(3, &header(1, 0, u16::MAX)),
        frame(3, &header(8, 1, 0)),
        frame(
            3,
            &[header(8, 1, 0), vec![0, 0, 0, 6, 41, 255, 255, 255, 255, 0]].concat(),
        ),
        frame(3, &[header(1, 1, 0), vec![255, 255, 255, 255, 0]].concat()),
        frame(3, &[header(1, 1, 0), vec![0, 0, 0, 0, 0]].concat()),
        frame(3, &digest(&deep)),
        frame(3, &digest(&[0xdd, 255, 255, 255, 255])),
        frame(3, &digest(&[0xdf, 255, 255, 255, 255])),
        frame(4, &[0; 40]),
        frame(2, &[0; 16]),
        frame(1, &[0xff; 1000]),
        vec![2, 3, 255, 255, 255, 255, 255, 255],
        vec![2, 3, 0, 0, 7, 255, 255, 255],
    ];
    for bytes in &malformed {
        exchange(&server, bytes, 50);
        client
            .put(&WritePolicy::default(), &key(1), &[as_bin!("a", 1)])
            .await
            .expect("still serving");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_survive_a_restart_with_a_data_file() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        data_file: Some(directory.path().join("data")),
        ..Config::default()
    };
    let (server, client) = start_with(config.clone()).await;
    let lasting = write_policy(|policy| {
        policy.expiration = Expiration::Seconds(1000);
        policy.send_key = true;
    });
    for id in 0..50 {
        client
            .put(
                &lasting,
                &key(id),
                &[as_bin!("n", id), Bin::new("m", as_map!("a" => id))],
            )
            .await
            .unwrap();
    }
    client
        .delete(&WritePolicy::default(), &key(7))
        .await
        .unwrap();
    client
        .put(&lasting, &key(8), &[as_bin!("n", 88)])
        .await
        .unwrap();
    server.stop().await;

    let (server, client) = start_with(config).await;
    assert_eq!(server.objects("test"), Some(49));
    assert!(info(&server, "sets/test/sessions\n").contains("objects=49:"));
    assert_eq!(
        refusal(get(&client, &key(7)).await),
        ResultCode::KeyNotFoundError
    );
    let record = get(&client, &key(8)).await.unwrap();
    assert_eq!(
        (record.generation, record.bins["n"].clone()),
        (2, Value::from(88))
    );
    assert!(record.time_to_live().unwrap().as_secs() > 990);
    assert_eq!(
        get(&client, &key(9)).await.unwrap().bins["m"].to_string(),
        as_map!("a" => 9).to_string()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_data_file_loses_only_the_last_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let config = Config {
        data_file: Some(path.clone()),
        ..Config::default()
    };
    let (server, client) = start_with(config.clone()).await;
    for id in 0..3 {
        client
            .put(&WritePolicy::default(), &key(id), &[as_bin!("n", id)])
            .await
            .unwrap();
    }
    server.stop().await;
    let whole = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(whole - 1)
        .unwrap();

    let (server, client) = start_with(config.clone()).await;
    assert_eq!(server.objects("test"), Some(2));
    client
        .put(&WritePolicy::default(), &key(9), &[as_bin!("n", 9)])
        .await
        .unwrap();
    server.stop().await;
    let (server, _client) = start_with(config).await;
    assert_eq!(server.objects("test"), Some(3));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compacts_a_data_file_that_is_mostly_garbage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let config = Config {
        data_file: Some(path.clone()),
        ..Config::default()
    };
    let (server, client) = start_with(config.clone()).await;
    let large = "x".repeat(100_000);
    for round in 0..300 {
        client
            .put(
                &WritePolicy::default(),
                &key(round % 3),
                &[as_bin!("t", large.clone()), as_bin!("round", round)],
            )
            .await
            .unwrap();
    }
    server.stop().await;
    let size = || std::fs::metadata(&path).unwrap().len();
    assert!(
        size() < 20_000_000,
        "compacted while it ran: {} bytes",
        size()
    );
    let (server, client) = start_with(config).await;
    assert_eq!(
        get(&client, &key(2)).await.unwrap().bins["round"],
        Value::from(299)
    );
    assert_eq!(server.objects("test"), Some(3));
    server.stop().await;
    assert!(size() < 1_000_000, "compacted on start: {} bytes", size());
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_an_unusable_data_file_at_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let kind = async |path: std::path::PathBuf| {
        let started = DevServer::start(Config {
            data_file: Some(path),
            ..Config::default()
        })
        .await;
        started.err().unwrap().kind()
    };
    std::fs::write(&path, "not ours at all").unwrap();
    assert_eq!(kind(path.clone()).await, std::io::ErrorKind::InvalidData);
    assert_eq!(
        kind(directory.path().join("no such directory/data")).await,
        std::io::ErrorKind::NotFound
    );
    let shared = Config {
        data_file: Some(directory.path().join("shared")),
        ..Config::default()
    };
    let first = DevServer::start(shared.clone()).await.unwrap();
    assert_eq!(
        kind(directory.path().join("shared")).await,
        std::io::ErrorKind::WouldBlock
    );
    first.stop().await;
    DevServer::start(shared).await.unwrap().stop().await;
}
