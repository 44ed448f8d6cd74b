//! Requests that a Community Edition server rejects, and the regular expressions that it knows.

#![allow(clippy::unwrap_used)]

mod common;

use aerospike::expressions::regex_flag::RegexFlags;
use aerospike::expressions::{regex_compare, string_bin};
use aerospike::*;
use common::*;

const COMPRESSED: u8 = 4;
/// Offset of the result code in a response.
const RESULT_CODE: usize = 8 + 5;
const ENTERPRISE_ONLY: u8 = 25;

#[tokio::test(flavor = "multi_thread")]
async fn rejects_compressed_requests_as_enterprise_only() {
    let (server, _client) = start().await;
    let response = exchange(&server, &frame(COMPRESSED, &[0; 16]), 200);
    assert_eq!(response.get(RESULT_CODE), Some(&ENTERPRISE_ONLY));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_commands_report_missing_features() {
    let (server, _client) = start().await;
    for (command, words) in [
        ("set-config:", "ERROR:4:missing 'context'"),
        ("set-config:context=nosuch", "ERROR:4:invalid context"),
        ("get-stats", "ERROR:4:missing 'context'"),
        ("query-abort:id=1", "ERROR:2:id not active"),
        ("query-show:id=1", "ERROR:2:job not found"),
        ("latencies:hist=nosuch", "ERROR:4:bad hist name"),
        (
            "histogram:namespace=nosuch",
            "ERROR:20:namespace not found on node",
        ),
        ("eviction-reset:namespace=nosuch", "ok"),
        ("udf-get:filename=nosuch.lua", "error=not_found"),
    ] {
        let response = info(&server, &format!("{command}\n"));
        assert_eq!(response, format!("{command}\t{words}\n"));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_by_regular_expression() {
    let (server, client) = start().await;
    let key = Key::new("test", "sessions", Value::from("k")).unwrap();
    let bins = [as_bin!("a", "one\ntwo")];
    client
        .put(&WritePolicy::default(), &key, &bins)
        .await
        .unwrap();
    let ask = async |pattern: &str, flags| {
        let mut policy = ReadPolicy::default();
        let filter = regex_compare(pattern, flags, string_bin("a"));
        policy.base_policy.filter_expression = Some(filter);
        client.get(&policy, &key, Bins::None).await.map(|_| ())
    };
    ask("^on", RegexFlags::NONE).await.unwrap();
    ask("ONE|three", RegexFlags::EXTENDED | RegexFlags::ICASE)
        .await
        .unwrap();
    let basic = ask("one|three", RegexFlags::NONE).await;
    assert_eq!(refusal(basic), ResultCode::FilteredOut);
    let unbalanced = ask("(", RegexFlags::EXTENDED).await;
    assert_eq!(refusal(unbalanced), ResultCode::ParameterError);
    server.stop().await;
}
