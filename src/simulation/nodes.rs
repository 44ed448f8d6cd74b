//! A simulated cluster with latencies and faults.
//!
//! Every partition has a master and a replica. A silent node accepts nothing until its silence ends. After it has been silent for some
//! time, its partitions get another master. If the connection of a request is closed before the node has begun with it, the request is not
//! executed. Otherwise it is executed at once, even if its caller no longer waits.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aerospike::{Key, ResultCode, Value};
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep, sleep_until};

use super::filter;
use super::random::Random;
use super::records::{Place, Records};
use crate::cluster::scan::Query;
use crate::cluster::trace::Trace;
use crate::cluster::{Command, Failure, Reply, Simulated, SimulatedRow, partition};

/// After this time the other nodes have replaced a silent one (1.5 s of heartbeats, and the crate's tend interval).
const NOTICED: Duration = Duration::from_millis(1_900);
const PARTITIONS: u16 = 4_096;

/// A period in which one node is silent or slow.
#[derive(Debug, Clone)]
pub struct FaultPeriod {
    pub node: usize,
    pub from: Duration,
    pub until: Duration,
}

/// The faults in a history.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub silences: Vec<FaultPeriod>,
    /// When all nodes are silent: begin and end.
    pub outage: Option<(Duration, Duration)>,
    /// Periods in which each request to a node takes longer, and by how much.
    pub slow: Vec<(FaultPeriod, Duration)>,
    /// The percentage of rows that the server refuses with a transient error.
    pub refused: u64,
    /// The percentage of batches whose answer is lost.
    pub lost_answers: u64,
    /// The percentage of writes that the server forbids.
    pub forbidden: u64,
}

impl Faults {
    /// Returns the periods in which a node is silent or slow. An outage counts for the first node.
    pub fn periods(&self) -> Vec<FaultPeriod> {
        let slow = self.slow.iter().map(|(period, _)| period);
        let outage = self.outage.map(|(from, until)| FaultPeriod {
            node: 0,
            from,
            until,
        });
        let single = self.silences.iter().chain(slow).cloned();
        single.chain(outage).collect()
    }
}

pub struct Nodes {
    pub count: usize,
    faults: Faults,
    started: Instant,
    at_start: i64,
    state: Mutex<State>,
}

/// Identifies an operation: the address of its trace, which is kept until the end of the history.
type OperationId = usize;

fn operation_id(trace: &Arc<Trace>) -> OperationId {
    Arc::as_ptr(trace) as usize
}

struct State {
    records: Records,
    /// The sessions that were removed, by digest and creation.
    removed: HashSet<([u8; 20], i64)>,
    random: Random,
    turn: usize,
    /// The operations of the writes that may still be executed.
    under_way: Vec<OperationId>,
    /// The operations that were answered.
    answered: HashSet<OperationId>,
    violations: Vec<String>,
}

impl State {
    fn created(&self, key: &Key) -> Option<i64> {
        let bins = &self.records.all.get(&key.digest())?.bins;
        match (bins.get("data"), bins.get("created")) {
            (Some(Value::Int(_)), _) => None,
            (_, Some(Value::Int(created))) => Some(*created),
            _ => None,
        }
    }

    fn apply(&mut self, key: &Key, command: &Command, now: i64) -> Result<Reply, ResultCode> {
        let before = self.created(key);
        let outcome = self.records.apply(key, command, now);
        if let Some(created) = before
            && self.created(key) != before
        {
            self.removed.insert((key.digest(), created));
        }
        outcome
    }
}

impl Nodes {
    pub fn new(
        count: usize,
        faults: Faults,
        refuses_ttl: bool,
        at_start: i64,
        random: Random,
    ) -> Arc<Nodes> {
        let records = Records {
            refuses_ttl,
            ..Records::default()
        };
        Arc::new(Nodes {
            count,
            faults,
            started: Instant::now(),
            at_start,
            state: Mutex::new(State {
                records,
                removed: HashSet::new(),
                random,
                turn: 0,
                under_way: Vec::new(),
                answered: HashSet::new(),
                violations: Vec::new(),
            }),
        })
    }

    /// Returns the names of the nodes, and the partitions that each is master of while no node is silent.
    pub fn masters(&self) -> Vec<(String, Vec<u16>)> {
        let of = |node: usize| {
            let partitions = (0..PARTITIONS).filter(|one| usize::from(*one) % self.count == node);
            (format!("NODE{node}"), partitions.collect())
        };
        (0..self.count).map(of).collect()
    }

    /// Notes that an operation is answered. None of its writes may be under way any more.
    pub fn answered(&self, trace: &Arc<Trace>) {
        let mut state = self.state();
        let trace = operation_id(trace);
        state.answered.insert(trace);
        if state.under_way.contains(&trace) {
            state
                .violations
                .push("a write is still under way as its operation is answered".into());
        }
    }

