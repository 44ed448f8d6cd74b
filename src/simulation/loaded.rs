//! The session object of a request, and its knowledge of the stored record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::log::{Answer, COOKIE, Effect};
use super::setting::TTL;
use crate::store::Writer;
use crate::store::baseline::Baseline;

/// The session object of a request, with the data that lib/baselines.js keeps for it.
pub struct Loaded {
    /// The id that it was loaded with.
    pub id: String,
    pub head: Option<String>,
    pub json: String,
    pub cookie: Option<String>,
    /// Writes in doubt: the letter of the note, and its text.
    pub doubts: Vec<(char, String)>,
    pub data: StoredValues,
    pub cookies: StoredValues,
    /// The session with the changes of the request.
    pub now: Value,
    /// When it was loaded.
    pub at: Duration,
    /// The lifetime that a set or touch gives it, in milliseconds.
    pub life: i64,
    pub writer: Arc<Writer>,
    /// The owner that a set gives it.
    pub user: Option<String>,
}

/// The values that may be stored, as far as the session object knows.
pub struct StoredValues {
    /// The value of the last write that succeeded, and those of later writes in doubt.
    written: Vec<Value>,
    /// The values of writes that are not answered yet.
    pub pending: Vec<(i64, Value)>,
}

/// Whether a new value differs from the values that may be stored.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Differs {
    No,
    Maybe,
    Yes,
}

impl StoredValues {
    fn of(value: Value) -> StoredValues {
        StoredValues {
            written: vec![value],
            pending: Vec::new(),
        }
    }

    /// Returns whether a set or touch that starts now changes a part of the value. `is_same` compares that part with the new one.
    fn differs(&self, is_same: impl Fn(&Value) -> bool) -> Differs {
        let from_written = !self.written.iter().all(&is_same);
        let mut pending = self.pending.iter().map(|(_, value)| is_same(value));
        if from_written && pending.all(|is_same| !is_same) {
            return Differs::Yes;
        }
        let mut pending = self.pending.iter();
        match from_written || !pending.all(|(_, value)| is_same(value)) {
            true => Differs::Maybe,
            false => Differs::No,
        }
    }

    /// Notes the answer to a write: it was applied, or it was not, or it is in doubt.
    pub fn answered(&mut self, number: i64, answer: &Answer) {
        let Some(index) = self.pending.iter().position(|(one, _)| *one == number) else {
            return;
        };
        let (_, value) = self.pending.remove(index);
        match answer {
            Answer::Done => self.written = vec![value],
            Answer::Failed { in_doubt: true, .. } => self.written.push(value),
            _ => {}
        }
    }
}

impl Loaded {
    pub fn new(
        id: String,
        head: Option<String>,
        json: String,
        at: Duration,
        writer: Arc<Writer>,
    ) -> Loaded {
        let now: Value = serde_json::from_str(&json).expect("JSON");
        Loaded {
            id,
            head,
            json,
            cookie: None,
            doubts: Vec::new(),
            cookies: StoredValues::of(now[COOKIE].clone()),
            data: StoredValues::of(now.clone()),
            now,
            at,
            life: TTL,
            writer,
            user: None,
        }
    }

    /// Returns the notes of a baseline, like `notes()` of lib/baselines.js.
    fn notes(&self, cookie: Option<&str>, doubts: &[(char, String)]) -> String {
        let stored = cookie.map(|cookie| format!("\u{1e}k{cookie}"));
        let doubts = doubts
            .iter()
            .map(|(letter, text)| format!("\u{1e}{letter}{text}"));
        stored.into_iter().chain(doubts).collect()
    }

    pub fn baseline(&self) -> Option<Baseline> {
        Some(Baseline {
            meta: self.head.clone()?,
            json: self.json.clone(),
            notes: self.notes(self.cookie.as_deref(), &self.doubts),
        })
    }

    /// Returns the baseline for a touch, which contains only the cookie.
    pub fn without_data(&self) -> Option<Baseline> {
        let cookie = self.cookie.clone().or_else(|| cookie_of(&self.json));
        let doubts = self.doubts.iter().map(|(letter, text)| match letter {
            's' => ('c', cookie_of(text).unwrap_or_default()),
            _ => (*letter, text.clone()),
        });
        Some(Baseline {
            meta: self.head.clone()?,
            json: String::new(),
            notes: self.notes(
                Some(&cookie.unwrap_or_default()),
                &doubts.collect::<Vec<_>>(),
            ),
        })
    }

    /// Returns the effect of a set of the current session, or of a touch, which writes only the cookie.
    pub fn effect(&self, is_touch: bool) -> Effect {
        let (mut keys, mut uncertain) = (BTreeMap::new(), BTreeSet::new());
        let mut note = |key: &str, differs: Differs, value: Option<i64>| {
            if differs > Differs::No {
                keys.insert(key.to_owned(), value);
            }
            if differs == Differs::Maybe {
                uncertain.insert(key.to_owned());
            }
        };
        let cookie = &self.now[COOKIE];
        let differs = self.cookies.differs(|one| same_cookie(one, cookie));
        note(COOKIE, differs, cookie[COOKIE].as_i64());
        if !is_touch {
            let all = self.data.written.iter();
            let all = all.chain(self.data.pending.iter().map(|(_, value)| value));
            let names = all.chain([&self.now]).flat_map(Value::as_object);
            for name in names.flat_map(|object| object.keys()) {
                if name != COOKIE {
                    let value = &self.now[name];
                    let differs = self.data.differs(|one| one[name] == *value);
                    note(name, differs, value.as_i64());
                }
            }
        }
        Effect::Change {
            keys,
            uncertain,
            loaded: self.at,
        }
    }
}

/// Returns the JSON of the cookie of a session.
fn cookie_of(json: &str) -> Option<String> {
    let session: Value = serde_json::from_str(json).expect("JSON");
    session.get(COOKIE).map(Value::to_string)
}

/// Returns whether two cookies are equal apart from their expiry.
fn same_cookie(a: &Value, b: &Value) -> bool {
    let [mut a, mut b] = [a, b].map(Clone::clone);
    for cookie in [&mut a, &mut b] {
        if let Some(object) = cookie.as_object_mut() {
            object.remove("expires");
        }
    }
    a == b
}
