//! What can be asked of a counter, and the commands that do it.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use aerospike::expressions::bool_val;
use aerospike::{Bins, Expiration, Key, Record, Value};
use futures::stream::{self, StreamExt};

use super::bins::{BEFORE, COUNT, END};
use super::steps::{self, Add};
use super::view::View;
use super::window::{Counted, Kind, Rule, Stored, Window};
use crate::cluster::scan::{PARTITIONS, Query};
use crate::cluster::{CallOptions, Cluster, Command, Reply, Step};
use crate::error::{Code, Error, Result};

/// How much longer than its window a record lives, in milliseconds. If the clocks of two processes differ by less, the TTL of a record
/// never ends a window.
pub const SLACK: i64 = 60_000;
/// The number of keys held at once, before their records are removed.
const GATHERED: usize = 50_000;
/// The number of records removed at once.
const REMOVED_TOGETHER: usize = 500;

/// An operation on one counter. `now`: milliseconds since 1970 by the clock of the caller.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// Add `points`, if they fit into the limit.
    Consume {
        rule: Rule,
        limit: i64,
        points: i64,
        now: i64,
    },
    /// Add `points`, whatever the limit.
    Increment { rule: Rule, points: i64, now: i64 },
    /// Take back `points`, but not more than there are.
    Decrement { points: i64 },
    /// Return the state of the counter for a request of `points`.
    Peek {
        rule: Rule,
        limit: i64,
        points: i64,
        now: i64,
    },
    /// Remove the counter.
    Reset,
}

/// The result of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Counted(Counted),
    /// Nothing is counted under this key.
    Nothing,
    Done,
    /// Whether there was a counter.
    Removed(bool),
}

/// The results of several equal operations that were done by one command.
pub enum Answers {
    Consumed(Requested),
    Incremented(Requested),
    /// All of them have the same answer.
    Same(Answer),
}

/// Requests for points, and the window that they have found.
pub struct Requested {
    rule: Rule,
    window: Window,
    now: i64,
    limit: i64,
    times: i64,
    points: i64,
}

impl Op {
    /// Returns the name of the method in JavaScript.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Consume { .. } => "consume",
            Op::Increment { .. } => "increment",
            Op::Decrement { .. } => "decrement",
            Op::Peek { .. } => "peek",
            Op::Reset => "reset",
        }
    }

    pub fn is_write(&self) -> bool {
        !matches!(self, Op::Peek { .. })
    }

    /// Returns whether one command can do both.
    pub fn combines_with(&self, other: &Op) -> bool {
        match (*self, *other) {
            (
                Op::Consume {
                    rule,
                    limit,
                    points,
                    ..
                },
                Op::Consume {
                    rule: other_rule,
                    limit: other_limit,
                    points: other_points,
                    ..
                },
            )
            | (
                Op::Peek {
                    rule,
                    limit,
                    points,
                    ..
                },
                Op::Peek {
                    rule: other_rule,
                    limit: other_limit,
                    points: other_points,
                    ..
                },
            ) => (rule, limit, points) == (other_rule, other_limit, other_points),
            (
                Op::Increment { rule, points, .. },
                Op::Increment {
                    rule: other_rule,
                    points: other_points,
                    ..
                },
            ) => (rule, points) == (other_rule, other_points),
            (
                Op::Decrement { points },
                Op::Decrement {
                    points: other_points,
                },
            ) => points == other_points,
            (Op::Reset, Op::Reset) => true,
            _ => false,
        }
    }

    /// Makes the operation one at this time, if that is later.
    pub fn at_least(&mut self, other: &Op) {
        if let (
            Op::Consume { now, .. } | Op::Increment { now, .. } | Op::Peek { now, .. },
            Op::Consume { now: later, .. }
            | Op::Increment { now: later, .. }
            | Op::Peek { now: later, .. },
        ) = (self, other)
        {
            *now = (*now).max(*later);
        }
    }
}

impl Answers {
    /// Returns the answer of request number `place`, from 0.
    pub fn of(&self, place: usize) -> Answer {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        match self {
            Answers::Consumed(Requested {
                rule,
                window,
                now,
                limit,
                times,
                points,
            }) => Answer::Counted(rule.consumed(*window, *now, *limit, (*times, *points), place)),
            Answers::Incremented(Requested {
                rule,
                window,
                now,
                points,
                ..
            }) => Answer::Counted(rule.incremented(*window, *now, *points, place)),
            Answers::Same(answer) => *answer,
        }
    }
}

/// The counters of one view on a cluster.
pub struct Limits<'a> {
    pub cluster: &'a Cluster,
    pub view: &'a View,
    /// Called when the namespace has refused a TTL for the first time.
    pub ttl_refused: &'a (dyn Fn() + Sync),
}

