//! Clusters: what clients learn of the nodes, and the effects of a lost node on requests and records.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use aerospike::*;
use aerospike_session_devserver::{Config, DevServer};
use common::*;

const KEYS: i64 = 200;

fn key(id: i64) -> Key {
    Key::new("test", "sessions", Value::from(id)).unwrap()
}

fn partition(key: &Key) -> usize {
    usize::from(u16::from_le_bytes([key.digest()[0], key.digest()[1]])) & 4095
}

/// Starts three nodes with a short heartbeat timeout.
fn three() -> Config {
    Config {
        nodes: 3,
        heartbeat_timeout: Duration::from_millis(300),
        migration_time: Duration::from_millis(50),
        ..Config::default()
    }
}

async fn fill(client: &Client) {
    for id in 0..KEYS {
        let bins = [as_bin!("a", id)];
        client
            .put(&WritePolicy::default(), &key(id), &bins)
            .await
            .unwrap();
    }
}

/// Returns how many of the records exist.
async fn found(client: &Client) -> i64 {
    let mut found = 0;
    for id in 0..KEYS {
        match get(client, &key(id)).await {
            Ok(record) => {
                assert_eq!(record.bins["a"], Value::from(id));
                found += 1;
            }
            outcome => assert_eq!(refusal(outcome), ResultCode::KeyNotFoundError),
        }
    }
    found
}

async fn addresses(server: &DevServer) -> Vec<SocketAddr> {
    let nodes = server.nodes().await;
    nodes
        .iter()
        .map(|node| node.address.parse().unwrap())
        .collect()
}

/// Returns the bitmaps of the first namespace in a response to `replicas` or `replicas-all`.
fn bitmaps(response: &str) -> Vec<Vec<u8>> {
    use base64::Engine;
    let (_, namespaces) = response.trim().split_once('\t').unwrap();
    let (first, _) = namespaces.split_once(';').unwrap();
    let decode = |text| base64::engine::general_purpose::STANDARD.decode(text);
    // The numbers in front are not bitmaps, which have 512 bytes each.
    let parts = first.split(',').filter_map(|part| decode(part).ok());
    parts.filter(|bits| bits.len() == 512).collect()
}

fn has(bits: &[u8], partition: usize) -> bool {
    bits[partition / 8] & (0x80 >> (partition % 8)) != 0
}

/// Returns the partitions of which a node reports itself as master.
fn masters(addr: SocketAddr) -> Vec<usize> {
    let master = &bitmaps(&info_at(addr, "replicas\n"))[0];
    (0..4096)
        .filter(|partition| has(master, *partition))
        .collect()
}

fn number(addr: SocketAddr, command: &str) -> u32 {
    let response = info_at(addr, &format!("{command}\n"));
    response.trim().split('\t').nth(1).unwrap().parse().unwrap()
}

/// Returns a request for one record without bins: reads its header, or touches it.
fn request(key: &Key, is_write: bool, timeout_ms: u32) -> Vec<u8> {
    let (info1, info2) = if is_write { (0, 1) } else { (1 | 1 << 5, 0) };
    let mut body = vec![22, info1, info2, 0, 0, 0];
    body.extend_from_slice(&[0; 8]);
    body.extend_from_slice(&timeout_ms.to_be_bytes());
    let n_ops: u16 = if is_write { 1 } else { 0 };
    body.extend_from_slice(&3u16.to_be_bytes());
    body.extend_from_slice(&n_ops.to_be_bytes());
    for (kind, data) in [(0, &b"test"[..]), (1, b"sessions"), (4, &key.digest()[..])] {
        body.extend_from_slice(&(data.len() as u32 + 1).to_be_bytes());
        body.push(kind);
        body.extend_from_slice(data);
    }
    if is_write {
        body.extend_from_slice(&[0, 0, 0, 4, 11, 0, 0, 0]);
    }
    frame(3, &body)
}

