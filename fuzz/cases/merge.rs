//! Metas of baselines: arbitrary text. Merges of sessions: three arbitrary sessions, compared with a merge of trees.

use aerospike_session::store::baseline::BaselineMeta;
use aerospike_session::store::merge::Diff;
use aerospike_session::store::session_text::Session;
use arbitrary::{Arbitrary, Unstructured};
use serde_json::{Map, Value as Json};

pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Some(meta) = BaselineMeta::parse(text) {
            assert_eq!(BaselineMeta::parse(&meta.to_string()), Some(meta));
        }
        // A session compared with itself has no changes, and parsing its data again loses nothing.
        if let Ok(session) = Session::parse(text) {
            assert!(Diff::between(&session, &session).keeps_data());
            let data = session.data();
            let again = Session::parse(&data).expect("our own text");
            assert!(Diff::between(&session, &again).keeps_data());
            // The comparison without parsing gives the same.
            let since = Diff::since(text, None, &again);
            assert!(since.is_none_or(|diff| diff.keeps_data()));
        }
    }
    let mut from = Unstructured::new(bytes);
    let Ok([before, now, theirs]) = sessions(&mut from) else {
        return;
    };
    let texts = [&before, &now, &theirs].map(|map| Json::Object(map.clone()).to_string());
    let [a, b] = [&texts[0], &texts[1]].map(|text| Session::parse(text).expect("an object"));
    let merged = Diff::between(&a, &b).apply(&texts[2]).expect("an object");
    let since = Diff::since(&texts[0], None, &b).expect("an object");
    assert_eq!(since.apply(&texts[2]).expect("an object"), merged);
    let merged: Json = serde_json::from_str(&merged).expect("JSON");
    assert_eq!(merged, Json::Object(merge(before, now, theirs)));
}

fn merge(
    before: Map<String, Json>,
    now: Map<String, Json>,
    mut theirs: Map<String, Json>,
) -> Map<String, Json> {
    theirs.retain(|key, _| !before.contains_key(key) || now.contains_key(key));
    theirs.extend(
        now.into_iter()
            .filter(|(key, value)| before.get(key) != Some(value)),
    );
    theirs
}

fn sessions(from: &mut Unstructured<'_>) -> arbitrary::Result<[Map<String, Json>; 3]> {
    let mut one = || -> arbitrary::Result<Map<String, Json>> {
        let count = from.int_in_range(0..=40)?;
        (0..count)
            .map(|_| Ok((key(from)?, value(from, 0)?)))
            .collect()
    };
    Ok([one()?, one()?, one()?])
}

/// Returns one of few keys, so that the three sessions have some in common. The cookie is not part of the merge.
fn key(from: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    Ok(match from.int_in_range(0..=3)? {
        0 => String::arbitrary(from)?.replace("cookie", "c"),
        _ => format!("k{}", from.int_in_range(0..=40)?),
    })
}

fn value(from: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Json> {
    Ok(
        match from.int_in_range(0..=if depth > 3 { 3 } else { 5 })? {
            0 => Json::Null,
            1 => bool::arbitrary(from)?.into(),
            2 => u8::arbitrary(from)?.into(),
            3 => String::arbitrary(from)?.into(),
            4 => (0..from.int_in_range(0..=3)?)
                .map(|_| value(from, depth + 1))
                .collect::<Result<Vec<_>, _>>()?
                .into(),
            _ => Json::Object(
                (0..from.int_in_range(0..=3)?)
                    .map(|_| Ok((key(from)?, value(from, depth + 1)?)))
                    .collect::<Result<_, _>>()?,
            ),
        },
    )
}
