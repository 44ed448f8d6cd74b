//! Operations on maps and lists, through the official client.

#![allow(clippy::unwrap_used)]

mod common;

use aerospike::operations::cdt_context::{CdtContext, ctx_map_key, ctx_map_key_create};
use aerospike::operations::lists::{self, ListPolicy};
use aerospike::operations::maps::{self, MapOrder, MapPolicy, MapReturnType};
use aerospike::operations::{self, Operation};
use aerospike::*;
use common::*;

fn key() -> Key {
    Key::new("test", "sessions", Value::from("k")).unwrap()
}

/// Runs operations. Returns the result of each.
async fn run(client: &Client, ops: &[Operation]) -> Result<Vec<Value>> {
    Ok(client
        .operate(&WritePolicy::default(), &key(), ops)
        .await?
        .results
        .unwrap_or_default())
}

async fn bin(client: &Client, name: &str) -> Value {
    get(client, &key()).await.unwrap().bins[name].clone()
}

/// Returns the pairs of a map value.
fn items(map: Value) -> std::collections::HashMap<Value, Value> {
    match map {
        Value::HashMap(map) => map,
        other => panic!("no map: {other:?}"),
    }
}

fn ints(items: &[i64]) -> Value {
    Value::List(items.iter().map(|item| Value::from(*item)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_a_session_in_one_request() {
    let (server, client) = start().await;
    let policy = MapPolicy::default();
    client
        .put(
            &WritePolicy::default(),
            &key(),
            &[Bin::new(
                "data",
                as_map!("gone" => 1, "kept" => 2, "old" => 3),
            )],
        )
        .await
        .unwrap();
    let results = run(
        &client,
        &[
            maps::remove_by_key_list(
                "data",
                as_values!("gone", "never there"),
                MapReturnType::COUNT,
            ),
            maps::put_items(&policy, "data", items(as_map!("old" => 4, "new" => 5))),
            operations::put(&as_bin!("expires", 99)),
        ],
    )
    .await
    .unwrap();
    assert_eq!(results[0], Value::from(1));
    assert_eq!(results[1], Value::from(3));
    let expected = r#"{String("kept"): Int(2), String("new"): Int(5), String("old"): Int(4)}"#;
    assert_eq!(
        bin(&client, "data").await.to_string(),
        expected,
        "in the order of the keys"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_operation_creates_the_bin_and_rejects_other_types() {
    let (server, client) = start().await;
    run(
        &client,
        &[maps::put_items(
            &MapPolicy::default(),
            "m",
            items(as_map!("a" => 1)),
        )],
    )
    .await
    .unwrap();
    client
        .put(&WritePolicy::default(), &key(), &[as_bin!("n", 1)])
        .await
        .unwrap();
    let refused = run(
        &client,
        &[maps::put_items(
            &MapPolicy::default(),
            "n",
            items(as_map!("a" => 1)),
        )],
    )
    .await;
    assert_eq!(refusal(refused), ResultCode::BinTypeError);
    let refused = run(&client, &[maps::size("n")]).await;
    assert_eq!(refusal(refused), ResultCode::BinTypeError);
    assert_eq!(
        run(&client, &[maps::size("none"), maps::size("m")])
            .await
            .unwrap(),
        [Value::Nil, Value::from(1)]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_map_elements_by_key_index_rank_and_value() {
    let (server, client) = start().await;
    client
        .put(
            &WritePolicy::default(),
            &key(),
            &[Bin::new("m", as_map!("a" => 30, "b" => 10, "c" => 20))],
        )
        .await
        .unwrap();
    let results = run(
        &client,
        &[
            maps::get_by_key("m", Value::from("b"), MapReturnType::VALUE),
            maps::get_by_key("m", Value::from("z"), MapReturnType::VALUE),
            maps::get_by_index("m", -1, MapReturnType::KEY),
            maps::get_by_rank("m", 0, MapReturnType::KEY),
            maps::get_by_key("m", Value::from("a"), MapReturnType::RANK),
            maps::get_by_key("m", Value::from("c"), MapReturnType::REVERSE_INDEX),
            maps::get_by_value_range("m", Value::from(10), Value::from(30), MapReturnType::COUNT),
            maps::get_by_rank_range("m", 1, 2, MapReturnType::VALUE),
            maps::get_by_key("m", Value::from("a"), MapReturnType::EXISTS),
        ],
    )
    .await
    .unwrap();
    let expected = [
        Value::from(10),
        Value::Nil,
        Value::from("c"),
        Value::from("b"),
        Value::from(2),
        Value::from(0),
        Value::from(2),
        ints(&[20, 30]),
        Value::Bool(true),
    ];
    assert_eq!(results, expected);
    assert_eq!(
        refusal(run(&client, &[maps::get_by_index("m", 3, MapReturnType::KEY)]).await),
        ResultCode::OpNotApplicable
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_nested_maps_and_creates_missing_ones() {
    let (server, client) = start().await;
    let at = |path: Vec<CdtContext>, operation: Operation| operation.context(path);
    let create = || ctx_map_key_create(Value::from("cart"), MapOrder::KeyOrdered);
    let put = || maps::put_items(&MapPolicy::default(), "m", items(as_map!("apples" => 2)));
    run(&client, &[at(vec![create()], put())]).await.unwrap();
    run(
        &client,
        &[at(
            vec![ctx_map_key(Value::from("cart"))],
            maps::increment_value(
                &MapPolicy::default(),
                "m",
                Value::from("apples"),
                Value::from(3),
            ),
        )],
    )
    .await
    .unwrap();
    let read = at(
        vec![ctx_map_key(Value::from("cart"))],
        maps::get_by_key("m", Value::from("apples"), MapReturnType::VALUE),
    );
    assert_eq!(run(&client, &[read]).await.unwrap(), [Value::from(5)]);
    let nowhere = at(vec![ctx_map_key(Value::from("none"))], put());
    assert_eq!(
        refusal(run(&client, &[nowhere]).await),
        ResultCode::OpNotApplicable
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_trims_and_reads_lists() {
    let (server, client) = start().await;
    let policy = ListPolicy::default();
    let results = run(
        &client,
        &[
            lists::append(&policy, "l", Value::from(1)),
            lists::append_items(&policy, "l", as_values!(2, 3, 4)),
            lists::insert(&policy, "l", 0, Value::from(0)),
            lists::get("l", -1),
            lists::get_range("l", 1, 2),
            lists::pop("l", 0),
            lists::set("l", 0, Value::from(9)),
            lists::size("l"),
            lists::trim("l", 0, 2),
        ],
    )
    .await
    .unwrap();
    assert_eq!(
        results[2..],
        [
            Value::from(5),
            Value::from(4),
            ints(&[1, 2]),
            Value::from(0),
            Value::Nil,
            Value::from(4),
            Value::from(2)
        ]
    );
    assert_eq!(bin(&client, "l").await, ints(&[9, 2]));
    assert_eq!(
        refusal(run(&client, &[lists::get("l", 7)]).await),
        ResultCode::OpNotApplicable
    );
    run(&client, &[lists::clear("l")]).await.unwrap();
    assert_eq!(bin(&client, "l").await, ints(&[]));
    server.stop().await;
}
