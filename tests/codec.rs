//! Round trips of arbitrary JSON to Aerospike values and back.
#![allow(clippy::unwrap_used)]

use aerospike_session::codec::{decode, encode, members, tree};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        (-(1_i64 << 53)..=(1 << 53)).prop_map(Json::from),
        any::<f64>().prop_filter_map("finite", |n| n.is_finite().then(|| json!(n))),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|map| Json::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Compares values. JSON has only one type of number: 1 and 1.0 are equal.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let equal = |(key, a): (&String, &Json)| b.get(key).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(equal)
        }
        (a, b) => a == b,
    }
}

proptest! {
    #[test]
    fn any_value_round_trips(json in any_json()) {
        let value = tree::value(&json.to_string(), 1).unwrap().unwrap();
        let mut text = String::new();
        decode::value(&mut text, &value).unwrap();
        let back: Json = serde_json::from_str(&text).unwrap();
        prop_assert!(same(&json, &back), "{json} became {back}");
    }

    #[test]
    fn no_text_causes_a_panic(text in any::<String>()) {
        let _ = encode::object(&text);
        let _ = tree::value(&text, 1);
        let _ = encode::check(&text);
        let _ = members::split(&text);
    }

    #[test]
    fn splitting_and_joining_an_object_round_trips(
        map in prop::collection::hash_map(any::<String>(), any_json(), 0..8),
        pretty in any::<bool>(),
    ) {
        let object = Json::Object(map.into_iter().collect::<Map<_, _>>());
        let text = match pretty {
            true => serde_json::to_string_pretty(&object).unwrap(),
            false => object.to_string(),
        };
        let joined = members::join(&members::split(&text).unwrap());
        prop_assert_eq!(object, serde_json::from_str::<Json>(&joined).unwrap());
    }
}
