//! The parameters of a history.

use std::time::Duration;

use super::nodes::{FaultPeriod, Faults};
use super::random::Random;
use crate::store::Options;

/// How long sessions live, in milliseconds.
pub const TTL: i64 = 3_600_000;
pub const NODES: usize = 3;
/// The time between two checks of a watched session.
pub const WATCH_INTERVAL: Duration = Duration::from_millis(300);

/// All parameters follow from the seed.
#[derive(Debug)]
pub struct Setting {
    pub timeout: Duration,
    pub sessions: usize,
    pub refuses_ttl: bool,
    pub faults: Faults,
    pub options: Options,
}

impl Setting {
    pub fn of(random: &mut Random) -> Setting {
        let ms = Duration::from_millis;
        let timeout = [1_000, 2_000, 3_000][random.below(3) as usize];
        let mut faults = Faults::default();
        // One node is silent or slow at a time.
        let mut from = random.between(300, 2_000);
        for _ in 0..random.below(3) {
            let until = from + random.between(200, 3_500);
            let period = FaultPeriod {
                node: random.below(NODES as u64) as usize,
                from: ms(from),
                until: ms(until),
            };
            match random.percent(70) {
                true => faults.silences.push(period),
                false => faults
                    .slow
                    .push((period, ms(random.between(20, timeout / 3)))),
            }
            // The next period begins after all requests that waited for the node have been answered.
            from = until + timeout + random.below(1_000);
        }
        if random.percent(25) {
            let from = random.between(500, 4_000);
            let until = from + random.between(timeout / 2, 2 * timeout);
            faults.outage = Some((ms(from), ms(until)));
        }
        if random.percent(30) {
            faults.refused = random.between(1, 8);
        }
        if random.percent(30) {
            faults.lost_answers = random.between(1, 6);
        }
        if random.percent(20) {
            faults.forbidden = random.between(1, 5);
        }
        let touch_on_read = random
            .percent(35)
            .then(|| [50, 80, 90][random.below(3) as usize]);
        Setting {
            timeout: ms(timeout),
            sessions: random.between(1, 3) as usize,
            refuses_ttl: random.percent(15),
            faults,
            options: Options {
                namespace: "test".into(),
                set: "sessions".into(),
                bin: "data".into(),
                prefix: ["", "shop:"][random.below(2) as usize].into(),
                json: random.percent(30),
                store_ids: random.percent(20),
                tombstones: random.percent(20),
                absolute_ttl: random.percent(40).then_some(2 * TTL),
                // With `touch_on_read` there are sessions that live for less than a minute.
                touch_after: match touch_on_read {
                    None => [0, 60_000][random.below(2) as usize],
                    Some(_) => 0,
                },
                touch_on_read,
                watch_interval: WATCH_INTERVAL,
                ttl: TTL,
                ..Options::default()
            },
        }
    }
}
