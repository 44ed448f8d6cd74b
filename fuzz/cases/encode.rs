//! Arbitrary text as the JSON of a session. If it is accepted, the packed map, the tree and the members have the same
//! value as the text.

use aerospike_session::codec::encode::{self, Encoded};
use aerospike_session::codec::{MAX_SAFE, decode, members, tree};
use serde_json::{Map, Number, Value as Json};

pub fn run(text: &str) {
    let parsed = serde_json::from_str::<Json>(text);
    let checked = encode::check(text);
    match encode::object(text) {
        Ok(Encoded::Map(packed)) => {
            let expected = parsed.as_ref().expect("accepted text is JSON");
            let mut rest = packed.as_slice();
            assert!(same(&unpack(&mut rest), expected));
            assert!(rest.is_empty());
            assert!(checked.is_ok());
            let value = tree::value(text, 1)
                .expect("an object")
                .expect("no lone surrogates");
            let mut back = String::new();
            decode::value(&mut back, &value).expect("our own value");
            assert!(same(&serde_json::from_str(&back).expect("JSON"), expected));
        }
        Ok(Encoded::OnlyJson) => assert!(checked.is_ok() && parsed.is_err()),
        Err(_) => assert!(checked.is_err()),
    }
    if let Ok(members) = members::split(text) {
        let joined = members::join(&members);
        assert_eq!(serde_json::from_str::<Json>(&joined).ok(), parsed.ok());
    }
}

/// Unpacks the dialect of MessagePack that maps are stored in, as far as this package writes it.
fn unpack(from: &mut &[u8]) -> Json {
    match byte(from) {
        small @ 0..=0x7f => small.into(),
        0xc0 => Json::Null,
        0xc2 => false.into(),
        0xc3 => true.into(),
        0xcb => double(f64::from_bits(number(from, 8))),
        kind @ 0xcc..=0xcf => number(from, 1 << (kind - 0xcc)).into(),
        0xd0 => (number(from, 1) as i8).into(),
        0xd1 => (number(from, 2) as i16).into(),
        0xd2 => (number(from, 4) as i32).into(),
        0xd3 => (number(from, 8) as i64).into(),
        small @ 0xe0..=0xff => (small as i8).into(),
        kind @ 0x80..=0x8f => map(from, usize::from(kind & 0x0f)),
        0xde => {
            let count = number(from, 2);
            map(from, count as usize)
        }
        0xdf => {
            let count = number(from, 4);
            map(from, count as usize)
        }
        kind @ 0x90..=0x9f => list(from, usize::from(kind & 0x0f)),
        0xdc => {
            let count = number(from, 2);
            list(from, count as usize)
        }
        0xdd => {
            let count = number(from, 4);
            list(from, count as usize)
        }
        kind @ 0xa0..=0xbf => string(from, usize::from(kind & 0x1f)),
        kind @ 0xd9..=0xdb => {
            let length = number(from, 1 << (kind - 0xd9));
            string(from, length as usize)
        }
        other => panic!("{other:#x}"),
    }
}

fn take<'a>(from: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = from.split_at(count);
    *from = rest;
    taken
}

fn byte(from: &mut &[u8]) -> u8 {
    take(from, 1)[0]
}

fn number(from: &mut &[u8], bytes: usize) -> u64 {
    take(from, bytes)
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn double(value: f64) -> Json {
    Json::Number(Number::from_f64(value).expect("finite"))
}

fn string(from: &mut &[u8], length: usize) -> Json {
    let [3, text @ ..] = take(from, length) else {
        panic!("not a string")
    };
    std::str::from_utf8(text).expect("UTF-8").into()
}

fn list(from: &mut &[u8], count: usize) -> Json {
    (0..count).map(|_| unpack(from)).collect()
}

/// Unpacks a map. Checks that it is marked as key-ordered, that its keys are in order, and that no key is repeated.
fn map(from: &mut &[u8], count: usize) -> Json {
    assert_eq!(take(from, 4), [0xc7, 0x00, 0x01, 0xc0]);
    let mut map = Map::new();
    let mut last: Option<String> = None;
    for _ in 1..count {
        let Json::String(key) = unpack(from) else {
            panic!("not a key")
        };
        assert!(last.as_ref().is_none_or(|last| *last < key));
        map.insert(key.clone(), unpack(from));
        last = Some(key);
    }
    Json::Object(map)
}

/// Compares values. JSON has only one type of number. A whole number beyond 2^53 stands for the nearest double.
fn same(stored: &Json, expected: &Json) -> bool {
    match (stored, expected) {
        (Json::Number(stored), Json::Number(expected)) => {
            let is_integer = stored.is_i64() || stored.is_u64();
            stored.as_f64() == expected.as_f64()
                && (!is_integer
                    || stored.as_f64().is_some_and(|n| {
                        n.abs() <= MAX_SAFE || expected.is_f64() || stored == expected
                    }))
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}
