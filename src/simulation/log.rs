//! What was asked in a history, what was answered, and whether the two agree.
//!
//! Each key of each session is a register: a value is read rightly if somebody wrote it who had begun by then, unless an
//! acknowledged write of that key lies wholly between the end of that write and the beginning of the read. That a session is
//! there at all is one more register: sessions that are made write it, logouts clear it, changes of a loaded session do not
//! touch it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::error::Code;

/// The data of a session, and under [`COOKIE`] the number that tells its cookie from others.
pub type Data = BTreeMap<String, i64>;

pub const COOKIE: &str = "cookie";
/// Sessions from this number on are asked for by many at once.
pub const RUSHED: usize = 10;
/// Sessions from this number on end by themselves: who makes them judges when.
pub const KEPT: usize = 100;

/// The numbers in a session.
pub fn data(json: &str) -> Data {
    let value: Value = serde_json::from_str(json).expect("JSON");
    let members = value.as_object().expect("an object").iter();
    let number = |(key, value): (&String, &Value)| match key.as_str() {
        COOKIE => Some((key.clone(), value[COOKIE].as_i64()?)),
        _ => Some((key.clone(), value.as_i64()?)),
    };
    members.filter_map(number).collect()
}

/// What an operation does if it is applied.
#[derive(Debug, Clone)]
pub enum Effect {
    /// It reads.
    None,
    /// Other keys than these stay as they are, and no session is made; `loaded`: when what is changed was asked for. Some it
    /// writes only `perhaps`: it depends on what became of a write before it, that was not awaited.
    Change {
        keys: BTreeMap<String, Option<i64>>,
        perhaps: BTreeSet<String>,
        loaded: Duration,
    },
    /// Whatever was there, the session has just this then.
    Whole(Data),
    Removal,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Not yet, or never.
    Open,
    Done,
    /// There was nothing to write, or, of a write without data, no session.
    Nothing,
    /// The session was gone.
    Gone,
    Read(Option<Data>),
    Failed {
        code: Code,
        in_doubt: bool,
    },
}

#[derive(Debug, Clone)]
pub struct Operation {
    pub name: &'static str,
    pub session: usize,
    pub effect: Effect,
    pub start: Duration,
    pub end: Duration,
    pub answer: Answer,
    /// It reads the cookie as well.
    pub shows_cookie: bool,
    /// It reads, and has to be answered this soon, since one node at the most is silent or slow.
    pub within: Option<Duration>,
}

impl Operation {
    fn is_acknowledged(&self) -> bool {
        self.answer == Answer::Done
    }

    /// Whether it may have been applied.
    fn may_have_been(&self) -> bool {
        match &self.answer {
            // A change whose first attempt was applied, and not answered, may find the session gone with the next.
            Answer::Done | Answer::Nothing | Answer::Gone | Answer::Open => true,
            Answer::Failed { in_doubt, .. } => *in_doubt,
            Answer::Read(_) => false,
        }
    }

    /// What it leaves of a key: `None` if it does not touch it.
    fn leaves(&self, key: &str) -> Option<Option<i64>> {
        match &self.effect {
            Effect::None => None,
            Effect::Change { keys, .. } => keys.get(key).copied(),
            Effect::Whole(data) => Some(data.get(key).copied()),
            Effect::Removal => Some(None),
        }
    }

    /// Whether it writes the key for certain, if it is applied.
    fn is_sure_of(&self, key: &str) -> bool {
        match &self.effect {
            Effect::Change { perhaps, .. } => !perhaps.contains(key),
            // The recipe leaves the cookie of a session that goes on.
            Effect::Whole(_) => self.name != "save" || key != COOKIE,
            _ => true,
        }
    }

    /// Whether it leaves a session, or none.
    fn leaves_session(&self) -> Option<bool> {
        match &self.effect {
            Effect::None | Effect::Change { .. } => None,
            Effect::Whole(_) => Some(true),
            Effect::Removal => Some(false),
        }
    }
}

/// What the operations on one register leave in it.
struct Register<'o, T> {
    writes: Vec<(&'o Operation, T)>,
    /// When writes began that are acknowledged, and when they ended.
    acknowledged: Vec<(Duration, Duration)>,
    initial: T,
}

impl<'o, T: PartialEq> Register<'o, T> {
    fn new(
        operations: &[&'o Operation],
        initial: T,
        leaves: impl Fn(&Operation) -> Option<T>,
        is_sure: impl Fn(&Operation) -> bool,
    ) -> Register<'o, T> {
        let writes = operations.iter().filter(|one| one.may_have_been());
        let writes: Vec<_> = writes
            .filter_map(|one| Some((*one, leaves(one)?)))
            .collect();
        let acknowledged = writes
            .iter()
            .filter(|(one, _)| one.is_acknowledged() && is_sure(one));
        Register {
            acknowledged: acknowledged.map(|(one, _)| (one.start, one.end)).collect(),
            writes,
            initial,
        }
    }

