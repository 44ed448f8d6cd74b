//! Tests the store on a simulated cluster and a simulated clock. Runs thousands of histories, each determined by its seed.
//!
//! `src/store` and the queues of `src/cluster` are the production code. [`nodes`] replaces the crate's client behind
//! [`Transport`](crate::cluster::Transport).
//!
//! ```sh
//! cargo test --lib simulation                               # as in CI: about a minute
//! SIMULATION_SEEDS=100000 cargo test --lib simulation       # more histories
//! SIMULATION_SEED=4711 cargo test --lib simulation          # repeats one history; SIMULATION_LOG=1 prints its operations
//! ```

mod answers;
mod filter;
mod history;
mod limited;
mod loaded;
mod log;
mod msgpack;
mod nodes;
pub mod random;
pub mod record;
pub mod records;
mod setting;
mod site;
mod visitors;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::runtime::Builder;

/// The number of histories, unless `SIMULATION_SEEDS` sets it.
const HISTORIES: u64 = 3_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64) -> (Vec<String>, usize) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(history::run(seed));
    crate::clock::simulated::stop();
    outcome
}

#[test]
fn every_history_keeps_the_guarantees() {
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(HISTORIES),
    };
    let (next, operations) = (AtomicU64::new(seeds.start), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let (violations, count) = run(seed);
                    operations.fetch_add(count, Ordering::Relaxed);
                    if !violations.is_empty() {
                        failed.lock().expect("a list").push((seed, violations));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("a list");
    failed.sort();
    println!(
        "{} histories, {} operations",
        seeds.end - seeds.start,
        operations.into_inner()
    );
    if let Some((seed, violations)) = failed.first() {
        let others: Vec<_> = failed.iter().map(|(seed, _)| seed).take(20).collect();
        panic!(
            "{} histories are wrong: {others:?}\nagain: SIMULATION_SEED={seed} cargo test --lib simulation\n{}",
            failed.len(),
            violations.join("\n"),
        );
    }
}
