//! Single records through the official client: reads, writes, policies and errors.

#![allow(clippy::unwrap_used)]

mod common;

use aerospike::operations;
use aerospike::*;
use common::*;

fn key(id: &str) -> Key {
    Key::new("test", "sessions", Value::from(id)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_back_values_of_every_type() {
    let (server, client) = start().await;
    let bins = [
        Bin::new("int", Value::from(-7)),
        Bin::new("float", Value::from(2.5)),
        Bin::new("text", Value::from("grüße 🎉")),
        Bin::new("blob", Value::Blob(vec![0, 255])),
        Bin::new("bool", Value::Bool(true)),
        Bin::new("list", as_list!(1, "two", as_list!(3.5))),
        Bin::new("map", as_map!("a" => 1, "b" => as_list!(1, 2))),
        Bin::new(
            "geo",
            Value::GeoJson(r#"{"type":"Point","coordinates":[1,2]}"#.into()),
        ),
    ];
    client
        .put(&WritePolicy::default(), &key("all"), &bins)
        .await
        .unwrap();
    let record = get(&client, &key("all")).await.unwrap();
    assert_eq!(record.bins.len(), bins.len());
    for bin in &bins[..6] {
        assert_eq!(record.bins[&bin.name], bin.value, "bin {}", bin.name);
    }
    assert_eq!(record.bins["geo"].to_string(), bins[7].value.to_string());
    assert_eq!((record.generation, record.time_to_live()), (1, None));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_selected_bins_and_headers_only() {
    let (server, client) = start().await;
    client
        .put(
            &WritePolicy::default(),
            &key("k"),
            &[as_bin!("a", 1), as_bin!("b", 2)],
        )
        .await
        .unwrap();
    let some = client
        .get(&ReadPolicy::default(), &key("k"), ["b", "none"])
        .await
        .unwrap();
    assert_eq!(
        some.bins.iter().collect::<Vec<_>>(),
        [(&"b".to_string(), &Value::from(2))]
    );
    let header = client
        .get(&ReadPolicy::default(), &key("k"), Bins::None)
        .await
        .unwrap();
    assert_eq!((header.bins.len(), header.generation), (0, 1));
    assert!(
        client
            .exists(&ReadPolicy::default(), &key("k"))
            .await
            .unwrap()
    );
    assert!(
        !client
            .exists(&ReadPolicy::default(), &key("none"))
            .await
            .unwrap()
    );
    assert_eq!(
        refusal(get(&client, &key("none")).await),
        ResultCode::KeyNotFoundError
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn applies_existence_policies() {
    let (server, client) = start().await;
    let put = |action: RecordExistsAction, id: &'static str, bin: Bin| {
        let client = client.clone();
        async move {
            client
                .put(
                    &write_policy(|policy| policy.record_exists_action = action),
                    &key(id),
                    &[bin],
                )
                .await
        }
    };
    use RecordExistsAction::*;
    assert_eq!(
        refusal(put(UpdateOnly, "k", as_bin!("a", 1)).await),
        ResultCode::KeyNotFoundError
    );
    assert_eq!(
        refusal(put(ReplaceOnly, "k", as_bin!("a", 1)).await),
        ResultCode::KeyNotFoundError
    );
    put(CreateOnly, "k", as_bin!("a", 1)).await.unwrap();
    assert_eq!(
        refusal(put(CreateOnly, "k", as_bin!("a", 2)).await),
        ResultCode::KeyExistsError
    );
    put(UpdateOnly, "k", as_bin!("b", 2)).await.unwrap();
    assert_eq!(get(&client, &key("k")).await.unwrap().bins.len(), 2);
    put(Replace, "k", as_bin!("c", 3)).await.unwrap();
    let record = get(&client, &key("k")).await.unwrap();
    assert_eq!(
        (
            record.bins.len(),
            record.bins["c"].clone(),
            record.generation
        ),
        (1, Value::from(3), 3)
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn applies_generation_policies_to_writes_and_deletes() {
    let (server, client) = start().await;
    client
        .put(&WritePolicy::default(), &key("k"), &[as_bin!("a", 1)])
        .await
        .unwrap();
    let with = |policy: GenerationPolicy, generation: u32| {
        write_policy(|write| {
            write.generation_policy = policy;
            write.generation = generation;
        })
    };
    let bin = [as_bin!("a", 2)];
    use GenerationPolicy::*;
    assert_eq!(
        refusal(client.put(&with(ExpectGenEqual, 2), &key("k"), &bin).await),
        ResultCode::GenerationError
    );
    client
        .put(&with(ExpectGenEqual, 1), &key("k"), &bin)
        .await
        .unwrap();
    assert_eq!(
        refusal(
            client
                .put(&with(ExpectGenGreater, 2), &key("k"), &bin)
                .await
        ),
        ResultCode::GenerationError
    );
    client
        .put(&with(ExpectGenGreater, 3), &key("k"), &bin)
        .await
        .unwrap();
    assert_eq!(
        refusal(client.delete(&with(ExpectGenEqual, 9), &key("k")).await),
        ResultCode::GenerationError
    );
    assert!(
        client
            .delete(&with(ExpectGenEqual, 3), &key("k"))
            .await
            .unwrap()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_reports_whether_the_record_existed() {
    let (server, client) = start().await;
    client
        .put(&WritePolicy::default(), &key("k"), &[as_bin!("a", 1)])
        .await
        .unwrap();
    assert!(
        client
            .delete(&WritePolicy::default(), &key("k"))
            .await
            .unwrap()
    );
    assert!(
        !client
            .delete(&WritePolicy::default(), &key("k"))
            .await
            .unwrap()
    );
    let durable = write_policy(|policy| policy.durable_delete = true);
    assert_eq!(
        refusal(client.delete(&durable, &key("k")).await),
        ResultCode::EnterpriseOnly
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn executes_operations_in_order_and_returns_each_result() {
    let (server, client) = start().await;
    let text = as_bin!("t", "b");
    let ops = [
        operations::put(&text),
        operations::append(&as_bin!("t", "c")),
        operations::prepend(&as_bin!("t", "a")),
        operations::get_bin("t"),
        operations::add(&as_bin!("n", 5)),
        operations::add(&as_bin!("n", -2)),
        operations::get_bin("n"),
    ];
    let record = client
        .operate(&WritePolicy::default(), &key("k"), &ops)
        .await
        .unwrap();
    assert_eq!(record.generation, 1);
    let results = record.results.unwrap();
    assert_eq!(
        (results.len(), &results[3], &results[6]),
        (7, &Value::from("abc"), &Value::from(3))
    );
    let ops = [
        operations::add(&as_bin!("n", 1)),
        operations::add(&as_bin!("t", 1)),
    ];
    assert_eq!(
        refusal(
            client
                .operate(&WritePolicy::default(), &key("k"), &ops)
                .await
        ),
        ResultCode::BinTypeError
    );
    assert_eq!(
        get(&client, &key("k")).await.unwrap().bins["n"],
        Value::from(3),
        "nothing of a failed request stays"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removes_bins_set_to_nil_and_the_record_with_the_last() {
    let (server, client) = start().await;
    client
        .put(
            &WritePolicy::default(),
            &key("k"),
            &[as_bin!("a", 1), as_bin!("b", 2)],
        )
        .await
        .unwrap();
    client
        .put(
            &WritePolicy::default(),
            &key("k"),
            &[Bin::new("a", Value::Nil)],
        )
        .await
        .unwrap();
    assert_eq!(get(&client, &key("k")).await.unwrap().bins.len(), 1);
    client
        .put(
            &WritePolicy::default(),
            &key("k"),
            &[Bin::new("b", Value::Nil)],
        )
        .await
        .unwrap();
    assert_eq!(
        refusal(get(&client, &key("k")).await),
        ResultCode::KeyNotFoundError
    );
    assert_eq!(server.objects("test"), Some(0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_the_servers_codes_for_invalid_requests() {
    let (server, client) = start().await;
    let put = |key: Key, bin: Bin| {
        let client = client.clone();
        async move { client.put(&WritePolicy::default(), &key, &[bin]).await }
    };
    assert_eq!(
        refusal(put(key("k"), as_bin!("a", "x".repeat(1 << 20))).await),
        ResultCode::RecordTooBig
    );
    put(key("k"), as_bin!("a", "x".repeat((1 << 20) - 100)))
        .await
        .unwrap();
    let duplicate = Value::Unknown(19, vec![0x82, 1, 1, 1, 2]);
    assert_eq!(
        refusal(put(key("k"), Bin::new("m", duplicate)).await),
        ResultCode::ServerError
    );
    let disordered = Value::Unknown(19, vec![0x83, 0xc7, 0, 1, 0xc0, 2, 2, 1, 1]);
    assert_eq!(
        refusal(put(key("k"), Bin::new("m", disordered)).await),
        ResultCode::ServerError
    );
    let longer_set = Key::new("test", "s".repeat(64), Value::from(1)).unwrap();
    assert_eq!(
        refusal(put(longer_set, as_bin!("a", 1)).await),
        ResultCode::ParameterError
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_an_unordered_map_sorted_by_key() {
    let (server, client) = start().await;
    let packed = Value::Unknown(19, vec![0x83, 0xa2, 3, b'b', 2, 0xa2, 3, b'a', 1, 7, 0]);
    client
        .put(&WritePolicy::default(), &key("k"), &[Bin::new("m", packed)])
        .await
        .unwrap();
    let record = get(&client, &key("k")).await.unwrap();
    let Value::OrderedMap(map) = &record.bins["m"] else {
        panic!("{:?}", record.bins["m"])
    };
    assert_eq!(
        map.keys().collect::<Vec<_>>(),
        [&Value::from(7), &Value::from("a"), &Value::from("b")]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_a_sent_key_and_rejects_another() {
    let (server, client) = start().await;
    let policy = write_policy(|policy| policy.send_key = true);
    client
        .put(&policy, &key("mine"), &[as_bin!("a", 1)])
        .await
        .unwrap();
    let other = Key::with_digest(
        "test",
        "sessions",
        Some(Value::from("other")),
        key("mine").digest(),
    );
    assert_eq!(
        refusal(client.put(&policy, &other, &[as_bin!("a", 1)]).await),
        ResultCode::KeyMismatch
    );
    client
        .put(&policy, &key("mine"), &[as_bin!("a", 2)])
        .await
        .unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_belongs_to_its_set() {
    let (server, client) = start().await;
    client
        .put(&WritePolicy::default(), &key("k"), &[as_bin!("a", 1)])
        .await
        .unwrap();
    let elsewhere = Key::with_digest("test", "others", None, key("k").digest());
    assert_eq!(
        refusal(
            client
                .put(&WritePolicy::default(), &elsewhere, &[as_bin!("a", 1)])
                .await
        ),
        ResultCode::ParameterError
    );
    assert_eq!(
        refusal(get(&client, &elsewhere).await),
        ResultCode::ParameterError
    );
    server.stop().await;
}
