//! A simulated cluster: its nodes, how long everything takes, and what goes wrong.
//!
//! Every partition has a master and a replica. A node that is silent takes nothing in until it is heard again; when it has
//! been silent for long enough its partitions have another master. A request that has not begun when its connection is
//! closed does not begin any more; one that has begun is carried out at once, whoever listens.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aerospike::{Key, ResultCode};
use futures::future::BoxFuture;
use tokio::time::{sleep, sleep_until, Instant};

use super::random::Random;
use super::records::Records;
use crate::cluster::trace::Trace;
use crate::cluster::{partition, Command, Failure, Reply, Simulated, SimulatedRow};

/// After so long the other nodes do without a silent one (1.5 s of heartbeats, and the crate's tend).
const NOTICED: Duration = Duration::from_millis(1_900);
const PARTITIONS: u16 = 4_096;

/// A time of one node's.
#[derive(Debug, Clone)]
pub struct Spell {
    pub node: usize,
    pub from: Duration,
    pub until: Duration,
}

/// What goes wrong in a history.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    pub silences: Vec<Spell>,
    /// All nodes are silent, from when until when.
    pub outage: Option<(Duration, Duration)>,
    /// Each request takes so much longer.
    pub slow: Vec<(Spell, Duration)>,
    /// Of a hundred rows, how many the server refuses for reasons that pass.
    pub refused: u64,
    /// Of a hundred batches, how many lose their answer.
    pub lost: u64,
    /// Of a hundred writes, how many the server forbids, for a reason of its own.
    pub forbidden: u64,
}

impl Weather {
    /// When a node is silent or slow; of an outage, the first of them.
    pub fn spells(&self) -> Vec<Spell> {
        let slow = self.slow.iter().map(|(spell, _)| spell);
        let outage = self.outage.map(|(from, until)| Spell {
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
    weather: Weather,
    started: Instant,
    at_start: i64,
    state: Mutex<State>,
}

/// What tells operations apart: the address of what notes their way, which lives as long as the history.
type Name = usize;

fn name(trace: &Arc<Trace>) -> Name {
    Arc::as_ptr(trace) as usize
}

struct State {
    records: Records,
    random: Random,
    turn: usize,
    /// The writes that may still be carried out: each is that of an operation.
    under_way: Vec<Name>,
    /// The operations that were answered.
    answered: HashSet<Name>,
    broken: Vec<String>,
}

impl Nodes {
    pub fn new(
        count: usize,
        weather: Weather,
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
            weather,
            started: Instant::now(),
            at_start,
            state: Mutex::new(State {
                records,
                random,
                turn: 0,
                under_way: Vec::new(),
                answered: HashSet::new(),
                broken: Vec::new(),
            }),
        })
    }

    /// The nodes' names, and the partitions that each is master of as long as all are heard.
    pub fn masters(&self) -> Vec<(String, Vec<u16>)> {
        let of = |node: usize| {
            let partitions = (0..PARTITIONS).filter(|one| usize::from(*one) % self.count == node);
            (format!("NODE{node}"), partitions.collect())
        };
        (0..self.count).map(of).collect()
    }

    /// An operation is answered: nothing of it may be under way any more.
    pub fn answered(&self, trace: &Arc<Trace>) {
        let mut state = self.state();
        let trace = name(trace);
        state.answered.insert(trace);
        if state.under_way.contains(&trace) {
            state
                .broken
                .push("a write is still under way as its operation is answered".into());
        }
    }

    pub fn broken(&self) -> Vec<String> {
        std::mem::take(&mut self.state().broken)
    }

    /// What is stored in the end.
    pub fn void_times(&self) -> Vec<u32> {
        self.state()
            .records
            .all
            .values()
            .map(|record| record.void_time)
            .collect()
    }

    /// The node that has this key as long as all are heard.
    pub fn master(&self, key: &Key) -> usize {
        partition(key) % self.count
    }

    /// Whether requests are refused, answers lost, or all nodes silent at a time.
    pub fn is_rough(&self) -> bool {
        let weather = &self.weather;
        weather.refused > 0 || weather.lost > 0 || weather.outage.is_some()
    }

    /// The node that is asked for this key now, and the other that has it.
    pub fn holders(&self, key: &Key) -> [usize; 2] {
        let master = self.master(key);
        let replica = (master + 1) % self.count;
        match self.silence_since(master) {
            Some(since) if self.is_noticed(since) => [replica, (replica + 1) % self.count],
            _ => [master, replica],
        }
    }

    /// When the silence of a node began, if it is silent.
    pub fn silence_since(&self, node: usize) -> Option<Duration> {
        self.silence(node).map(|(from, _)| from)
    }

    /// Whether others do without a node that is silent since then.
    pub fn is_noticed(&self, since: Duration) -> bool {
        self.passed() >= since + NOTICED
    }

    /// When the silence of a node began, and when it ends.
    fn silence(&self, node: usize) -> Option<(Duration, Duration)> {
        let now = self.passed();
        let own = self.weather.silences.iter().filter(|one| one.node == node);
        let mut all = own
            .map(|one| (one.from, one.until))
            .chain(self.weather.outage);
        all.find(|(from, until)| *from <= now && now < *until)
    }

    fn passed(&self) -> Duration {
        self.started.elapsed()
    }

    fn now(&self) -> i64 {
        self.at_start + i64::try_from(self.passed().as_millis()).expect("a short history")
    }

    /// The way to a node, until it begins with what was sent.
    async fn way_to(&self, node: usize) {
        let travels = self.state().random.between(1, 4);
        sleep(Duration::from_millis(travels)).await;
        let now = self.passed();
        let slow = self.weather.slow.iter();
        let slow =
            slow.filter(|(spell, _)| spell.node == node && spell.from <= now && now < spell.until);
        for (_, by) in slow {
            sleep(*by).await;
        }
        while let Some((_, until)) = self.silence(node) {
            // What waits for it is not done in order, nor all at once.
            let later = self.state().random.between(0, 3);
            sleep_until(self.started + until + Duration::from_millis(later)).await;
        }
    }

    async fn way_back(&self) {
        let travels = self.state().random.between(1, 4);
        sleep(Duration::from_millis(travels)).await;
    }

    fn carried_out(&self, row: &SimulatedRow) -> Result<Reply, Failure> {
        let mut state = self.state();
        let is_write = !matches!(row.command, Command::Read { .. });
        if is_write {
            if let Some(trace) = &row.trace {
                if state.answered.contains(&name(trace)) {
                    state
                        .broken
                        .push("a write was carried out after its operation was answered".into());
                }
            }
        }
        let now = self.now();
        if is_write && state.random.percent(self.weather.forbidden) {
            return Err(Failure::Simulated(Some(ResultCode::FailForbidden), false));
        }
        if state.random.percent(self.weather.refused) {
            let codes = [
                ResultCode::KeyBusy,
                ResultCode::Timeout,
                ResultCode::PartitionUnavailable,
            ];
            let code = codes[usize::try_from(state.random.below(3)).unwrap_or(0)];
            let applied = code == ResultCode::Timeout && state.random.percent(50);
            if applied {
                let _ = state.records.apply(&row.key, &row.command, now);
            }
            let in_doubt = is_write && code == ResultCode::Timeout;
            return Err(Failure::Simulated(Some(code), in_doubt));
        }
        let outcome = state.records.apply(&row.key, &row.command, now);
        outcome.map_err(|code| Failure::Simulated(Some(code), false))
    }

    /// The rows that go to one node.
    async fn part(&self, node: usize, rows: &mut [&mut SimulatedRow]) -> Result<(), Failure> {
        let (is_lost, before) = {
            let mut state = self.state();
            (
                state.random.percent(self.weather.lost),
                state.random.percent(50),
            )
        };
        self.way_to(node).await;
        let broken = Err(Failure::Simulated(None, true));
        if is_lost && before {
            return broken;
        }
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            outcomes.push(self.carried_out(row));
        }
        self.way_back().await;
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

/// Writes that are under way as long as this is held.
struct UnderWay<'a>(&'a Nodes, Vec<Name>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        for trace in &self.1 {
            let place = state.under_way.iter().position(|one| one == trace);
            place.map(|place| state.under_way.swap_remove(place));
        }
    }
}

