//! The operations of a history with their answers, and the check whether they are consistent.
//!
//! Each key of each session is a register. A read may return a value if the write of that value had begun before the end of the read,
//! unless an acknowledged write of that key lies entirely between the end of that write and the beginning of the read. The existence of a
//! session is one more register: creating a session sets it, a logout clears it, and a change of a loaded session does not affect it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::error::Code;

/// The data of a session. The number under [`COOKIE`] identifies its cookie.
pub type Data = BTreeMap<String, i64>;

pub const COOKIE: &str = "cookie";
/// Sessions from this number on are used by many visitors at once, see `rush`.
pub const FIRST_RUSHED: usize = 10;
/// Sessions from this number on are renewed, see `Site::use_renewed`.
pub const FIRST_RENEWED: usize = 50;
/// Sessions from this number on expire during the history. `Site::keep` creates them and checks when they end.
pub const FIRST_SHORT_LIVED: usize = 100;
/// Sessions from this number on belong to users with a limit of sessions, see `limited`. So they may be removed at any time.
pub const FIRST_LIMITED: usize = 1_000;

/// Returns the numbers in a session.
pub fn data(json: &str) -> Data {
    let value: Value = serde_json::from_str(json).expect("JSON");
    let members = value.as_object().expect("an object").iter();
    let number = |(key, value): (&String, &Value)| match key.as_str() {
        COOKIE => Some((key.clone(), value[COOKIE].as_i64()?)),
        _ => Some((key.clone(), value.as_i64()?)),
    };
    members.filter_map(number).collect()
}

/// The effect of an operation if it is applied.
#[derive(Debug, Clone)]
pub enum Effect {
    /// No effect: a read.
    None,
    /// Changes these keys of an existing session. `uncertain`: keys that it may not write, depending on the outcome of an earlier write that
    /// was not awaited. `loaded`: when the session was requested.
    Change {
        keys: BTreeMap<String, Option<i64>>,
        uncertain: BTreeSet<String>,
        loaded: Duration,
    },
    /// Replaces or creates the whole session.
    Whole(Data),
    /// Deletes the session.
    Removal,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Not answered yet.
    Open,
    Done,
    /// There was nothing to write. For a write without data: there was no session.
    Nothing,
    /// The session had been deleted.
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
    /// A read that includes the cookie.
    pub shows_cookie: bool,
    /// A read that must be answered within this time, because at most one node is silent or slow.
    pub within: Option<Duration>,
}

impl Operation {
    fn is_acknowledged(&self) -> bool {
        self.answer == Answer::Done
    }

    /// Returns whether it may have been applied.
    fn may_be_applied(&self) -> bool {
        match &self.answer {
            // If the first attempt of a change was applied but not answered, its repetition may find that the session is gone.
            Answer::Done | Answer::Nothing | Answer::Gone | Answer::Open => true,
            Answer::Failed { in_doubt, .. } => *in_doubt,
            Answer::Read(_) => false,
        }
    }

    /// Returns the value of a key after it. `None`: it does not write the key.
    fn value_after(&self, key: &str) -> Option<Option<i64>> {
        match &self.effect {
            Effect::None => None,
            Effect::Change { keys, .. } => keys.get(key).copied(),
            Effect::Whole(data) => Some(data.get(key).copied()),
            Effect::Removal => Some(None),
        }
    }

    /// Returns whether it certainly writes the key, if it is applied.
    fn is_certain_of(&self, key: &str) -> bool {
        match &self.effect {
            Effect::Change { uncertain, .. } => !uncertain.contains(key),
            // The recipe's `save` keeps the cookie of an existing session.
            Effect::Whole(_) => self.name != "save" || key != COOKIE,
            _ => true,
        }
    }

    /// Returns whether the session exists after it. `None`: it does not create or delete a session.
    fn exists_after(&self) -> Option<bool> {
        match &self.effect {
            Effect::None | Effect::Change { .. } => None,
            Effect::Whole(_) => Some(true),
            Effect::Removal => Some(false),
        }
    }
}

/// The writes of one register, with their values.
struct Register<'o, T> {
    writes: Vec<(&'o Operation, T)>,
    /// The begin and end of acknowledged writes.
    acknowledged: Vec<(Duration, Duration)>,
    initial: T,
}