    /// Whether `value` may be what a reader finds between `start` and `end`.
    fn may_be(&self, value: &T, start: Duration, end: Duration) -> bool {
        // What ended before this began was overwritten before the reader came.
        let overwriting = self.acknowledged.iter().filter(|(_, end)| *end <= start);
        let overwriting = overwriting.map(|(start, _)| *start);
        let newest = overwriting.max();
        if *value == self.initial && newest.is_none() {
            return true;
        }
        self.writes.iter().any(|(one, left)| {
            left == value && one.start <= end && newest.is_none_or(|newest| newest < one.end)
        })
    }
}

/// A read that waits for no silent node takes less. It takes 8 milliseconds at the most to a node and back, and as long before that
/// if all flights to the node are under way.
pub const NO_WAIT: Duration = Duration::from_millis(20);
/// So long before its deadline an operation may be given up: another attempt would have no time.
const NO_TIME: Duration = Duration::from_millis(30);

/// What is wrong with a history. `timeout`: of an operation; `outage`: when no node was heard.
pub fn judge(
    operations: &[Operation],
    timeout: Duration,
    outage: Option<(Duration, Duration)>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let sessions: BTreeSet<usize> = operations.iter().map(|one| one.session).collect();
    let sessions = sessions.into_iter().filter(|session| *session < KEPT);
    for session in sessions {
        let of_session: Vec<_> = operations
            .iter()
            .filter(|one| one.session == session)
            .collect();
        let mut keys = BTreeSet::new();
        for one in &of_session {
            match &one.effect {
                Effect::Change { keys: changed, .. } => keys.extend(changed.keys().cloned()),
                Effect::Whole(data) => keys.extend(data.keys().cloned()),
                _ => {}
            }
        }
        let is_there = Register::new(&of_session, false, Operation::leaves_session, |_| true);
        let keys = keys.iter().map(|key| {
            let is_sure = |one: &Operation| one.is_sure_of(key);
            let register = Register::new(&of_session, None, |one| one.leaves(key), is_sure);
            (key, register)
        });
        let keys: Vec<_> = keys.collect();
        for one in &of_session {
            if let Answer::Read(found) = &one.answer {
                if !is_there.may_be(&found.is_some(), one.start, one.end) {
                    wrong.push(format!("whether the session is there is wrong, {one:?}"));
                }
                for (key, register) in &keys {
                    if !one.shows_cookie && *key == COOKIE {
                        continue;
                    }
                    let value = found.as_ref().and_then(|data| data.get(*key).copied());
                    if !register.may_be(&value, one.start, one.end) {
                        wrong.push(format!("key {key} is {value:?}, {one:?}"));
                    }
                }
            }
            if let (Answer::Gone, Effect::Change { loaded, .. }) = (&one.answer, &one.effect) {
                let is_reason = |other: &&&Operation| {
                    let removes = matches!(other.effect, Effect::Removal);
                    removes
                        && other.may_have_been()
                        && other.start <= one.end
                        && other.end >= *loaded
                };
                if !of_session.iter().any(|other| is_reason(&other)) {
                    wrong.push(format!("gone, though nobody removed the session, {one:?}"));
                }
            }
        }
    }
    let met =
        |one: &Operation| outage.is_some_and(|(from, until)| one.start < until && from < one.end);
    for one in operations {
        let took = one.end.saturating_sub(one.start);
        let reads = matches!(one.effect, Effect::None) && one.name != "touch";
        match &one.answer {
            Answer::Open => wrong.push(format!("never answered, {one:?}")),
            _ if took > timeout + Duration::from_millis(1) => {
                wrong.push(format!("answered after its deadline, {one:?}"));
            }
            Answer::Failed {
                code: Code::Timeout,
                ..
            } if took + NO_TIME < timeout => {
                wrong.push(format!("its time was said to be up before it was, {one:?}"));
            }
            Answer::Failed { .. } if reads && !met(one) => {
                wrong.push(format!(
                    "a read failed, with another node to read from, {one:?}"
                ));
            }
            Answer::Read(_) if one.within.is_some_and(|within| took >= within) => {
                wrong.push(format!("waited for longer than a read has to, {one:?}"));
            }
            _ => {}
        }
    }
    wrong
}