impl Simulated for Nodes {
    fn batch<'a>(&'a self, rows: &'a mut [SimulatedRow]) -> BoxFuture<'a, Result<(), Failure>> {
        let writes = rows
            .iter()
            .filter(|row| !matches!(row.command, Command::Read { .. }));
        let traces: Vec<_> = writes
            .filter_map(|row| row.trace.as_ref().map(name))
            .collect();
        self.state().under_way.extend_from_slice(&traces);
        let under_way = UnderWay(self, traces);
        Box::pin(async move {
            let _under_way = under_way;
            let mut outcome = Ok(());
            // One node after the other, as the crate does it.
            for node in 0..self.count {
                let mut of_node: Vec<_> = rows
                    .iter_mut()
                    .filter(|row| row.outcome.is_none() && self.holders(&row.key)[0] == node)
                    .collect();
                if !of_node.is_empty() {
                    outcome = self.part(node, &mut of_node).await.and(outcome);
                }
            }
            outcome
        })
    }

    fn get<'a>(
        &'a self,
        key: &'a Key,
        touch: Option<u8>,
    ) -> BoxFuture<'a, Result<aerospike::Record, Failure>> {
        let holders = self.holders(key);
        let node = {
            let mut state = self.state();
            state.turn += 1;
            holders[state.turn % holders.len()]
        };
        let mut row = SimulatedRow {
            key: key.clone(),
            command: Command::Read {
                bins: aerospike::Bins::All,
                touch,
            },
            trace: None,
            outcome: None,
        };
        Box::pin(async move {
            self.part(node, &mut [&mut row]).await?;
            match row.outcome {
                Some(Ok(Reply::Record(record))) => Ok(record),
                Some(Err(failure)) => Err(failure),
                _ => Err(Failure::Simulated(None, false)),
            }
        })
    }
}