impl Limits<'_> {
    /// Does an operation `times` times, with one command.
    ///
    /// # Errors
    ///
    /// The failure of the command. If it is in doubt, all points or none were added.
    pub async fn run(
        &self,
        key: &Key,
        op: &Op,
        times: usize,
        options: CallOptions<'_>,
    ) -> Result<Answers> {
        let times = i64::try_from(times).unwrap_or(i64::MAX);
        let prefix = &self.view.options.prefix;
        match *op {
            Op::Consume {
                rule,
                limit,
                points,
                now,
            } => {
                let add = Add::Within {
                    limit,
                    times,
                    points,
                };
                let steps = steps::add(&rule, now, add, prefix);
                let stored = self.count(key, steps, &rule, options).await?;
                Ok(Answers::Consumed(Requested {
                    window: rule.window_at(stored, now),
                    rule,
                    now,
                    limit,
                    times,
                    points,
                }))
            }
            Op::Increment { rule, points, now } => {
                let add = Add::All(points.saturating_mul(times));
                let steps = steps::add(&rule, now, add, prefix);
                let stored = self.count(key, steps, &rule, options).await?;
                Ok(Answers::Incremented(Requested {
                    window: rule.window_at(stored, now),
                    rule,
                    now,
                    limit: 0,
                    times,
                    points,
                }))
            }
            Op::Decrement { points } => {
                let command = Command::Count {
                    operations: steps::take_back(points.saturating_mul(times)),
                    ttl: Expiration::DontUpdate,
                    creates: false,
                };
                self.cluster.execute(key, &command, options).await?;
                Ok(Answers::Same(Answer::Done))
            }
            Op::Peek {
                rule,
                limit,
                points,
                now,
            } => {
                let bins = [END, COUNT, BEFORE].map(String::from).to_vec();
                let command = Command::ReadSmall {
                    bins: Bins::Some(bins),
                };
                let stored = match self.cluster.execute(key, &command, options).await? {
                    Reply::Record(record) => stored(&record),
                    _ => Stored::default(),
                };
                let window = rule.window_at(stored, now);
                Ok(Answers::Same(match window {
                    window if window.count == 0 && window.before == 0 => Answer::Nothing,
                    window => Answer::Counted(rule.peeked(window, now, limit, points)),
                }))
            }
            Op::Reset => {
                let existed = self.remove(key, options).await?;
                Ok(Answers::Same(Answer::Removed(existed)))
            }
        }
    }

    /// Runs the steps that add points, and returns what was stored before.
    async fn count(
        &self,
        key: &Key,
        operations: Vec<Step>,
        rule: &Rule,
        options: CallOptions<'_>,
    ) -> Result<Stored> {
        let support = &self.view.ttl;
        let is_refused = support.is_refused();
        let mut command = Command::Count {
            operations,
            ttl: match is_refused {
                true => Expiration::Never,
                false => ttl(rule),
            },
            creates: true,
        };
        let outcome = self.cluster.execute(key, &command, options).await;
        let reply = match outcome {
            // The namespace may refuse TTLs. What is refused was not applied, so this counts once.
            Err(error) if error.code == Code::Forbidden && !is_refused => {
                command.set_ttl(Expiration::Never);
                let reply = Box::pin(self.cluster.execute(key, &command, options)).await?;
                if support.refuse() {
                    (self.ttl_refused)();
                }
                reply
            }
            outcome => {
                let reply = outcome?;
                if !is_refused {
                    support.accept();
                }
                reply
            }
        };
        match reply {
            Reply::Record(record) => Ok(stored(&record)),
            // A count has neither a filter nor a generation, and creates the record.
            _ => Err(Error::given_up().in_doubt(true)),
        }
    }

    async fn remove(&self, key: &Key, options: CallOptions<'_>) -> Result<bool> {
        let command = Command::Delete {
            reading: Vec::new(),
            durable: false,
            only_if: bool_val(true),
        };
        let reply = self.cluster.execute(key, &command, options).await?;
        Ok(!matches!(reply, Reply::Missing))
    }

    /// Removes all counters of the view.
    ///
    /// # Errors
    ///
    /// A failure. Other counters may have been removed.
    pub async fn remove_all(&self) -> Result<()> {
        let (mut first, mut width) = (0, PARTITIONS);
        while first < PARTITIONS {
            let part = width.min(PARTITIONS - first);
            let (keys, is_whole) = self.gather(first, part).await?;
            self.remove_each(keys).await?;
            if is_whole {
                first += part;
            } else {
                width = part / 2;
            }
        }
        Ok(())
    }

    /// Returns the keys of the counters in a range of partitions, and whether these are all.
    async fn gather(&self, first: usize, part: usize) -> Result<(Vec<Key>, bool)> {
        let view = &self.view.options;
        let query = Query {
            namespace: &view.namespace,
            set: &view.set,
            bins: Bins::None,
            filter: steps::has_prefix(&view.prefix),
            indexed: None,
            partitions: Some((first, part)),
        };
        let (mut keys, mut is_whole) = (Vec::new(), true);
        let scan = self.cluster.scan(query, |record| {
            keys.extend(record.key);
            // A single partition cannot be divided. It never holds that many keys.
            is_whole = part == 1 || keys.len() < GATHERED;
            Ok(match is_whole {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        });
        scan.await?;
        Ok((keys, is_whole))
    }

    /// Removes these records. The first failure ends it.
    async fn remove_each(&self, keys: Vec<Key>) -> Result<()> {
        let removals = keys.into_iter().map(|key| async move {
            let doubt = AtomicBool::new(false);
            let options = CallOptions {
                deadline: self.cluster.deadline(),
                trace: None,
                doubt: &doubt,
                is_lone: false,
            };
            self.remove(&key, options).await
        });
        let mut removals = stream::iter(removals).buffer_unordered(REMOVED_TOGETHER);
        while let Some(removed) = removals.next().await {
            removed?;
        }
        Ok(())
    }
}

/// Returns the TTL of a record.
fn ttl(rule: &Rule) -> Expiration {
    let windows = match rule.kind {
        Kind::Fixed => 1,
        // The points of a window count for as long again.
        Kind::Sliding => 2,
    };
    let seconds = (windows * rule.window + SLACK + 999) / 1_000;
    Expiration::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// Returns what a record held before the steps of a command.
fn stored(record: &Record) -> Stored {
    let integer = |bin| record.bins.get(bin).and_then(first_integer);
    Stored {
        end: integer(END),
        count: integer(COUNT),
        before: integer(BEFORE),
    }
}

/// Returns the result of the first step on a bin, if it is an integer. That step is the one that reads it.
fn first_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        Value::MultiResult(values) => values.first().and_then(first_integer),
        _ => None,
    }
}
