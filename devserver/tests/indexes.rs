//! Secondary indexes: create, query, update, drop.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use aerospike::expressions as exp;
use aerospike::query::{Filter, PartitionFilter};
use aerospike::task::Task;
use aerospike::*;
use aerospike_session_devserver::{Config, NamespaceConfig};
use common::*;
use futures::StreamExt;

fn key(set: &str, id: i64) -> Key {
    Key::new("test", set.to_string(), Value::from(id)).unwrap()
}

async fn fill(client: &Client, set: &str, count: i64) {
    for id in 0..count {
        let bins = [as_bin!("n", id), as_bin!("user", format!("u{}", id % 10))];
        client
            .put(&WritePolicy::default(), &key(set, id), &bins)
            .await
            .unwrap();
    }
}

async fn index(client: &Client, set: &str, bin: &str, name: &str, kind: IndexType) {
    index_of(client, set, bin, name, kind, CollectionIndexType::Default).await;
}

async fn index_of(
    client: &Client,
    set: &str,
    bin: &str,
    name: &str,
    kind: IndexType,
    of: CollectionIndexType,
) {
    client
        .create_index_on_bin(
            &AdminPolicy::default(),
            "test",
            set,
            bin,
            name,
            kind,
            of,
            None,
        )
        .await
        .unwrap()
        .wait_till_complete(Some(Duration::from_secs(5)))
        .await
        .unwrap();
}

fn asking(set: &str, filter: Filter) -> Statement {
    let mut statement = Statement::new("test", set, Bins::All);
    statement.set_filter(filter);
    statement
}

async fn query(
    client: &Client,
    policy: &QueryPolicy,
    partitions: PartitionFilter,
    statement: Statement,
) -> Result<Vec<Record>> {
    let records = client.query(policy, partitions, statement).await?;
    let mut stream = records.into_stream();
    let mut found = Vec::new();
    while let Some(record) = stream.next().await {
        found.push(record?);
    }
    Ok(found)
}

async fn found(client: &Client, set: &str, filter: Filter) -> Vec<i64> {
    let all = PartitionFilter::all();
    let records = query(client, &QueryPolicy::default(), all, asking(set, filter))
        .await
        .unwrap();
    numbers(&records)
}

