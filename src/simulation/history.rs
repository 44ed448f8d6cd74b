//! Runs one history: visitors and programs use a site for some seconds, on a cluster with faults. Then checks the answers.

use std::cell::RefCell;

use futures::future::{LocalBoxFuture, join_all};
use tokio::time::sleep;

use super::log::{FIRST_RENEWED, FIRST_SHORT_LIVED, check};
use super::random::Random;
use super::setting::Setting;
use super::site::{DURATION, START_MS, Site};
use crate::clock;

const VISITORS: usize = 4;
const WATCHERS: usize = 3;
/// The visitors of sessions that are renewed.
const RENEWING_VISITORS: usize = 3;

/// Runs the history of a seed. Returns the violations, and the number of operations.
pub async fn run(seed: u64) -> (Vec<String>, usize) {
    let mut random = Random::new(seed);
    clock::simulated::start(START_MS, random.next());
    let setting = Setting::of(&mut random);
    let site = Site::open(&setting, &mut random);
    let periods = setting.faults.periods();
    // The ids that each renewed session has had.
    let ids: RefCell<Vec<Vec<String>>> = RefCell::default();
    let mut tasks: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
    for visitor in 0..VISITORS {
        tasks.push(Box::pin(site.visit(visitor, random.fork())));
    }
    tasks.push(Box::pin(site.administer(random.fork())));
    tasks.push(Box::pin(site.read_many(random.fork())));
    for user in 0..2 {
        tasks.push(Box::pin(site.log_in_often(user, random.fork())));
    }
    let faults = &setting.faults;
    if let Some(percent) = setting.options.touch_on_read {
        // A read from a replica does not extend the record, so sessions may end early while a master is silent.
        if faults.silences.is_empty() && faults.outage.is_none() {
            for session in FIRST_SHORT_LIVED..FIRST_SHORT_LIVED + 2 {
                tasks.push(Box::pin(site.keep(session, percent, random.fork())));
            }
        }
    }
    for visitor in 0..RENEWING_VISITORS {
        tasks.push(Box::pin(site.use_renewed(visitor, &ids, random.fork())));
    }
    for period in &periods {
        tasks.push(Box::pin(site.rush(period, random.fork())));
    }
    for _ in 0..WATCHERS {
        tasks.push(Box::pin(site.watch(random.fork())));
    }
    join_all(tasks).await;
    // Every fault period is over, and every operation was answered.
    sleep(DURATION).await;
    for session in 0..setting.sessions {
        site.load(0, session).await;
    }
    for (number, ids) in ids.into_inner().into_iter().enumerate() {
        for id in ids {
            let _ = site.read_as(1, FIRST_RENEWED + number, id).await;
        }
    }
    let refuses = setting.refuses_ttl;
    let mut violations = site.nodes.violations();
    violations.append(&mut site.violations.borrow_mut());
    let immortal = site
        .nodes
        .void_times()
        .iter()
        .filter(|time| **time == 0)
        .count();
    if immortal > 0 && !refuses && setting.faults.forbidden == 0 {
        violations.push(format!("{immortal} records never end"));
    }
    let operations = site.log().clone();
    violations.extend(check(&operations, setting.timeout, setting.faults.outage));
    if !violations.is_empty() {
        violations.push(format!("{setting:?}"));
    }
    if std::env::var_os("SIMULATION_LOG").is_some() {
        for one in &operations {
            println!("{one:?}");
        }
    }
    (violations, operations.len())
}