    pub fn violations(&self) -> Vec<String> {
        std::mem::take(&mut self.state().violations)
    }

    /// Returns the void times of all records.
    pub fn void_times(&self) -> Vec<u32> {
        self.state()
            .records
            .all
            .values()
            .map(|record| record.void_time)
            .collect()
    }

    /// Returns the places of the sessions of a user that are there, and of those that were removed.
    pub fn places_of(&self, user: &str) -> (Vec<Place>, Vec<Place>) {
        let state = self.state();
        let removed = state.records.removed.iter();
        let removed = removed.filter(|(owner, _)| owner == user);
        (
            state.records.of_user(user),
            removed.map(|(_, place)| *place).collect(),
        )
    }

    /// Returns when the session in this record was created, if the record holds one.
    pub fn created(&self, key: &Key) -> Option<i64> {
        self.state().created(key)
    }

    /// Returns whether the session of this key that was created then was ever removed.
    pub fn was_removed(&self, key: &Key, created: i64) -> bool {
        self.state().removed.contains(&(key.digest(), created))
    }

    /// Returns whether every request to this node is answered, and at once.
    pub fn answers(&self, node: usize) -> bool {
        let now = self.passed();
        let is_slow =
            |period: &FaultPeriod| period.node == node && period.from <= now && now < period.until;
        self.silence(node).is_none() && !self.faults.slow.iter().any(|(period, _)| is_slow(period))
    }

    /// Returns the master of this key while no node is silent.
    pub fn master(&self, key: &Key) -> usize {
        partition(key) % self.count
    }

    /// Returns whether requests may be refused, answers lost, or all nodes silent at a time. Then reads have no time limit.
    pub fn has_no_read_limit(&self) -> bool {
        let faults = &self.faults;
        faults.refused > 0 || faults.lost_answers > 0 || faults.outage.is_some()
    }

    /// Returns the current master of this key, and the other node that has it.
    pub fn holders(&self, key: &Key) -> [usize; 2] {
        let master = self.master(key);
        let replica = (master + 1) % self.count;
        match self.silence_since(master) {
            Some(since) if self.is_noticed(since) => [replica, (replica + 1) % self.count],
            _ => [master, replica],
        }
    }

    /// Returns when the silence of a node began, if it is silent.
    pub fn silence_since(&self, node: usize) -> Option<Duration> {
        self.silence(node).map(|(from, _)| from)
    }

    /// Returns whether the other nodes have replaced a node that has been silent since then.
    pub fn is_noticed(&self, since: Duration) -> bool {
        self.passed() >= since + NOTICED
    }

    /// Returns when the silence of a node began, and when it ends, if it is silent.
    fn silence(&self, node: usize) -> Option<(Duration, Duration)> {
        let now = self.passed();
        let own = self.faults.silences.iter().filter(|one| one.node == node);
        let mut all = own
            .map(|one| (one.from, one.until))
            .chain(self.faults.outage);
        all.find(|(from, until)| *from <= now && now < *until)
    }

    fn passed(&self) -> Duration {
        self.started.elapsed()
    }

    fn now(&self) -> i64 {
        self.at_start + i64::try_from(self.passed().as_millis()).expect("a short history")
    }

    /// Waits until a node begins with a request.
    async fn deliver_to(&self, node: usize) {
        let latency = self.state().random.between(1, 4);
        sleep(Duration::from_millis(latency)).await;
        let now = self.passed();
        let slow = self.faults.slow.iter();
        let slow = slow
            .filter(|(period, _)| period.node == node && period.from <= now && now < period.until);
        for (_, by) in slow {
            sleep(*by).await;
        }
        while let Some((_, until)) = self.silence(node) {
            // Requests that waited are not executed in order, nor all at once.
            let later = self.state().random.between(0, 3);
            sleep_until(self.started + until + Duration::from_millis(later)).await;
        }
    }

    /// Waits until an answer has arrived.
    async fn deliver_answer(&self) {
        let latency = self.state().random.between(1, 4);
        sleep(Duration::from_millis(latency)).await;
    }