fn numbers(records: &[Record]) -> Vec<i64> {
    let mut numbers: Vec<_> = records
        .iter()
        .map(|record| i64::try_from(&record.bins["n"]).unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_strings_and_integers_by_bin_and_by_index_name() {
    let (server, client) = start().await;
    fill(&client, "one", 100).await;
    fill(&client, "two", 20).await;
    index(&client, "one", "user", "by-user", IndexType::String).await;
    index(&client, "one", "n", "by-n", IndexType::Numeric).await;
    let tens: Vec<i64> = (0..10).map(|ten| ten * 10 + 3).collect();
    assert_eq!(
        found(&client, "one", Filter::equal("user", "u3")).await,
        tens
    );
    assert_eq!(
        found(&client, "one", Filter::equal_by_index("by-user", "u3")).await,
        tens
    );
    assert!(
        found(&client, "one", Filter::equal("user", "nobody"))
            .await
            .is_empty()
    );
    assert_eq!(
        found(&client, "one", Filter::range("n", 17, 21)).await,
        [17, 18, 19, 20, 21]
    );
    assert_eq!(
        found(&client, "one", Filter::range_by_index("by-n", 98, i64::MAX)).await,
        [98, 99]
    );
    assert_eq!(found(&client, "one", Filter::equal("n", 5)).await, [5]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_query_without_a_matching_index() {
    let (server, client) = start().await;
    fill(&client, "one", 3).await;
    index(&client, "one", "n", "by-n", IndexType::Numeric).await;
    let ask = async |set: &str, filter: Filter| {
        let statement = asking(set, filter);
        refusal(
            query(
                &client,
                &QueryPolicy::default(),
                PartitionFilter::all(),
                statement,
            )
            .await,
        )
    };
    for (set, filter) in [
        ("one", Filter::equal("user", "u1")),
        ("one", Filter::equal("n", "1")),
        ("two", Filter::equal("n", 1)),
        ("one", Filter::equal_by_index("none", 1)),
        (
            "one",
            Filter::contains("n", 1, CollectionIndexType::MapKeys),
        ),
    ] {
        assert_eq!(ask(set, filter).await, ResultCode::IndexNotFound);
    }
    assert_eq!(
        ask("one", Filter::range("n", 3, 2)).await,
        ResultCode::ParameterError
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_an_index_on_writes_deletes_and_truncation() {
    let (server, client) = start().await;
    index(&client, "one", "user", "by-user", IndexType::String).await;
    fill(&client, "one", 30).await;
    let ask = || found(&client, "one", Filter::equal("user", "u3"));
    assert_eq!(ask().await, [3, 13, 23]);
    let policy = WritePolicy::default();
    client
        .put(&policy, &key("one", 13), &[as_bin!("user", "other")])
        .await
        .unwrap();
    client
        .put(&policy, &key("one", 4), &[as_bin!("user", "u3")])
        .await
        .unwrap();
    client.delete(&policy, &key("one", 23)).await.unwrap();
    assert_eq!(ask().await, [3, 4]);
    client
        .put(&policy, &key("one", 3), &[as_bin!("user", None)])
        .await
        .unwrap();
    assert_eq!(ask().await, [4]);
    assert!(
        info(&server, "sindex-stat:namespace=test;indexname=by-user\n").contains("\tentries=28;")
    );
    info(&server, "truncate:namespace=test;set=one\n");
    assert!(ask().await.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_hides_expired_records_and_nsup_removes_them() {
    let mut namespaces = NamespaceConfig::defaults();
    namespaces[0].nsup_period = 1;
    let (server, client) = start_with(Config {
        namespaces,
        ..Config::default()
    })
    .await;
    index(&client, "one", "user", "by-user", IndexType::String).await;
    let brief = write_policy(|policy| policy.expiration = Expiration::Seconds(1));
    let bins = [as_bin!("user", "u"), as_bin!("n", 1)];
    client.put(&brief, &key("one", 1), &bins).await.unwrap();
    assert_eq!(found(&client, "one", Filter::equal("user", "u")).await, [1]);
    let stat = || info(&server, "sindex-stat:namespace=test;indexname=by-user\n");
    while !stat().contains("\tentries=0;") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        found(&client, "one", Filter::equal("user", "u"))
            .await
            .is_empty()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_covers_its_set_or_the_whole_namespace() {
    let (server, client) = start().await;
    fill(&client, "one", 3).await;
    fill(&client, "two", 5).await;
    index(&client, "", "n", "all-n", IndexType::Numeric).await;
    index(&client, "two", "user", "two-user", IndexType::String).await;
    assert_eq!(
        found(&client, "two", Filter::range("n", 2, 9)).await,
        [2, 3, 4]
    );
    assert_eq!(
        found(&client, "", Filter::range("n", 2, 9)).await,
        [2, 2, 3, 4]
    );
    assert!(
        found(&client, "one", Filter::equal_by_index("two-user", "u1"))
            .await
            .is_empty()
    );
    assert_eq!(
        found(&client, "", Filter::equal_by_index("two-user", "u1")).await,
        [1]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_partitions_bins_and_filters_work_with_an_index() {
    let (server, client) = start().await;
    fill(&client, "one", 200).await;
    index(&client, "one", "n", "by-n", IndexType::Numeric).await;
    let policy = QueryPolicy {
        max_records: 30,
        ..QueryPolicy::default()
    };
    let (mut partitions, mut seen, mut total) = (PartitionFilter::all(), BTreeSet::new(), 0);
    for _ in 0..20 {
        let statement = asking("one", Filter::range("n", 50, 149));
        let records = client.query(&policy, partitions, statement).await.unwrap();
        let mut stream = records.clone().into_stream();
        while let Some(record) = stream.next().await {
            seen.insert(i64::try_from(&record.unwrap().bins["n"]).unwrap());
            total += 1;
        }
        partitions = records.partition_filter().unwrap();
        if partitions.done() {
            break;
        }
    }
    assert_eq!((seen, total), ((50..150).collect(), 100));

    let mut sum = 0;
    for id in 0..8 {
        let part = PartitionFilter::by_range(id * 512, 512);
        let statement = asking("one", Filter::range("n", 50, 149));
        let records = query(&client, &QueryPolicy::default(), part, statement).await;
        sum += records.unwrap().len();
    }
    assert_eq!(sum, 100);

    let mut statement = Statement::new("test", "one", ["user"].into());
    statement.set_filter(Filter::equal("n", 7));
    let all = PartitionFilter::all;
    let some = query(&client, &QueryPolicy::default(), all(), statement).await;
    assert_eq!(some.unwrap()[0].bins.keys().collect::<Vec<_>>(), ["user"]);

    let headers = QueryPolicy {
        include_bin_data: false,
        ..QueryPolicy::default()
    };
    let none = query(
        &client,
        &headers,
        all(),
        asking("one", Filter::equal("n", 7)),
    )
    .await
    .unwrap();
    assert!(none.len() == 1 && none[0].bins.is_empty() && none[0].generation == 1);

    let mut policy = QueryPolicy::default();
    policy.base_policy.filter_expression =
        Some(exp::eq(exp::string_bin("user"), exp::string_val("u3")));
    let records = query(
        &client,
        &policy,
        all(),
        asking("one", Filter::range("n", 0, 50)),
    )
    .await
    .unwrap();
    assert_eq!(numbers(&records), [3, 13, 23, 33, 43]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_elements_of_lists_and_maps_and_returns_each_record_once() {
    use CollectionIndexType::{List, MapKeys, MapValues};
    let (server, client) = start().await;
    index_of(&client, "c", "l", "by-l", IndexType::Numeric, List).await;
    index_of(&client, "c", "m", "by-k", IndexType::String, MapKeys).await;
    index_of(&client, "c", "m", "by-v", IndexType::Numeric, MapValues).await;
    for id in 0..3 {
        let bins = [
            as_bin!("n", id),
            Bin::new("l", as_list!(id, id + 1, id + 2, "text")),
            Bin::new("m", as_map!(format!("k{id}") => id * 10, "all" => 5)),
        ];
        client
            .put(&WritePolicy::default(), &key("c", id), &bins)
            .await
            .unwrap();
    }
    assert_eq!(
        found(&client, "c", Filter::contains("l", 2, List)).await,
        [0, 1, 2]
    );
    assert_eq!(
        found(&client, "c", Filter::contains_range("l", 1, 2, List)).await,
        [0, 1, 2]
    );
    assert_eq!(
        found(&client, "c", Filter::contains("m", "k1", MapKeys)).await,
        [1]
    );
    assert_eq!(
        found(&client, "c", Filter::contains("m", "all", MapKeys)).await,
        [0, 1, 2]
    );
    assert_eq!(
        found(&client, "c", Filter::contains_range("m", 10, 20, MapValues)).await,
        [1, 2]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drops_an_index_and_creates_it_again() {
    let (server, client) = start().await;
    fill(&client, "one", 10).await;
    let admin = AdminPolicy::default();
    for _ in 0..2 {
        index(&client, "one", "n", "by-n", IndexType::Numeric).await;
        assert_eq!(found(&client, "one", Filter::equal("n", 5)).await, [5]);
        let task = client
            .drop_index(&admin, "test", "one", "by-n")
            .await
            .unwrap();
        task.wait_till_complete(Some(Duration::from_secs(5)))
            .await
            .unwrap();
        let statement = asking("one", Filter::equal("n", 5));
        let all = PartitionFilter::all();
        assert_eq!(
            refusal(query(&client, &QueryPolicy::default(), all, statement).await),
            ResultCode::IndexNotFound
        );
    }
    client
        .drop_index(&admin, "test", "one", "by-n")
        .await
        .unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_definitions_of_indexes_are_unique() {
    let (server, _client) = start().await;
    let ask = |command: &str| {
        let response = info(&server, &format!("{command}\n"));
        response.split_once('\t').unwrap().1.trim_end().to_owned()
    };
    let create = |rest: &str| ask(&format!("sindex-create:namespace=test;{rest}"));
    assert_eq!(create("set=s;indexname=a;bin=b;type=string"), "ok");
    assert_eq!(create("set=s;indexname=a;indexdata=b,STRING"), "ok");
    assert_eq!(
        create("set=s;indexname=a;bin=b;type=numeric"),
        "ERROR:200:'indexname' already exists with different definition"
    );
    assert!(ask("sets/test/s").contains(":sindexes=1:"));
    assert_eq!(create("set=s;indexname=z;bin=b;type=string"), "ok");
    assert_eq!(ask("sindex-exists:namespace=test;indexname=a"), "false");
    assert_eq!(
        ask("sindex-list:ns=test"),
        "ns=test:indexname=z:set=s:bin=b:type=string:indextype=default:context=null:exp=null:state=RW"
    );
    for id in 1..256 {
        assert_eq!(
            create(&format!("indexname=i{id};bin=b{id};type=blob")),
            "ok"
        );
    }
    assert_eq!(
        create("indexname=more;bin=b;type=blob"),
        "ERROR:206:already at sindex definition limit"
    );
    assert_eq!(
        create("indexname=new;bin=b7;type=blob"),
        "ok",
        "a new name is no new index"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_survive_a_restart_with_a_data_file() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        data_file: Some(directory.path().join("data")),
        ..Config::default()
    };
    let (server, client) = start_with(config.clone()).await;
    index(&client, "one", "user", "old", IndexType::String).await;
    fill(&client, "one", 20).await;
    index(&client, "one", "user", "by-user", IndexType::String).await;
    index(&client, "one", "n", "by-n", IndexType::Numeric).await;
    index(&client, "", "n", "gone", IndexType::Numeric).await;
    client
        .drop_index(&AdminPolicy::default(), "test", "", "gone")
        .await
        .unwrap();
    let list = info(&server, "sindex-list\n");
    server.stop().await;
    // The second start reads the file that the first may have compacted.
    for _ in 0..2 {
        let (server, client) = start_with(config.clone()).await;
        assert_eq!(info(&server, "sindex-list\n"), list);
        assert_eq!(
            found(&client, "one", Filter::equal("user", "u3")).await,
            [3, 13]
        );
        assert_eq!(
            found(&client, "one", Filter::range("n", 0, 1)).await,
            [0, 1]
        );
        server.stop().await;
    }
}

/// The client must compare what an index finds, because the server does not compare it all (`strings_match()` and
/// `blobs_match()` in `as/src/query/query.c`).
#[tokio::test(flavor = "multi_thread")]
async fn does_not_distinguish_strings_and_blobs_of_equal_length_start_and_hash() {
    const ADA: &str = "ada.lovelace.of.the.analytical.engine.co";
    const OTHER: &str = "ada.lovelace.of.qtxmYuTdytical.ec15Ub-jI";
    let (_server, client) = start().await;
    for (id, name) in (0..).zip([ADA, OTHER]) {
        let blob = Value::Blob(name.as_bytes().to_vec());
        let bins = [
            as_bin!("n", id),
            as_bin!("user", name),
            as_bin!("blob", blob),
            as_bin!("list", as_list!(name, "somebody else")),
        ];
        client
            .put(&WritePolicy::default(), &key("alike", id), &bins)
            .await
            .unwrap();
    }
    index(&client, "alike", "user", "by-user", IndexType::String).await;
    index(&client, "alike", "blob", "by-blob", IndexType::Blob).await;
    let list = CollectionIndexType::List;
    index_of(&client, "alike", "list", "by-list", IndexType::String, list).await;
    for name in [ADA, OTHER] {
        let blob = Value::Blob(name.as_bytes().to_vec());
        for filter in [
            Filter::equal("user", name),
            Filter::equal("blob", blob),
            Filter::contains("list", name, CollectionIndexType::List),
        ] {
            assert_eq!(found(&client, "alike", filter).await, [0, 1]);
        }
        let mut policy = QueryPolicy::default();
        let whole = exp::eq(exp::string_bin("user"), exp::string_val(name));
        policy.base_policy.filter_expression = Some(whole);
        let all = PartitionFilter::all();
        let statement = asking("alike", Filter::equal("user", name));
        let records = query(&client, &policy, all, statement).await.unwrap();
        assert_eq!(numbers(&records), [i64::from(name == OTHER)]);
    }
    let shorter = &ADA[..ADA.len() - 1];
    assert!(
        found(&client, "alike", Filter::equal("user", shorter))
            .await
            .is_empty()
    );
}
