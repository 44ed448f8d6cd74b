//! List operations with special rules: unique items, ranks of equal items, lists of values.

#![allow(clippy::unwrap_used)]

mod common;

use aerospike::operations::Operation;
use aerospike::operations::cdt_context::{CdtContext, ctx_map_key_create};
use aerospike::operations::lists::{
    self, ListOrderType, ListPolicy, ListReturnType, ListSortFlags,
};
use aerospike::operations::maps::MapOrder;
use aerospike::*;
use common::*;

fn key() -> Key {
    Key::new("test", "sessions", Value::from("k")).unwrap()
}

fn ints(items: &[i64]) -> Value {
    Value::List(items.iter().map(|item| Value::from(*item)).collect())
}

fn values(items: &[i64]) -> Vec<Value> {
    items.iter().map(|item| Value::from(*item)).collect()
}

/// Runs one operation. Returns its result.
async fn run(client: &Client, operation: Operation) -> Result<Value> {
    let policy = WritePolicy::default();
    let record = client.operate(&policy, &key(), &[operation]).await?;
    Ok(record.bins.get("l").cloned().unwrap_or(Value::Nil))
}

async fn put(client: &Client, list: Value) {
    let policy = WritePolicy::default();
    let bins = [Bin::new("l", list)];
    client.put(&policy, &key(), &bins).await.unwrap();
}

fn unique(flags: ListWriteFlags) -> ListPolicy {
    ListPolicy {
        attributes: ListOrderType::Unordered,
        flags: ListWriteFlags::ADD_UNIQUE | flags,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn distinguishes_duplicate_items_from_existing_ones() {
    let (server, client) = start().await;
    put(&client, ints(&[1])).await;
    let none = ListWriteFlags::DEFAULT;
    let append = |flags, items: &[i64]| lists::append_items(&unique(flags), "l", values(items));

    let twice = run(&client, append(none, &[2, 2])).await;
    assert_eq!(refusal(twice), ResultCode::OpNotApplicable);
    let there = run(&client, append(none, &[1, 2])).await;
    assert_eq!(refusal(there), ResultCode::ElementExists);
    // DO_PARTIAL only counts with NO_FAIL.
    let partial = append(ListWriteFlags::PARTIAL, &[1, 2]);
    assert_eq!(
        refusal(run(&client, partial).await),
        ResultCode::ElementExists
    );
    let lenient = ListWriteFlags::PARTIAL | ListWriteFlags::NO_FAIL;
    assert_eq!(
        run(&client, append(lenient, &[1, 2, 2])).await.unwrap(),
        Value::from(2)
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_ranks_near_the_low_end_in_descending_order() {
    let (server, client) = start().await;
    put(&client, ints(&[5, 1, 3, 2, 9, 7])).await;
    let range =
        |rank, count| lists::get_by_rank_range_count("l", rank, count, ListReturnType::VALUES);
    assert_eq!(run(&client, range(0, 3)).await.unwrap(), ints(&[3, 2, 1]));
    assert_eq!(run(&client, range(3, 3)).await.unwrap(), ints(&[5, 7, 9]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_a_selection_by_values_value_by_value() {
    let (server, client) = start().await;
    let by = |items: &[i64], returns| lists::get_by_value_list("l", values(items), returns);

    put(&client, ints(&[7, 3, 3, 5])).await;
    assert_eq!(
        run(&client, by(&[5, 3], ListReturnType::RANK))
            .await
            .unwrap(),
        ints(&[2, 0, 1])
    );
    run(&client, lists::set_order("l", ListOrderType::Ordered))
        .await
        .unwrap();
    // In an ordered list, a value that is requested twice is returned twice.
    assert_eq!(
        run(&client, by(&[5, 3, 5], ListReturnType::VALUES))
            .await
            .unwrap(),
        ints(&[5, 3, 3, 5])
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sort_does_not_create_its_context() {
    let (server, client) = start().await;
    let context: Vec<CdtContext> = vec![ctx_map_key_create(Value::from("k"), MapOrder::KeyOrdered)];
    let sort = || lists::sort("l", ListSortFlags::DEFAULT).context(context.clone());

    let missing = run(&client, sort()).await;
    assert_eq!(refusal(missing), ResultCode::BinTypeError);
    put(&client, as_map!("a" => 1)).await;
    run(&client, sort()).await.unwrap();
    assert_eq!(
        get(&client, &key()).await.unwrap().bins["l"],
        as_map!("a" => 1)
    );
    server.stop().await;
}