impl<'o, T: PartialEq> Register<'o, T> {
    fn new(
        operations: &[&'o Operation],
        initial: T,
        value_after: impl Fn(&Operation) -> Option<T>,
        is_certain: impl Fn(&Operation) -> bool,
    ) -> Register<'o, T> {
        let writes = operations.iter().filter(|one| one.may_be_applied());
        let writes: Vec<_> = writes
            .filter_map(|one| Some((*one, value_after(one)?)))
            .collect();
        let acknowledged = writes
            .iter()
            .filter(|(one, _)| one.is_acknowledged() && is_certain(one));
        Register {
            acknowledged: acknowledged.map(|(one, _)| (one.start, one.end)).collect(),
            writes,
            initial,
        }
    }

    /// Returns whether a read from `start` to `end` may return `value`.
    fn may_be(&self, value: &T, start: Duration, end: Duration) -> bool {
        // A write that ended before `newest` was overwritten before the read began.
        let overwriting = self.acknowledged.iter().filter(|(_, end)| *end <= start);
        let overwriting = overwriting.map(|(start, _)| *start);
        let newest = overwriting.max();
        if *value == self.initial && newest.is_none() {
            return true;
        }
        self.writes.iter().any(|(one, written)| {
            written == value && one.start <= end && newest.is_none_or(|newest| newest < one.end)
        })
    }
}

/// A read that does not wait for a silent node takes less than this. A request takes at most 8 milliseconds, and waits as long before that
/// if the node already has all its requests in flight.
pub const NO_WAIT: Duration = Duration::from_millis(20);
/// An operation may fail this long before its deadline, because there is no time for another attempt.
const NO_TIME: Duration = Duration::from_millis(30);

/// Returns the violations in a history. `timeout`: of an operation. `outage`: when all nodes were silent.
pub fn check(
    operations: &[Operation],
    timeout: Duration,
    outage: Option<(Duration, Duration)>,
) -> Vec<String> {
    let mut violations = Vec::new();
    let sessions: BTreeSet<usize> = operations.iter().map(|one| one.session).collect();
    let sessions = sessions
        .into_iter()
        .filter(|session| *session < FIRST_SHORT_LIVED);
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
        let existence = Register::new(&of_session, false, Operation::exists_after, |_| true);
        let keys = keys.iter().map(|key| {
            let is_certain = |one: &Operation| one.is_certain_of(key);
            let register = Register::new(&of_session, None, |one| one.value_after(key), is_certain);
            (key, register)
        });
        let keys: Vec<_> = keys.collect();
        for one in &of_session {
            if let Answer::Read(found) = &one.answer {
                if !existence.may_be(&found.is_some(), one.start, one.end) {
                    violations.push(format!("whether the session is there is wrong, {one:?}"));
                }
                for (key, register) in &keys {
                    if !one.shows_cookie && *key == COOKIE {
                        continue;
                    }
                    let value = found.as_ref().and_then(|data| data.get(*key).copied());
                    if !register.may_be(&value, one.start, one.end) {
                        violations.push(format!("key {key} is {value:?}, {one:?}"));
                    }
                }
            }
            if let (Answer::Gone, Effect::Change { loaded, .. }) = (&one.answer, &one.effect) {
                let is_reason = |other: &&&Operation| {
                    let removes = matches!(other.effect, Effect::Removal);
                    removes
                        && other.may_be_applied()
                        && other.start <= one.end
                        && other.end >= *loaded
                };
                if !of_session.iter().any(|other| is_reason(&other)) {
                    violations.push(format!("gone, though nobody removed the session, {one:?}"));
                }
            }
        }
    }
    let is_in_outage =
        |one: &Operation| outage.is_some_and(|(from, until)| one.start < until && from < one.end);
    for one in operations {
        let took = one.end.saturating_sub(one.start);
        let reads = matches!(one.effect, Effect::None) && one.name != "touch";
        match &one.answer {
            Answer::Open => violations.push(format!("never answered, {one:?}")),
            _ if took > timeout + Duration::from_millis(1) => {
                violations.push(format!("answered after its deadline, {one:?}"));
            }
            Answer::Failed {
                code: Code::Timeout,
                ..
            } if took + NO_TIME < timeout => {
                violations.push(format!("its time was said to be up before it was, {one:?}"));
            }
            Answer::Failed { .. } if reads && !is_in_outage(one) => {
                violations.push(format!(
                    "a read failed, with another node to read from, {one:?}"
                ));
            }
            Answer::Read(_) if one.within.is_some_and(|within| took >= within) => {
                violations.push(format!("waited for longer than a read has to, {one:?}"));
            }
            _ => {}
        }
    }
    violations
}
