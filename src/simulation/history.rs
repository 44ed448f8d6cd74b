//! One history: what a site's visitors and programs do in some seconds, on a cluster in some weather, and what came of it.

use futures::future::{join_all, LocalBoxFuture};
use tokio::time::sleep;

use super::log::{judge, KEPT};
use super::random::Random;
use super::setting::Setting;
use super::site::{Site, AT_START, LASTS};
use crate::clock;

const VISITORS: usize = 4;

/// Runs the history of a seed: what is wrong with it, and how many operations it has.
pub async fn run(seed: u64) -> (Vec<String>, usize) {
    let mut random = Random::new(seed);
    clock::simulated::start(AT_START, random.next());
    let setting = Setting::of(&mut random);
    let site = Site::open(&setting, &mut random);
    let spells = setting.weather.spells();
    let mut doing: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
    for visitor in 0..VISITORS {
        doing.push(Box::pin(site.visit(visitor, random.fork())));
    }
    doing.push(Box::pin(site.administer(random.fork())));
    doing.push(Box::pin(site.look(random.fork())));
    let weather = &setting.weather;
    if let Some(percent) = setting.options.touch_on_read {
        // A read that goes to a replica while the master is silent extends nothing.
        if weather.silences.is_empty() && weather.outage.is_none() {
            for session in KEPT..KEPT + 2 {
                doing.push(Box::pin(site.keep(session, percent, random.fork())));
            }
        }
    }
    for spell in &spells {
        doing.push(Box::pin(site.rush(spell, random.fork())));
    }
    join_all(doing).await;
    // Every silence is over, and everything was answered.
    sleep(LASTS).await;
    for session in 0..setting.sessions {
        site.load(0, session).await;
    }
    let refuses = setting.refuses_ttl;
    let mut wrong = site.nodes.broken();
    wrong.append(&mut site.wrong.borrow_mut());
    let immortal = site
        .nodes
        .void_times()
        .iter()
        .filter(|time| **time == 0)
        .count();
    if immortal > 0 && !refuses && setting.weather.forbidden == 0 {
        wrong.push(format!("{immortal} records never end"));
    }
    let operations = site.log().clone();
    wrong.extend(judge(&operations, setting.timeout, setting.weather.outage));
    if !wrong.is_empty() {
        wrong.push(format!("{setting:?}"));
    }
    if std::env::var_os("SIMULATION_LOG").is_some() {
        for one in &operations {
            println!("{one:?}");
        }
    }
    (wrong, operations.len())
}