    fn execute(&self, row: &SimulatedRow) -> Result<Reply, Failure> {
        let mut state = self.state();
        let is_write = row.command.is_write();
        if is_write
            && let Some(trace) = &row.trace
            && state.answered.contains(&operation_id(trace))
        {
            state
                .violations
                .push("a write was carried out after its operation was answered".into());
        }
        let now = self.now();
        if is_write && state.random.percent(self.faults.forbidden) {
            return Err(Failure::Simulated(Some(ResultCode::FailForbidden), false));
        }
        if state.random.percent(self.faults.refused) {
            let codes = [
                ResultCode::KeyBusy,
                ResultCode::Timeout,
                ResultCode::PartitionUnavailable,
            ];
            let code = codes[usize::try_from(state.random.below(3)).unwrap_or(0)];
            let applied = code == ResultCode::Timeout && state.random.percent(50);
            if applied {
                let _ = state.apply(&row.key, &row.command, now);
            }
            let in_doubt = is_write && code == ResultCode::Timeout;
            return Err(Failure::Simulated(Some(code), in_doubt));
        }
        let outcome = state.apply(&row.key, &row.command, now);
        outcome.map_err(|code| Failure::Simulated(Some(code), false))
    }

    /// Executes rows on one node.
    async fn execute_on(&self, node: usize, rows: &mut [&mut SimulatedRow]) -> Result<(), Failure> {
        // If the answer is lost, the connection breaks before or after the rows are executed.
        let (is_lost, is_before) = {
            let mut state = self.state();
            (
                state.random.percent(self.faults.lost_answers),
                state.random.percent(50),
            )
        };
        self.deliver_to(node).await;
        let broken = Err(Failure::Simulated(None, true));
        if is_lost && is_before {
            return broken;
        }
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            outcomes.push(self.execute(row));
        }
        self.deliver_answer().await;
        if is_lost {
            return broken;
        }
        for (row, outcome) in rows.iter_mut().zip(outcomes) {
            row.outcome = Some(outcome);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a lock that nobody panics under")
    }
}

/// Marks writes as under way until it is dropped.
struct UnderWay<'a>(&'a Nodes, Vec<OperationId>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        for trace in &self.1 {
            let index = state.under_way.iter().position(|one| one == trace);
            index.map(|index| state.under_way.swap_remove(index));
        }
    }
}

impl Simulated for Nodes {
    fn batch<'a>(&'a self, rows: &'a mut [SimulatedRow]) -> BoxFuture<'a, Result<(), Failure>> {
        let writes = rows.iter().filter(|row| row.command.is_write());
        let traces: Vec<_> = writes
            .filter_map(|row| row.trace.as_ref().map(operation_id))
            .collect();
        self.state().under_way.extend_from_slice(&traces);
        let under_way = UnderWay(self, traces);
        Box::pin(async move {
            let _under_way = under_way;
            let mut outcome = Ok(());
            // One node after the other, like the crate.
            for node in 0..self.count {
                let mut of_node: Vec<_> = rows
                    .iter_mut()
                    .filter(|row| row.outcome.is_none() && self.holders(&row.key)[0] == node)
                    .collect();
                if !of_node.is_empty() {
                    outcome = self.execute_on(node, &mut of_node).await.and(outcome);
                }
            }
            outcome
        })
    }

    fn get<'a>(
        &'a self,
        key: &'a Key,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<aerospike::Record, Failure>> {
        let holders = self.holders(key);
        let node = {
            let mut state = self.state();
            state.turn += 1;
            holders[state.turn % holders.len()]
        };
        let mut row = SimulatedRow {
            key: key.clone(),
            command: command.clone(),
            trace: None,
            outcome: None,
        };
        Box::pin(async move {
            self.execute_on(node, &mut [&mut row]).await?;
            match row.outcome {
                Some(Ok(Reply::Record(record))) => Ok(record),
                Some(Err(failure)) => Err(failure),
                _ => Err(Failure::Simulated(None, false)),
            }
        })
    }

    /// Reads from one node after the other. While one is silent, the query waits.
    fn scan<'a>(
        &'a self,
        query: &'a Query<'_>,
    ) -> BoxFuture<'a, Result<Vec<aerospike::Record>, Failure>> {
        Box::pin(async move {
            let mut found = Vec::new();
            for node in 0..self.count {
                self.deliver_to(node).await;
                let is_failed = {
                    let mut state = self.state();
                    let of_node = state.records.all.iter().filter_map(|(digest, record)| {
                        let key = Key::with_digest("test", query.set, None, *digest);
                        let is_found =
                            self.master(&key) == node && filter::passes(&query.filter, record);
                        is_found.then(|| {
                            let bins = record.bins.clone().into_iter().collect();
                            aerospike::Record::new(
                                Some(key),
                                bins,
                                None,
                                record.generation,
                                record.void_time,
                            )
                        })
                    });
                    found.extend(of_node.collect::<Vec<_>>());
                    let percent = self.faults.lost_answers + self.faults.refused;
                    state.random.percent(percent)
                };
                self.deliver_answer().await;
                if is_failed {
                    return Err(Failure::Simulated(None, false));
                }
            }
            Ok(found)
        })
    }
}
