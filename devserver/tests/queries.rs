//! Queries over sets and namespaces, and filter expressions.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use aerospike::expressions as exp;
use aerospike::expressions::Expression;
use aerospike::query::PartitionFilter;
use aerospike::*;
use common::*;
use futures::StreamExt;

async fn fill(client: &Client, set: &str, count: i64) {
    for id in 0..count {
        let key = Key::new("test", set.to_string(), Value::from(id)).unwrap();
        client
            .put(
                &write_policy(|policy| policy.send_key = true),
                &key,
                &[as_bin!("n", id), as_bin!("t", format!("text {id}"))],
            )
            .await
            .unwrap();
    }
}

async fn collect(
    client: &Client,
    policy: &QueryPolicy,
    filter: PartitionFilter,
    statement: Statement,
) -> Vec<Record> {
    let records = client.query(policy, filter, statement).await.unwrap();
    let mut stream = records.into_stream();
    let mut found = Vec::new();
    while let Some(record) = stream.next().await {
        found.push(record.unwrap());
    }
    found
}

fn numbers(records: &[Record]) -> BTreeSet<i64> {
    records
        .iter()
        .map(|record| i64::try_from(&record.bins["n"]).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_returns_each_record_of_a_set_once_with_its_key() {
    let (server, client) = start().await;
    fill(&client, "one", 300).await;
    fill(&client, "two", 20).await;
    let found = collect(
        &client,
        &QueryPolicy::default(),
        PartitionFilter::all(),
        Statement::new("test", "one", Bins::All),
    )
    .await;
    assert_eq!((found.len(), numbers(&found)), (300, (0..300).collect()));
    assert!(
        found
            .iter()
            .all(|record| record.key.as_ref().unwrap().user_key().is_some())
    );
    let all = collect(
        &client,
        &QueryPolicy::default(),
        PartitionFilter::all(),
        Statement::new("test", "", Bins::All),
    )
    .await;
    assert_eq!(all.len(), 320);
    let none = collect(
        &client,
        &QueryPolicy::default(),
        PartitionFilter::all(),
        Statement::new("test", "nobody", Bins::All),
    )
    .await;
    assert!(none.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_returns_the_selected_bins_or_none() {
    let (server, client) = start().await;
    fill(&client, "one", 30).await;
    let some = collect(
        &client,
        &QueryPolicy::default(),
        PartitionFilter::all(),
        Statement::new("test", "one", ["n"].into()),
    )
    .await;
    assert!(some.len() == 30 && some.iter().all(|record| record.bins.len() == 1));
    let headers = QueryPolicy {
        include_bin_data: false,
        ..QueryPolicy::default()
    };
    let none = collect(
        &client,
        &headers,
        PartitionFilter::all(),
        Statement::new("test", "one", Bins::All),
    )
    .await;
    assert!(
        none.len() == 30
            && none
                .iter()
                .all(|record| record.bins.is_empty() && record.generation == 1)
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_continues_after_the_previous_page() {
    let (server, client) = start().await;
    fill(&client, "one", 100).await;
    let policy = QueryPolicy {
        max_records: 30,
        ..QueryPolicy::default()
    };
    let (mut filter, mut seen, mut total) = (PartitionFilter::all(), BTreeSet::new(), 0);
    for _ in 0..10 {
        let records = client
            .query(&policy, filter, Statement::new("test", "one", Bins::All))
            .await
            .unwrap();
        let mut stream = records.clone().into_stream();
        while let Some(record) = stream.next().await {
            seen.insert(i64::try_from(&record.unwrap().bins["n"]).unwrap());
            total += 1;
        }
        filter = records.partition_filter().unwrap();
        if filter.done() {
            break;
        }
    }
    assert_eq!((seen.len(), total), (100, 100), "every record once");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_can_be_limited_to_one_partition() {
    let (server, client) = start().await;
    fill(&client, "one", 200).await;
    let mut sum = 0;
    for id in 0..4096 / 512 {
        sum += collect(
            &client,
            &QueryPolicy::default(),
            PartitionFilter::by_range(id * 512, 512),
            Statement::new("test", "one", Bins::All),
        )
        .await
        .len();
    }
    assert_eq!(sum, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_by_bins_and_metadata() {
    let (server, client) = start().await;
    fill(&client, "one", 40).await;
    let key = Key::new("test", "one", Value::from(7)).unwrap();
    client
        .touch(
            &write_policy(|policy| policy.expiration = Expiration::Seconds(1000)),
            &key,
        )
        .await
        .unwrap();
    let count = async |filter: Expression| {
        let mut policy = QueryPolicy::default();
        policy.base_policy.filter_expression = Some(filter);
        collect(
            &client,
            &policy,
            PartitionFilter::all(),
            Statement::new("test", "one", Bins::All),
        )
        .await
        .len()
    };
    let n = || exp::int_bin("n");
    assert_eq!(
        count(exp::and(vec![
            exp::ge(n(), exp::int_val(10)),
            exp::lt(n(), exp::int_val(15))
        ]))
        .await,
        5
    );
    assert_eq!(
        count(exp::or(vec![
            exp::eq(n(), exp::int_val(1)),
            exp::eq(exp::string_bin("t"), exp::string_val("text 2"))
        ]))
        .await,
        2
    );
    assert_eq!(count(exp::not(exp::eq(n(), exp::int_val(1)))).await, 39);
    assert_eq!(count(exp::bin_exists("n")).await, 40);
    assert_eq!(count(exp::bin_exists("none")).await, 0);
    assert_eq!(
        count(exp::eq(exp::string_bin("n"), exp::string_val("1"))).await,
        0,
        "a bin of another type cannot be told"
    );
    assert_eq!(count(exp::gt(exp::ttl(), exp::int_val(0))).await, 1);
    assert_eq!(count(exp::eq(exp::void_time(), exp::int_val(-1))).await, 39);
    assert_eq!(
        count(exp::eq(exp::set_name(), exp::string_val("one"))).await,
        40
    );
    assert_eq!(
        count(exp::lt(exp::since_update(), exp::int_val(60_000))).await,
        40
    );
    assert_eq!(
        count(exp::eq(exp::digest_modulo(2), exp::int_val(0))).await
            + count(exp::eq(exp::digest_modulo(2), exp::int_val(1))).await,
        40
    );
    assert_eq!(
        count(exp::eq(
            exp::num_mod(n(), exp::int_val(10)),
            exp::int_val(3)
        ))
        .await,
        4
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_single_command_returns_filtered_out() {
    let (server, client) = start().await;
    fill(&client, "one", 1).await;
    let key = Key::new("test", "one", Value::from(0)).unwrap();
    let mut policy = ReadPolicy::default();
    policy.base_policy.filter_expression = Some(exp::eq(exp::int_bin("n"), exp::int_val(5)));
    assert_eq!(
        refusal(client.get(&policy, &key, Bins::All).await),
        ResultCode::FilteredOut
    );
    policy.base_policy.filter_expression = Some(exp::int_val(5));
    assert_eq!(
        refusal(client.get(&policy, &key, Bins::All).await),
        ResultCode::ParameterError,
        "a filter must come to true or false"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_read_and_write_expressions() {
    use aerospike::operations::exp::{ExpReadFlags, ExpWriteFlags, read_exp, write_exp};
    let (server, client) = start().await;
    fill(&client, "one", 3).await;
    let key = Key::new("test", "one", Value::from(2)).unwrap();
    let twice = exp::num_mul(vec![exp::int_bin("n"), exp::int_val(2)]);
    let ops = [
        write_exp("d", twice.clone(), ExpWriteFlags::DEFAULT),
        read_exp("r", twice, ExpReadFlags::DEFAULT),
    ];
    client
        .operate(&WritePolicy::default(), &key, &ops)
        .await
        .unwrap();
    assert_eq!(get(&client, &key).await.unwrap().bins["d"], Value::from(4));
    let failing = [read_exp("r", exp::int_bin("none"), ExpReadFlags::DEFAULT)];
    assert_eq!(
        refusal(
            client
                .operate(&WritePolicy::default(), &key, &failing)
                .await
        ),
        ResultCode::OpNotApplicable
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_background_query_writes_to_every_record_it_finds() {
    let (server, client) = start().await;
    fill(&client, "one", 50).await;
    fill(&client, "two", 5).await;
    let mut statement = Statement::new("test", "one", Bins::All);
    statement.set_operations([
        operations::add(&as_bin!("n", 100)),
        operations::put(&as_bin!("seen", 1)),
    ]);
    let policy = write_policy(|policy| {
        policy.base_policy.filter_expression =
            Some(exp::lt(exp::int_bin("n".to_owned()), exp::int_val(30)));
    });
    let task = client.query_operate(&policy, statement).await.unwrap();
    task.wait_till_complete(None).await.unwrap();
    let all = async |set| {
        let statement = Statement::new("test", set, Bins::All);
        collect(
            &client,
            &QueryPolicy::default(),
            PartitionFilter::all(),
            statement,
        )
        .await
    };
    let changed: BTreeSet<i64> = (30..50).chain(100..130).collect();
    assert_eq!(numbers(&all("one").await), changed);
    assert_eq!(numbers(&all("two").await), (0..5).collect());
    let shown = info(&server, "query-show\n");
    for part in [
        ":ns=test:set=one:",
        ":status=done(ok):",
        ":recs-filtered-bins=20:recs-succeeded=30:recs-failed=0:",
        ":job-type=background-ops:",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_background_query_that_reads() {
    let (server, client) = start().await;
    fill(&client, "one", 1).await;
    let mut statement = Statement::new("test", "one", Bins::All);
    statement.set_operations([operations::get()]);
    let policy = WritePolicy::default();
    assert!(client.query_operate(&policy, statement).await.is_err());
    assert_eq!(info(&server, "query-show\n"), "query-show\t\n");
    server.stop().await;
}
