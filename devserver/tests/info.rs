//! Info commands: names and formats of the server, with correct values.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;

use aerospike::{WritePolicy, as_bin, as_key};
use aerospike_session_devserver::DevServer;
use common::{info, start};

/// Returns the response to one command, without its name.
fn ask(server: &DevServer, command: &str) -> String {
    let response = info(server, &format!("{command}\n"));
    let (name, value) = response.split_once('\t').unwrap();
    assert_eq!(name, command);
    value.trim_end().to_owned()
}

fn fields(response: &str) -> HashMap<String, String> {
    response
        .split(';')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_the_statistics_of_a_namespace() {
    let (server, client) = start().await;
    let policy = WritePolicy::default();
    for id in 0..5 {
        let key = as_key!("test", "numbers", id);
        client
            .put(&policy, &key, &[as_bin!("text", "x".repeat(100))])
            .await
            .unwrap();
    }
    let key = as_key!("test", "numbers", 0);
    client.delete(&policy, &key).await.unwrap();
    common::get(&client, &key).await.unwrap_err();
    let wrong = common::write_policy(|policy| {
        policy.generation = 9;
        policy.generation_policy = aerospike::GenerationPolicy::ExpectGenEqual;
    });
    let key = as_key!("test", "numbers", 1);
    client
        .put(&wrong, &key, &[as_bin!("n", 1)])
        .await
        .unwrap_err();

    let of = fields(&ask(&server, "namespace/test"));
    let number = |name: &str| of[name].parse::<u64>().unwrap();
    assert_eq!(number("objects"), 4);
    assert_eq!(number("master_objects"), 4);
    assert_eq!(number("index_used_bytes"), 4 * 64);
    let set = ask(&server, "sets/test/numbers");
    let of_set = format!("data_used_bytes={}:", number("data_used_bytes"));
    assert!(set.contains(&of_set), "{set}");
    assert!(number("data_used_bytes") >= 400);
    assert_eq!(number("client_write_success"), 5);
    assert_eq!(number("client_write_error"), 1);
    assert_eq!(number("fail_generation"), 1);
    assert_eq!(number("client_delete_success"), 1);
    assert_eq!(number("client_read_not_found"), 1);
    assert_eq!(of["stop_writes"], "false");
    assert_eq!(of["nsup-period"], "120");
    assert_eq!(of["default-ttl"], "0");
    assert_eq!(fields(&ask(&server, "statistics"))["objects"], "4");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nsup_counts_removed_records() {
    let (server, client) = common::start_with(aerospike_session_devserver::Config {
        namespaces: vec![aerospike_session_devserver::NamespaceConfig {
            nsup_period: 1,
            ..aerospike_session_devserver::NamespaceConfig::new("test")
        }],
        ..aerospike_session_devserver::Config::default()
    })
    .await;
    let policy =
        common::write_policy(|policy| policy.expiration = aerospike::Expiration::Seconds(1));
    let key = as_key!("test", "numbers", "ends");
    client.put(&policy, &key, &[as_bin!("n", 1)]).await.unwrap();
    loop {
        let of = fields(&ask(&server, "namespace/test"));
        if of["expired_objects"] == "1" {
            assert_eq!(of["objects"], "0");
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    server.stop().await;
}

/// Recorded from server 8.1.2.
#[tokio::test(flavor = "multi_thread")]
async fn returns_the_servers_error_messages() {
    let (server, _client) = start().await;
    for (command, expected) in [
        ("no-such-command", "ERROR:4:unrecognized command"),
        ("quit", "ERROR:4:unrecognized command"),
        ("namespace/no", "type=unknown"),
        ("sets/no", "ns_type=unknown"),
        ("get-stats", "ERROR:4:missing 'context'"),
        ("get-stats:context=no", "ERROR:4:unknown context"),
        ("get-config:context=no", "ERROR:4:invalid context"),
        (
            "get-config:context=namespace",
            "ERROR:20:missing 'namespace'",
        ),
        (
            "get-config:context=namespace;id=no",
            "ERROR:20:namespace not found on node",
        ),
        ("get-config:context=xdr", ""),
        ("set-config:", "ERROR:4:missing 'context'"),
        (
            "set-config:context=service;no=1",
            "ERROR:4:invalid set-config parameter",
        ),
        ("replicas:max=x", "ERROR:4:bad max"),
        ("replicas:max=1234", "ERROR:4:'max' value too long"),
        ("cluster-stable:size=x", "ERROR:4:bad size"),
        (
            "cluster-stable:size=2",
            "ERROR:7:cluster not specified size",
        ),
        ("truncate:namespace=test", "ERROR:4:missing 'set'"),
        ("truncate-undo:namespace=test", "ERROR:4:missing 'set'"),
        ("truncate-undo:namespace=test;set=no", "ok"),
        ("truncate-namespace-undo:", "ERROR:20:missing 'namespace'"),
        ("udf-get:filename=no.lua", "error=not_found"),
        ("udf-put:", "error=invalid_filename"),
        ("udf-remove:filename=no.lua", "ok"),
        ("log/x", "ERROR:4:bad sink-id"),
        ("log/7", "ERROR::bad-id"),
        ("log/0/info", "info:INFO"),
        ("log-set:", "ERROR:4:missing id"),
        ("log-message:", "ERROR:4:missing 'message'"),
        ("latencies:hist=no", "ERROR:4:bad hist name"),
        ("latencies:hist={nottl}-read", "{nottl}-read:"),
        (
            "histogram:namespace=test;type=no",
            "ERROR:4:unknown hist name",
        ),
        (
            "histogram:namespace=test;type=ttl;set=no",
            "ERROR:4:unknown set name",
        ),
        ("query-show:trid=5", "ERROR:2:job not found"),
        ("query-show:id=x", "ERROR:4:bad id"),
        ("query-abort:", "ERROR:4:missing 'id'"),
        ("query-abort:id=0x10", "ERROR:2:id not active"),
        ("query-abort-all", "number-of-queries-killed:0"),
        ("feature-key", "ERROR:25:enterprise only"),
        ("smd-show:module=roster", "ERROR:25:enterprise only"),
        ("smd-show:module=truncate", "<empty>"),
        ("tip:host=a;port=x", "ERROR:4:'port' must be an integer"),
        (
            "dump-hb:verbose=x",
            "ERROR:4:'verbose' may be either 'true' or 'false'",
        ),
        ("dump-hb:", "ok"),
        ("index-pressure", "test:0:0;nottl:0:0"),
        ("compatibility-id", "15"),
    ] {
        assert_eq!(ask(&server, command), expected, "{command}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn knows_every_command_that_help_lists() {
    let (server, _client) = start().await;
    for name in ask(&server, "help").split(';') {
        assert_ne!(ask(&server, name), "ERROR:4:unrecognized command", "{name}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_system_metadata() {
    let (server, _client) = start().await;
    ask(
        &server,
        "truncate:namespace=test;set=gone;lut=1700000000000000000",
    );
    assert_eq!(
        ask(&server, "smd-show:module=truncate"),
        "test|gone=437696000000"
    );
    ask(&server, "truncate-undo:namespace=test;set=gone");
    assert_eq!(ask(&server, "smd-show:module=truncate"), "<empty>");
    ask(
        &server,
        "sindex-create:ns=test;set=demo;indexname=ages;indexdata=age,numeric",
    );
    assert_eq!(
        ask(&server, "smd-show:module=sindex"),
        "test|demo|age|.|I=ages"
    );
    server.stop().await;
}
