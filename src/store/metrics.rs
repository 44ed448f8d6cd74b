//! Counters for `stats()`: the operations of a store and their outcomes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::cluster;
use crate::error::{Code, Result};

/// Upper bounds of the latency histogram in milliseconds. A last bucket counts longer latencies.
const BOUNDS: [f64; 15] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0,
];

/// The counters of a store.
#[derive(Default)]
pub struct Metrics {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By method. There are few, so a search compares the names one by one.
    methods: Vec<(&'static str, Outcomes)>,
    latencies: [u64; BOUNDS.len() + 1],
    /// The sum of all latencies in milliseconds.
    sum: f64,
}

/// The outcomes of one method.
#[derive(Clone, Default, Serialize)]
struct Outcomes {
    ok: u64,
    errors: BTreeMap<Code, u64>,
}

/// The result of `stats()`, as JavaScript receives it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    #[serde(flatten)]
    pub cluster: cluster::Stats,
    pub in_flight: usize,
    operations: BTreeMap<&'static str, Outcomes>,
    latency: Latency,
}

/// Latencies of operations on one session, from the call to the answer.
#[derive(Serialize)]
struct Latency {
    /// In milliseconds.
    bounds: [f64; BOUNDS.len()],
    /// One more than `bounds`: the last counts what is above the last bound.
    counts: [u64; BOUNDS.len() + 1],
    /// The sum of all latencies in milliseconds.
    sum: f64,
}

impl Metrics {
    /// Counts an operation. `latency`: its latency, if it was an operation on one session.
    pub fn count<T>(&self, method: &'static str, outcome: &Result<T>, latency: Option<Duration>) {
        let mut state = self.state();
        if let Some(latency) = latency {
            let ms = latency.as_secs_f64() * 1_000.0;
            state.sum += ms;
            let bucket = BOUNDS.partition_point(|bound| *bound < ms);
            if let Some(count) = state.latencies.get_mut(bucket) {
                *count += 1;
            }
        }
        let known = state.methods.iter().position(|(name, _)| *name == method);
        let place = known.unwrap_or_else(|| {
            state.methods.push((method, Outcomes::default()));
            state.methods.len() - 1
        });
        if let Some((_, outcomes)) = state.methods.get_mut(place) {
            match outcome {
                Ok(_) => outcomes.ok += 1,
                Err(error) => *outcomes.errors.entry(error.code).or_default() += 1,
            }
        }
    }

    pub fn stats(&self, cluster: cluster::Stats, in_flight: usize) -> Stats {
        let state = self.state();
        Stats {
            cluster,
            in_flight,
            operations: state.methods.iter().cloned().collect(),
            latency: Latency {
                bounds: BOUNDS,
                counts: state.latencies,
                sum: state.sum,
            },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No holder of this lock can panic in the middle of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn counts_outcomes_by_method_and_latencies_by_bucket() {
        let metrics = Metrics::default();
        let failed: Result<()> = Err(Error::closed());
        metrics.count("get", &Ok(()), Some(Duration::from_micros(100)));
        metrics.count("get", &failed, Some(Duration::from_micros(101)));
        metrics.count("set", &failed, Some(Duration::from_secs(60)));
        metrics.count("all", &Ok(()), None);
        let stats = metrics.stats(cluster::Stats::default(), 3);
        let json = serde_json::to_value(stats).expect("numbers and names");
        assert_eq!(json["inFlight"], 3);
        assert_eq!(json["operations"]["get"]["ok"], 1);
        assert_eq!(json["operations"]["get"]["errors"]["CLOSED"], 1);
        assert_eq!(json["operations"]["all"]["ok"], 1);
        let counts = json["latency"]["counts"].as_array().expect("an array");
        let counts: Vec<_> = counts.iter().filter_map(|count| count.as_u64()).collect();
        assert_eq!(counts[..3], [1, 1, 0]);
        assert_eq!(counts[BOUNDS.len()], 1);
        assert_eq!(counts.iter().sum::<u64>(), 3);
        let sum = json["latency"]["sum"].as_f64().expect("a number");
        assert!((sum - 60_000.201).abs() < 1e-6);
    }
}