/// Returns the result code of a raw request.
fn ask_code(addr: SocketAddr, frame: &[u8]) -> u8 {
    ask(&mut TcpStream::connect(addr).unwrap(), frame)[5]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_counts_the_records_of_a_set_that_it_holds_as_master_or_replica() {
    let (server, client) = start_with(three()).await;
    fill(&client).await;
    let copies = i64::try_from(Config::default().replication_factor).unwrap();
    let (mut objects, mut bytes) = (0, 0);
    for addr in addresses(&server).await {
        let response = info_at(addr, "sets/test/sessions\n");
        let value = |name: &str| {
            let start = response.find(&format!("{name}=")).unwrap() + name.len() + 1;
            let (value, _) = response[start..].split_once(':').unwrap();
            value.parse::<i64>().unwrap()
        };
        assert!((1..copies.max(2) * KEYS).contains(&value("objects")));
        objects += value("objects");
        bytes += value("data_used_bytes");
    }
    assert_eq!(objects, copies * KEYS);
    // Records of one integer take up to 64 bytes each.
    assert!(bytes > objects && bytes <= 64 * objects);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_reports_its_peers_and_partitions() {
    let server = DevServer::start(three()).await.unwrap();
    let addresses = addresses(&server).await;
    let mut all: Vec<_> = addresses.iter().flat_map(|addr| masters(*addr)).collect();
    all.sort_unstable();
    assert_eq!(all, (0..4096).collect::<Vec<_>>());
    for addr in &addresses {
        let peers = info_at(*addr, "peers-clear-std\n");
        for other in &addresses {
            assert_eq!(
                peers.contains(&format!("[{other}]")),
                other != addr,
                "{peers}"
            );
        }
        assert!(info_at(*addr, "statistics\n").contains("cluster_size=3;"));
        assert!(info_at(*addr, "namespace/test\n").contains("effective_replication_factor=2;"));
    }
    let stable = info(&server, "cluster-stable:size=3\n");
    assert_eq!(stable, info_at(addresses[2], "cluster-stable:size=3\n"));
    assert!(!stable.contains("ERROR"), "{stable}");
    assert!(
        info(&server, "cluster-stable:size=2\n").contains("ERROR:7:cluster not specified size")
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_survive_the_loss_of_a_node_and_migrate_back() {
    let (server, client) = start_with(three()).await;
    fill(&client).await;
    let before = number(server.addr(), "partition-generation");
    server.stop_node(1).await.unwrap();
    server.stop_node(1).await.unwrap();
    server.settled().await;
    let after = number(server.addr(), "partition-generation");
    assert!(after > before);
    assert!(info(&server, "statistics\n").contains("cluster_size=2;"));
    let other = connect(&server).await;
    assert_eq!(found(&other).await, KEYS);

    server.start_node(1).await.unwrap();
    server.settled().await;
    assert!(number(server.addr(), "partition-generation") > after);
    let share = masters(addresses(&server).await[1]).len();
    assert!((1_200..1_530).contains(&share), "{share}");
    // Now the first node may stop, too.
    server.stop_node(0).await.unwrap();
    server.settled().await;
    assert_eq!(found(&client).await, KEYS);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loses_records_without_a_copy_on_a_remaining_node() {
    let (server, client) = start_with(three()).await;
    fill(&client).await;
    server.stop_node(1).await.unwrap();
    server.stop_node(2).await.unwrap();
    server.settled().await;
    let left = found(&connect(&server).await).await;
    assert!(left > KEYS / 2 && left < KEYS, "{left} of {KEYS}");
    server.start_node(1).await.unwrap();
    server.settled().await;
    assert_eq!(found(&connect(&server).await).await, left);
    server.stop().await;

    let (alone, client) = start().await;
    fill(&client).await;
    alone.stop_node(0).await.unwrap();
    assert!(TcpStream::connect(alone.addr()).is_err());
    alone.start_node(0).await.unwrap();
    assert_eq!(found(&connect(&alone).await).await, 0);
    alone.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_proxies_commands_but_queries_only_its_own_partitions() {
    let (server, client) = start_with(three()).await;
    fill(&client).await;
    let addresses = addresses(&server).await;
    for id in 0..20 {
        for addr in &addresses {
            assert_eq!(ask_code(*addr, &request(&key(id), false, 0)), 0);
            assert_eq!(ask_code(*addr, &request(&key(id), true, 0)), 0);
        }
    }
    // A scan through the client returns each record once.
    let statement = Statement::new("test", "sessions", Bins::All);
    let records = client
        .query(&QueryPolicy::default(), PartitionFilter::all(), statement)
        .await
        .unwrap();
    let mut ids: Vec<i64> = futures::StreamExt::collect::<Vec<_>>(records.into_stream())
        .await
        .into_iter()
        .map(|record| match record.unwrap().bins["a"] {
            Value::Int(id) => id,
            ref other => panic!("{other:?}"),
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..KEYS).collect::<Vec<_>>());

    // A node reports a partition of which it has no copy.
    let foreign = (0..4096)
        .find(|partition| {
            let bitmaps = info_at(addresses[0], "replicas-all\n");
            !owns(&bitmaps, *partition)
        })
        .unwrap();
    let mut body = vec![22, 1, 0, 4, 0, 0];
    body.extend_from_slice(&[0; 12]);
    body.extend_from_slice(&[0, 2, 0, 0]);
    body.extend_from_slice(&[0, 0, 0, 5, 0]);
    body.extend_from_slice(b"test");
    body.extend_from_slice(&[0, 0, 0, 3, 11]);
    body.extend_from_slice(&(foreign as u16).to_le_bytes());
    let response = ask(
        &mut TcpStream::connect(addresses[0]).unwrap(),
        &frame(3, &body),
    );
    let (info3, code, number) = (response[3], response[5], &response[6..10]);
    assert_eq!((info3, code), (4, 11));
    assert_eq!(number, (foreign as u32).to_be_bytes());
    server.stop().await;
}

/// Whether a node with this response to `replicas-all` has a copy of a partition.
fn owns(response: &str, partition: usize) -> bool {
    bitmaps(response).iter().any(|bits| has(bits, partition))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_requests_that_need_a_lost_node_wait_until_the_others_notice() {
    let config = Config {
        heartbeat_timeout: Duration::from_secs(600),
        ..three()
    };
    let (server, client) = start_with(config).await;
    fill(&client).await;
    let addresses = addresses(&server).await;
    let [here, lost] = [0, 1].map(|node| masters(addresses[node]));
    let [held_by_0, held_by_1] = [0, 1].map(|node| info_at(addresses[node], "replicas-all\n"));
    let find = |fits: &dyn Fn(usize) -> bool| {
        let mut ids = 0..KEYS;
        ids.find(|id| fits(partition(&key(*id)))).unwrap()
    };
    let with = find(&|id| here.contains(&id) && owns(&held_by_1, id));
    let without = find(&|id| here.contains(&id) && !owns(&held_by_1, id));
    let copied = find(&|id| lost.contains(&id) && owns(&held_by_0, id));
    let foreign = find(&|id| lost.contains(&id) && !owns(&held_by_0, id));
    server.stop_node(1).await.unwrap();

    const TIMEOUT: u8 = 9;
    let ask_here = |id: i64, is_write| ask_code(addresses[0], &request(&key(id), is_write, 50));
    // The lost node is the replica: reads succeed, writes are not confirmed.
    assert_eq!(ask_here(with, false), 0);
    assert_eq!(ask_here(with, true), TIMEOUT);
    assert_eq!(ask_here(without, true), 0);
    // The lost node is the master: the replica can read, and no node can write.
    assert_eq!(ask_here(copied, false), 0);
    assert_eq!(ask_here(copied, true), TIMEOUT);
    assert_eq!(ask_here(foreign, false), TIMEOUT);
    assert_eq!(ask_here(foreign, true), TIMEOUT);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_write_is_applied_once_the_others_notice() {
    let (server, client) = start_with(three()).await;
    fill(&client).await;
    let addr = server.addr();
    let lost = masters(addresses(&server).await[1]);
    let id = (0..KEYS)
        .find(|id| lost.contains(&partition(&key(*id))))
        .unwrap();
    server.stop_node(1).await.unwrap();
    let code =
        tokio::task::spawn_blocking(move || ask_code(addr, &request(&key(id), true, 60_000)));
    assert_eq!(code.await.unwrap(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_waiting_writes_to_one_record_beyond_the_limit() {
    const KEY_BUSY: u8 = 14;
    let config = Config {
        heartbeat_timeout: Duration::from_secs(600),
        ..three()
    };
    let (server, client) = start_with(config).await;
    fill(&client).await;
    let addr = server.addr();
    let lost = masters(addresses(&server).await[1]);
    let id = (0..KEYS)
        .find(|id| lost.contains(&partition(&key(*id))))
        .unwrap();
    server.stop_node(1).await.unwrap();
    let server = Arc::new(server);
    let asked: Vec<_> = (0..30)
        .map(|_| {
            tokio::task::spawn_blocking(move || ask_code(addr, &request(&key(id), true, 3_000)))
        })
        .collect();
    let mut codes = Vec::new();
    for code in asked {
        codes.push(code.await.unwrap());
    }
    let busy = codes.iter().filter(|code| **code == KEY_BUSY).count();
    // One write is being executed, and the limit of 20 must be exceeded.
    assert_eq!(busy, 30 - 22, "{codes:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_an_invalid_cluster_configuration() {
    let refused = async |config: Config| {
        let error = DevServer::start(config).await.err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
    };
    refused(Config {
        nodes: 0,
        ..Config::default()
    })
    .await;
    refused(Config {
        nodes: 9,
        ..Config::default()
    })
    .await;
    refused(Config {
        replication_factor: 0,
        ..Config::default()
    })
    .await;
    refused(Config {
        nodes: 2,
        port: 65_535,
        ..Config::default()
    })
    .await;
    let server = DevServer::start(three()).await.unwrap();
    assert!(
        server
            .stop_node(3)
            .await
            .unwrap_err()
            .to_string()
            .contains("0 to 2")
    );
    server.stop().await;
}
