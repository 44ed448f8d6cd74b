//! A session object of a request, and what it knows of the record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::log::{Answer, Effect, COOKIE};
use super::setting::TTL;
use crate::store::baseline::Baseline;
use crate::store::Writer;

/// A request's session object, and what lib/baselines.js keeps beside it.
pub struct Loaded {
    pub head: Option<String>,
    pub json: String,
    pub cookie: Option<String>,
    /// Writes in doubt: the letter of the note, and its text.
    pub doubts: Vec<(char, String)>,
    pub data: Known,
    pub cookies: Known,
    pub now: Value,
    pub at: Duration,
    /// How long it lives after a set or touch, in milliseconds.
    pub life: i64,
    pub writer: Arc<Writer>,
}

/// What may be stored of a session by what its object knows.
pub struct Known {
    sure: Vec<Value>,
    /// By writes that are not answered yet.
    pub pending: Vec<(i64, Value)>,
}

/// How a value that is written differs from those that may be stored.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Differs {
    No,
    Perhaps,
    Surely,
}

impl Known {
    fn of(value: Value) -> Known {
        Known {
            sure: vec![value],
            pending: Vec::new(),
        }
    }

    /// Of a set or touch that is made now, by a part of the value.
    fn differs(&self, is_same: impl Fn(&Value) -> bool) -> Differs {
        let from_sure = !self.sure.iter().all(&is_same);
        let mut pending = self.pending.iter().map(|(_, value)| is_same(value));
        if from_sure && pending.all(|is_same| !is_same) {
            return Differs::Surely;
        }
        let mut pending = self.pending.iter();
        match from_sure || !pending.all(|(_, value)| is_same(value)) {
            true => Differs::Perhaps,
            false => Differs::No,
        }
    }

    /// A write is answered: it was carried out, or nothing came of it, or it is in doubt.
    pub fn answered(&mut self, number: i64, answer: &Answer) {
        let Some(place) = self.pending.iter().position(|(one, _)| *one == number) else {
            return;
        };
        let (_, value) = self.pending.remove(place);
        match answer {
            Answer::Done => self.sure = vec![value],
            Answer::Failed { in_doubt: true, .. } => self.sure.push(value),
            _ => {}
        }
    }
}

impl Loaded {
    pub fn new(head: Option<String>, json: String, at: Duration, writer: Arc<Writer>) -> Loaded {
        let now: Value = serde_json::from_str(&json).expect("JSON");
        Loaded {
            head,
            json,
            cookie: None,
            doubts: Vec::new(),
            cookies: Known::of(now[COOKIE].clone()),
            data: Known::of(now.clone()),
            now,
            at,
            life: TTL,
            writer,
        }
    }

    /// `notes()` of lib/baselines.js, with another `letter` for sets that a touch takes for touches.
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

    /// The same for a touch.
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

    /// What a set of the session as it is changes, or a touch, which writes nothing but the cookie.
    pub fn effect(&self, is_touch: bool) -> Effect {
        let (mut keys, mut perhaps) = (BTreeMap::new(), BTreeSet::new());
        let mut note = |key: &str, differs: Differs, value: Option<i64>| {
            if differs > Differs::No {
                keys.insert(key.to_owned(), value);
            }
            if differs == Differs::Perhaps {
                perhaps.insert(key.to_owned());
            }
        };
        let cookie = &self.now[COOKIE];
        let differs = self.cookies.differs(|one| same_cookie(one, cookie));
        note(COOKIE, differs, cookie[COOKIE].as_i64());
        if !is_touch {
            let all = self.data.sure.iter();
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
            perhaps,
            loaded: self.at,
        }
    }
}

/// The text of the cookie in that of a session.
fn cookie_of(json: &str) -> Option<String> {
    let session: Value = serde_json::from_str(json).expect("JSON");
    session.get(COOKIE).map(Value::to_string)
}

/// Whether two cookies differ in nothing but their end.
fn same_cookie(a: &Value, b: &Value) -> bool {
    let [mut a, mut b] = [a, b].map(Clone::clone);
    for cookie in [&mut a, &mut b] {
        if let Some(object) = cookie.as_object_mut() {
            object.remove("expires");
        }
    }
    a == b
}
