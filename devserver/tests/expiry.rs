//! Expiry: TTLs, touches, namespaces that reject TTLs, nsup, truncation.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use aerospike::operations;
use aerospike::*;
use aerospike_session_devserver::{Config, NamespaceConfig};
use common::*;

fn key(namespace: &str, id: &str) -> Key {
    Key::new(namespace, "sessions", Value::from(id)).unwrap()
}

fn lasting(expiration: Expiration) -> WritePolicy {
    write_policy(|policy| policy.expiration = expiration)
}

async fn ttl(client: &Client, key: &Key) -> Option<u64> {
    get(client, key)
        .await
        .unwrap()
        .time_to_live()
        .map(|ttl| ttl.as_secs())
}

/// Polls until the condition is true. There is no event for the passing of time.
async fn until(limit: Duration, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < limit, "not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn ttl_values_mean_default_never_keep_or_seconds() {
    let with_default = NamespaceConfig {
        default_ttl: 500,
        ..NamespaceConfig::new("test")
    };
    let (server, client) = start_with(Config {
        namespaces: vec![with_default],
        ..Config::default()
    })
    .await;
    let (k, bin) = (key("test", "k"), [as_bin!("a", 1)]);
    client
        .put(&lasting(Expiration::NamespaceDefault), &k, &bin)
        .await
        .unwrap();
    assert!(matches!(ttl(&client, &k).await, Some(499..=500)));
    client
        .put(&lasting(Expiration::Seconds(100)), &k, &bin)
        .await
        .unwrap();
    client
        .put(&lasting(Expiration::DontUpdate), &k, &bin)
        .await
        .unwrap();
    assert!(matches!(ttl(&client, &k).await, Some(99..=100)));
    client
        .put(&lasting(Expiration::Never), &k, &bin)
        .await
        .unwrap();
    assert_eq!(ttl(&client, &k).await, None);
    client
        .put(&lasting(Expiration::DontUpdate), &key("test", "new"), &bin)
        .await
        .unwrap();
    assert!(
        matches!(ttl(&client, &key("test", "new")).await, Some(499..=500)),
        "to keep what is not there is the default"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_ttl_of_more_than_ten_years() {
    let (server, client) = start().await;
    const TEN_YEARS: u32 = 3600 * 24 * 365 * 10;
    let (k, bin) = (key("test", "k"), [as_bin!("a", 1)]);
    client
        .put(&lasting(Expiration::Seconds(TEN_YEARS)), &k, &bin)
        .await
        .unwrap();
    assert_eq!(
        refusal(
            client
                .put(&lasting(Expiration::Seconds(TEN_YEARS + 1)), &k, &bin)
                .await
        ),
        ResultCode::ParameterError
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_ttls_without_nsup_unless_they_are_allowed() {
    let mut namespaces = NamespaceConfig::defaults();
    namespaces.push(NamespaceConfig {
        nsup_period: 0,
        allow_ttl_without_nsup: true,
        ..NamespaceConfig::new("lenient")
    });
    let (server, client) = start_with(Config {
        namespaces,
        ..Config::default()
    })
    .await;
    let (k, bin) = (key("nottl", "k"), [as_bin!("a", 1)]);
    assert_eq!(
        refusal(client.put(&lasting(Expiration::Seconds(1)), &k, &bin).await),
        ResultCode::FailForbidden
    );
    for allowed in [
        Expiration::NamespaceDefault,
        Expiration::Never,
        Expiration::DontUpdate,
    ] {
        client.put(&lasting(allowed), &k, &bin).await.unwrap();
    }
    assert_eq!(
        refusal(client.touch(&lasting(Expiration::Seconds(1)), &k).await),
        ResultCode::FailForbidden
    );
    client
        .touch(&lasting(Expiration::NamespaceDefault), &k)
        .await
        .unwrap();
    client
        .put(
            &lasting(Expiration::Seconds(10)),
            &key("lenient", "k"),
            &bin,
        )
        .await
        .unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_extends_the_ttl_increments_the_generation_and_never_creates() {
    let (server, client) = start().await;
    let k = key("test", "k");
    assert_eq!(
        refusal(client.touch(&lasting(Expiration::Seconds(50)), &k).await),
        ResultCode::KeyNotFoundError
    );
    client
        .put(&lasting(Expiration::Seconds(10)), &k, &[as_bin!("a", 1)])
        .await
        .unwrap();
    client
        .touch(&lasting(Expiration::Seconds(100)), &k)
        .await
        .unwrap();
    let record = get(&client, &k).await.unwrap();
    assert_eq!(
        (record.generation, record.bins["a"].clone()),
        (2, Value::from(1))
    );
    assert!(matches!(ttl(&client, &k).await, Some(99..=100)));
    let record = client
        .operate(
            &lasting(Expiration::Seconds(200)),
            &k,
            &[operations::touch(), operations::get()],
        )
        .await
        .unwrap();
    assert_eq!(record.generation, 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_record_is_invisible_at_once_but_counted_until_nsup_runs() {
    let (server, client) = start().await;
    let k = key("test", "k");
    client
        .put(&lasting(Expiration::Seconds(1)), &k, &[as_bin!("a", 1)])
        .await
        .unwrap();
    let lived = until(Duration::from_secs(4), async || {
        get(&client, &k).await.is_err()
    })
    .await;
    assert!(lived >= Duration::from_millis(900), "lived only {lived:?}");
    assert!(!client.exists(&ReadPolicy::default(), &k).await.unwrap());
    assert_eq!(
        refusal(client.touch(&WritePolicy::default(), &k).await),
        ResultCode::KeyNotFoundError
    );
    assert_eq!(server.objects("test"), Some(1));
    client
        .put(&WritePolicy::default(), &k, &[as_bin!("b", 2)])
        .await
        .unwrap();
    let reborn = get(&client, &k).await.unwrap();
    assert_eq!(
        (reborn.generation, reborn.bins.len()),
        (1, 1),
        "nothing of the old record is left"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nsup_removes_expired_records_and_updates_the_counters() {
    let swept = NamespaceConfig {
        nsup_period: 1,
        ..NamespaceConfig::new("test")
    };
    let (server, client) = start_with(Config {
        namespaces: vec![swept],
        ..Config::default()
    })
    .await;
    client
        .put(
            &lasting(Expiration::Seconds(1)),
            &key("test", "short"),
            &[as_bin!("a", 1)],
        )
        .await
        .unwrap();
    client
        .put(
            &lasting(Expiration::Seconds(60)),
            &key("test", "long"),
            &[as_bin!("a", 1)],
        )
        .await
        .unwrap();
    until(Duration::from_secs(6), async || {
        server.objects("test") == Some(1)
    })
    .await;
    assert!(info(&server, "sets/test/sessions\n").contains("objects=1:"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_extends_a_record_when_little_of_its_ttl_is_left() {
    let (server, client) = start().await;
    let k = key("test", "k");
    client
        .put(&lasting(Expiration::Seconds(6)), &k, &[as_bin!("a", 1)])
        .await
        .unwrap();
    let touching = |percent: u8| {
        let mut policy = ReadPolicy::default();
        policy.base_policy.read_touch_ttl = ReadTouchTtl::Percent(percent);
        policy
    };
    until(Duration::from_secs(5), async || {
        ttl(&client, &k).await <= Some(4)
    })
    .await;
    client.get(&touching(10), &k, Bins::All).await.unwrap();
    assert!(
        ttl(&client, &k).await <= Some(4),
        "enough is left: no touch"
    );
    let shown = client.get(&touching(90), &k, Bins::All).await.unwrap();
    assert!(
        shown.time_to_live().unwrap().as_secs() <= 4,
        "the read that touches shows the old life"
    );
    let after = get(&client, &k).await.unwrap();
    assert!(after.time_to_live().unwrap().as_secs() >= 5);
    assert_eq!(after.generation, 1, "a read changes no generation");
    until(Duration::from_secs(5), async || {
        ttl(&client, &k).await <= Some(4)
    })
    .await;
    let mut filtered = touching(90);
    filtered.base_policy.filter_expression = Some(expressions::eq(
        expressions::int_bin("a"),
        expressions::int_val(2),
    ));
    assert_eq!(
        refusal(client.get(&filtered, &k, Bins::All).await.map(drop)),
        ResultCode::FilteredOut
    );
    assert!(
        ttl(&client, &k).await >= Some(5),
        "the touch comes before the filter (as_read_touch_check in as/src/transaction/read.c)"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn truncates_older_records_in_one_set_or_all() {
    let (server, client) = start().await;
    let in_set = |set: &str, id: i64| Key::new("test", set.to_string(), Value::from(id)).unwrap();
    for id in 0..20 {
        client
            .put(
                &WritePolicy::default(),
                &in_set("one", id),
                &[as_bin!("a", id)],
            )
            .await
            .unwrap();
        client
            .put(
                &WritePolicy::default(),
                &in_set("two", id),
                &[as_bin!("a", id)],
            )
            .await
            .unwrap();
    }
    // A record is truncated if its last update is before the given time, in whole milliseconds.
    tokio::time::sleep(Duration::from_millis(3)).await;
    client
        .truncate(&AdminPolicy::default(), "test", "one", 0)
        .await
        .unwrap();
    assert_eq!(
        refusal(get(&client, &in_set("one", 3)).await),
        ResultCode::KeyNotFoundError
    );
    assert_eq!(server.objects("test"), Some(20));
    client
        .put(
            &WritePolicy::default(),
            &in_set("one", 3),
            &[as_bin!("a", 3)],
        )
        .await
        .unwrap();
    get(&client, &in_set("one", 3)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3)).await;
    client
        .truncate(&AdminPolicy::default(), "test", "", 0)
        .await
        .unwrap();
    assert_eq!(server.objects("test"), Some(0));
    server.stop().await;
}
