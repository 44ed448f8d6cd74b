//! Settings of a namespace that change while the server runs.

#![allow(clippy::unwrap_used)]

mod common;

use aerospike::{Expiration, Key, ResultCode, Value, as_bin};
use aerospike_session_devserver::{Config, DevServer};
use common::*;
use serde_json::{Value as Json, json};

fn key(id: &str) -> Key {
    Key::new("test", "sessions", Value::from(id)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn disables_and_enables_ttls_on_a_running_namespace() {
    let (server, client) = start().await;
    let lasting = write_policy(|policy| policy.expiration = Expiration::Seconds(100));
    let put = async || client.put(&lasting, &key("a"), &[as_bin!("a", 1)]).await;
    let configure = async |settings: Json| {
        let asked = json!({ "command": "configure", "namespace": "test", "settings": settings });
        command(&server, asked).await
    };
    put().await.unwrap();
    configure(json!({ "nsupPeriod": 0 })).await.unwrap();
    assert_eq!(refusal(put().await), ResultCode::FailForbidden);
    assert!(info(&server, "namespace/test\n").contains(";nsup-period=0;"));
    configure(json!({ "allowTtlWithoutNsup": true }))
        .await
        .unwrap();
    put().await.unwrap();
    let set = |setting: &str| {
        let asked = format!("set-config:context=namespace;namespace=test;{setting}");
        let response = info(&server, &format!("{asked}\n"));
        response.trim_end().rsplit('\t').next().unwrap().to_owned()
    };
    assert_eq!(set("allow-ttl-without-nsup=false"), "ok");
    assert_eq!(refusal(put().await), ResultCode::FailForbidden);
    // "must configure non-zero nsup-period or allow-ttl-without-nsup true"
    assert_eq!(
        set("default-ttl=1h"),
        "ERROR:4:invalid set-config parameter"
    );
    assert_eq!(set("nsup-period=2m"), "ok");
    assert_eq!(set("default-ttl=1h"), "ok");
    assert!(info(&server, "namespace/test\n").contains(";default-ttl=3600;"));
    assert!(info(&server, "namespace/test\n").contains(";nsup-period=120;"));
    put().await.unwrap();
    for (settings, words) in [
        (json!({ "defaultTtl": 400_000_000 }), "at most"),
        (json!({ "maxRecordSize": 1 }), "from 64"),
        (json!({ "defaultReadTouchTtlPct": 101 }), "0 to 100"),
        (json!({ "nsup": 1 }), "unknown field `nsup`"),
    ] {
        let reason = configure(settings).await.unwrap_err();
        assert!(reason.contains(words), "{reason}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_configuration_commands_as_the_server_does() {
    let server = DevServer::start(Config::default()).await.unwrap();
    let invalid = "ERROR:4:invalid set-config parameter";
    for (params, expected) in [
        ("", "ERROR:4:missing 'context'"),
        ("context=", "ERROR:4:missing 'context' value"),
        ("context=bogus;a=1", "ERROR:4:invalid context"),
        ("context=service;a=b", invalid),
        ("context=security;a=b", "ERROR:25:enterprise only"),
        ("context=namespace", "ERROR:20:missing 'namespace'"),
        (
            "context=namespace;namespace=nope;nsup-period=0",
            "ERROR:20:namespace not found on node",
        ),
        ("context=namespace;id=test;nope=1", invalid),
        ("context=namespace;namespace=test", invalid),
        ("context=namespace;namespace=test;nsup-period=abc", invalid),
        ("context=namespace;namespace=test;nsup-period=-1", "ok"),
        ("context=namespace;namespace=test;nsup-period=", "ok"),
        ("context=namespace;id=test;nsup-period=120", "ok"),
        (
            "context=namespace;namespace=test;allow-ttl-without-nsup=maybe",
            invalid,
        ),
        (
            "context=namespace;namespace=test;max-record-size=17M",
            invalid,
        ),
        (
            "context=namespace;namespace=test;default-read-touch-ttl-pct=101",
            invalid,
        ),
    ] {
        for name in ["set-config", "config-set"] {
            let asked = format!("{name}:{params}");
            let response = info(&server, &format!("{asked}\n"));
            assert_eq!(response, format!("{asked}\t{expected}\n"));
        }
    }
    server.stop().await;
}
