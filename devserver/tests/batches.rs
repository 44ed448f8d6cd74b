//! Batches: many commands in one request, each with its own outcome.

#![allow(clippy::unwrap_used)]

mod common;

use aerospike::operations;
use aerospike::*;
use common::*;

fn key(namespace: &str, id: i64) -> Key {
    Key::new(namespace, "sessions", Value::from(id)).unwrap()
}

fn codes(rows: &[BatchOperation]) -> Vec<Option<ResultCode>> {
    rows.iter().map(BatchOperation::result_code).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn applies_each_rows_own_policy_in_a_mixed_batch() {
    let (server, client) = start().await;
    for id in 0..3 {
        client
            .put(
                &WritePolicy::default(),
                &key("test", id),
                &[as_bin!("a", id)],
            )
            .await
            .unwrap();
    }
    let write = BatchWritePolicy {
        expiration: Expiration::Seconds(100),
        ..BatchWritePolicy::default()
    };
    let touch = BatchWritePolicy {
        expiration: Expiration::Seconds(300),
        ..BatchWritePolicy::default()
    };
    let forbidden = BatchWritePolicy {
        expiration: Expiration::Seconds(1),
        ..BatchWritePolicy::default()
    };
    let bin = as_bin!("a", 10);
    let mut rows = vec![
        BatchOperation::read(&BatchReadPolicy::default(), key("test", 0), Bins::All),
        BatchOperation::write(&write, key("test", 9), vec![operations::put(&bin)]),
        BatchOperation::write(&touch, key("test", 1), vec![operations::touch()]),
        BatchOperation::delete(&BatchDeletePolicy::default(), key("test", 2)),
        BatchOperation::read(&BatchReadPolicy::default(), key("test", 404), Bins::All),
        BatchOperation::write(&forbidden, key("nottl", 1), vec![operations::put(&bin)]),
        BatchOperation::delete(&BatchDeletePolicy::default(), key("test", 404)),
        BatchOperation::write(&touch, key("test", 404), vec![operations::touch()]),
    ];
    client
        .batch(&BatchPolicy::default(), &mut rows)
        .await
        .unwrap();
    let (ok, missing) = (Some(ResultCode::Ok), Some(ResultCode::KeyNotFoundError));
    assert_eq!(
        codes(&rows),
        [
            ok,
            ok,
            ok,
            ok,
            missing,
            Some(ResultCode::FailForbidden),
            missing,
            missing
        ]
    );
    assert_eq!(rows[0].record().unwrap().bins["a"], Value::from(0));
    let ttl = async |id| {
        get(&client, &key("test", id))
            .await
            .unwrap()
            .time_to_live()
            .unwrap()
            .as_secs()
    };
    assert!((99..=100).contains(&ttl(9).await) && (299..=300).contains(&ttl(1).await));
    assert_eq!(
        refusal(get(&client, &key("test", 2)).await),
        ResultCode::KeyNotFoundError
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_every_row_of_a_batch_longer_than_one_frame() {
    let (server, client) = start().await;
    let text = "x".repeat(2000);
    let mut writes: Vec<_> = (0..500)
        .map(|id| {
            BatchOperation::write(
                &BatchWritePolicy::default(),
                key("test", id),
                vec![operations::put(&as_bin!("t", text.clone()))],
            )
        })
        .collect();
    client
        .batch(&BatchPolicy::default(), &mut writes)
        .await
        .unwrap();
    assert!(
        codes(&writes)
            .iter()
            .all(|code| *code == Some(ResultCode::Ok))
    );
    // All read the same bins, so all rows but the first repeat the previous one.
    let mut reads: Vec<_> = (0..500)
        .map(|id| BatchOperation::read(&BatchReadPolicy::default(), key("test", id), Bins::All))
        .collect();
    client
        .batch(&BatchPolicy::default(), &mut reads)
        .await
        .unwrap();
    assert!(
        reads
            .iter()
            .all(|row| row.record().unwrap().bins["t"] == Value::from(text.clone()))
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replaces_the_batch_filter_by_the_rows_own() {
    use aerospike::expressions::{eq, int_bin, int_val};
    let (server, client) = start().await;
    client
        .put(&WritePolicy::default(), &key("test", 1), &[as_bin!("a", 1)])
        .await
        .unwrap();
    let own = BatchReadPolicy {
        filter_expression: Some(eq(int_bin("a"), int_val(1))),
        ..BatchReadPolicy::default()
    };
    let mut rows = vec![
        BatchOperation::read(&BatchReadPolicy::default(), key("test", 1), Bins::All),
        BatchOperation::read(&own, key("test", 1), Bins::All),
    ];
    let mut policy = BatchPolicy::default();
    policy.base_policy.filter_expression = Some(eq(int_bin("a"), int_val(2)));
    client.batch(&policy, &mut rows).await.unwrap();
    assert_eq!(
        codes(&rows),
        [Some(ResultCode::FilteredOut), Some(ResultCode::Ok)]
    );
    server.stop().await;
}
