//! What can be asked of a counter, and the commands that do it.

use std::ops::ControlFlow;

use aerospike::expressions::bool_val;
use aerospike::{Bins, Expiration, Key, Record, Value};
use futures::stream::{self, StreamExt};

use super::bins::{BEFORE, COUNT, END};
use super::steps::{self, Add};
use super::view::View;
use super::window::{Counted, Extend, Kind, Rule, Stored, Window};
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
    Increment {
        rule: Rule,
        extend: Extend,
        points: i64,
        now: i64,
    },
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
    extend: Extend,
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
                Op::Increment {
                    rule,
                    extend,
                    points,
                    ..
                },
                Op::Increment {
                    rule: other_rule,
                    extend: other_extend,
                    points: other_points,
                    ..
                },
            ) => (rule, extend, points) == (other_rule, other_extend, other_points),
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
                ..
            }) => Answer::Counted(rule.consumed(*window, *now, *limit, (*times, *points), place)),
            Answers::Incremented(Requested {
                rule,
                extend,
                window,
                now,
                points,
                ..
            }) => Answer::Counted(rule.incremented(*window, *now, *extend, *points, place)),
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
        options: &CallOptions,
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
                let steps = self.view.templates.add(&rule, now, add, prefix);
                let stored = self.count(key, steps, ttl(&rule), options).await?;
                Ok(Answers::Consumed(Requested {
                    extend: Extend::Never,
                    window: rule.window_at(stored, now),
                    rule,
                    now,
                    limit,
                    times,
                    points,
                }))
            }
            Op::Increment {
                rule,
                extend,
                points,
                now,
            } => {
                let add = Add::All {
                    points: points.saturating_mul(times),
                    extend,
                };
                let steps = self.view.templates.add(&rule, now, add, prefix);
                let ttl = match extend {
                    Extend::Double { .. } => seconds(rule.longest_extension()),
                    Extend::Never | Extend::Restart { .. } => ttl(&rule),
                };
                let stored = self.count(key, steps, ttl, options).await?;
                Ok(Answers::Incremented(Requested {
                    extend,
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
                let peeked = rule.peeked(window, now, limit, points);
                Ok(Answers::Same(Answer::Counted(peeked)))
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
        ttl: Expiration,
        options: &CallOptions,
    ) -> Result<Stored> {
        let support = &self.view.ttl;
        let is_refused = support.is_refused();
        let mut command = Command::Count {
            operations,
            ttl: match is_refused {
                true => Expiration::Never,
                false => ttl,
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

    async fn remove(&self, key: &Key, options: &CallOptions) -> Result<bool> {
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
            let options = CallOptions::untraced(self.cluster.deadline());
            self.remove(&key, &options).await
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
    seconds(windows * rule.window)
}

/// Returns the TTL of a record that is needed for this many milliseconds.
fn seconds(needed: i64) -> Expiration {
    let seconds = (needed + SLACK + 999) / 1_000;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use aerospike::ResultCode;
    use futures::future::BoxFuture;
    use proptest::prelude::*;
    use tokio::runtime::Builder;

    use super::super::view::Options;
    use super::*;
    use crate::cluster::credentials::Auth;
    use crate::cluster::{
        Failure, Host, Options as ClusterOptions, Simulated, SimulatedRow, Transport,
    };
    use crate::simulation::records::Records;

    const NOW: i64 = 1_767_225_600_000;
    const RULE: Rule = Rule {
        kind: Kind::Fixed,
        window: 60_000,
    };

    /// What happens to a request.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fate {
        Answered,
        /// Applied, but the connection breaks before the answer.
        AnswerLost,
        /// The connection breaks before it is applied. Only the server knows.
        RequestLost,
        /// Applied, and never answered.
        Silence,
        /// The client had no connection.
        NotSent,
        Refused(ResultCode),
        /// The server's own "timeout", after or before it was applied.
        ServerTimeout {
            is_applied: bool,
        },
    }

    fn fates() -> impl Strategy<Value = Fate> {
        prop_oneof![
            2 => Just(Fate::Answered),
            1 => Just(Fate::AnswerLost),
            1 => Just(Fate::RequestLost),
            1 => Just(Fate::Silence),
            2 => Just(Fate::NotSent),
            1 => Just(Fate::Refused(ResultCode::KeyBusy)),
            1 => Just(Fate::Refused(ResultCode::DeviceOverload)),
            1 => Just(Fate::Refused(ResultCode::PartitionUnavailable)),
            1 => Just(Fate::Refused(ResultCode::ParameterError)),
            1 => any::<bool>().prop_map(|is_applied| Fate::ServerTimeout { is_applied }),
        ]
    }

    /// A server of one record at a time. The fates of the next requests are given; later ones are answered.
    #[derive(Default)]
    struct Server {
        records: Mutex<Records>,
        fates: Mutex<VecDeque<Fate>>,
    }

    impl Simulated for Server {
        fn batch<'a>(&'a self, rows: &'a mut [SimulatedRow]) -> BoxFuture<'a, Result<(), Failure>> {
            Box::pin(async {
                let fate = self.fates.lock().unwrap().pop_front();
                let fate = fate.unwrap_or(Fate::Answered);
                let is_applied = matches!(
                    fate,
                    Fate::Answered
                        | Fate::AnswerLost
                        | Fate::Silence
                        | Fate::ServerTimeout { is_applied: true }
                );
                for row in rows.iter_mut() {
                    let mut records = self.records.lock().unwrap();
                    let outcome = match (is_applied, fate) {
                        (true, _) => records
                            .apply(&row.key, &row.command, NOW)
                            .map_err(|code| Failure::Simulated(Some(code), false)),
                        (false, Fate::Refused(code)) => Err(Failure::Simulated(Some(code), false)),
                        _ => continue,
                    };
                    if matches!(fate, Fate::Answered | Fate::Refused(_)) {
                        row.outcome = Some(outcome);
                    }
                }
                match fate {
                    Fate::Answered | Fate::Refused(_) => Ok(()),
                    Fate::AnswerLost | Fate::RequestLost => Err(Failure::Simulated(None, true)),
                    Fate::Silence => std::future::pending().await,
                    Fate::NotSent => Err(Failure::Simulated(None, false)),
                    // The crate does not mark it as in doubt.
                    Fate::ServerTimeout { .. } => {
                        Err(Failure::Simulated(Some(ResultCode::Timeout), false))
                    }
                }
            })
        }

        fn get<'a>(
            &'a self,
            _key: &'a Key,
            _command: &'a Command,
        ) -> BoxFuture<'a, Result<Record, Failure>> {
            unreachable!("nothing is read here")
        }

        fn scan<'a>(
            &'a self,
            _query: &'a Query<'_>,
        ) -> BoxFuture<'a, Result<Vec<Record>, Failure>> {
            unreachable!("nothing is read here")
        }
    }

    impl Server {
        fn cluster(self: &Arc<Server>) -> Cluster {
            let options = ClusterOptions {
                hosts: vec![Host {
                    name: "simulated".into(),
                    port: 3_000,
                    tls_name: None,
                }],
                auth: Auth::None,
                tls: None,
                timeout: Duration::from_secs(3),
                connect_timeout: Duration::from_secs(3),
                max_conns_per_node: 100,
                cluster_name: None,
                services_alternate: false,
                rack_ids: Vec::new(),
            };
            let transport = Transport::Simulated(self.clone());
            Cluster::simulated(options, transport, &[("A".to_owned(), Vec::new())])
        }

        fn count(&self, key: &Key) -> i64 {
            let records = self.records.lock().unwrap();
            let record = records.all.get(&key.digest());
            match record.and_then(|record| record.bins.get(COUNT)) {
                Some(Value::Int(count)) => *count,
                _ => 0,
            }
        }
    }

    /// Runs commands one after the other. Calls `check` with the outcome of each, and by how much the counter has grown.
    fn run(
        fates: Vec<Fate>,
        is_lone: bool,
        commands: usize,
        mut check: impl FnMut(&Result<Answers>, i64),
    ) {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let server = Arc::new(Server {
                fates: Mutex::new(fates.into()),
                ..Server::default()
            });
            let cluster = server.cluster();
            let view = View::new(Options {
                namespace: "test".into(),
                set: "ratelimits".into(),
                ..Options::default()
            });
            let key = view.key("ada").unwrap();
            let limits = Limits {
                cluster: &cluster,
                view: &view,
                ttl_refused: &|| {},
            };
            for _ in 0..commands {
                let options = CallOptions {
                    is_lone,
                    ..CallOptions::untraced(cluster.deadline())
                };
                let op = Op::Consume {
                    rule: RULE,
                    limit: 1_000,
                    points: 1,
                    now: NOW,
                };
                let before = server.count(&key);
                let outcome = limits.run(&key, &op, 1, &options).await;
                check(&outcome, server.count(&key) - before);
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_count_is_applied_once_or_it_fails_and_says_whether_it_may_have_been(
            fates in prop::collection::vec(fates(), 0..30),
            is_lone in any::<bool>()
        ) {
            run(fates, is_lone, 12, |outcome, applied| match outcome {
                Ok(_) => assert_eq!(applied, 1),
                Err(error) if error.in_doubt => assert!(applied <= 1),
                Err(_) => assert_eq!(applied, 0),
            });
        }
    }

    #[test]
    fn a_count_is_sent_again_after_every_failure_that_left_it_unapplied() {
        let fates = vec![
            Fate::NotSent,
            Fate::Refused(ResultCode::KeyBusy),
            Fate::Refused(ResultCode::DeviceOverload),
            Fate::Refused(ResultCode::PartitionUnavailable),
        ];
        run(fates, true, 1, |outcome, applied| {
            assert!(outcome.is_ok());
            assert_eq!(applied, 1);
        });
    }

    #[test]
    fn a_count_that_may_have_been_applied_is_sent_once() {
        let doubtful = [
            (Fate::AnswerLost, 1),
            (Fate::RequestLost, 0),
            (Fate::Silence, 1),
            (Fate::ServerTimeout { is_applied: true }, 1),
            (Fate::ServerTimeout { is_applied: false }, 0),
        ];
        for (fate, expected) in doubtful {
            for is_lone in [true, false] {
                run(vec![fate], is_lone, 1, |outcome, applied| {
                    let error = outcome.as_ref().err().expect("an error");
                    assert!(error.in_doubt, "{fate:?}");
                    assert_eq!(applied, expected, "{fate:?}");
                });
            }
        }
    }
}
