//! What a history is made of.

use std::time::Duration;

use super::nodes::{Spell, Weather};
use super::random::Random;
use crate::store::Options;

/// How long sessions live, in milliseconds.
pub const TTL: i64 = 3_600_000;
pub const NODES: usize = 3;

/// All of it follows from the seed.
#[derive(Debug)]
pub struct Setting {
    pub timeout: Duration,
    pub sessions: usize,
    pub refuses_ttl: bool,
    pub weather: Weather,
    pub options: Options,
}

impl Setting {
    pub fn of(random: &mut Random) -> Setting {
        let ms = Duration::from_millis;
        let timeout = [1_000, 2_000, 3_000][random.below(3) as usize];
        let mut weather = Weather::default();
        // One node is silent or slow at a time.
        let mut from = random.between(300, 2_000);
        for _ in 0..random.below(3) {
            let until = from + random.between(200, 3_500);
            let spell = Spell {
                node: random.below(NODES as u64) as usize,
                from: ms(from),
                until: ms(until),
            };
            match random.percent(70) {
                true => weather.silences.push(spell),
                false => weather
                    .slow
                    .push((spell, ms(random.between(20, timeout / 3)))),
            }
            // Until what waited for it has been answered.
            from = until + timeout + random.below(1_000);
        }
        if random.percent(25) {
            let from = random.between(500, 4_000);
            let until = from + random.between(timeout / 2, 2 * timeout);
            weather.outage = Some((ms(from), ms(until)));
        }
        if random.percent(30) {
            weather.refused = random.between(1, 8);
        }
        if random.percent(30) {
            weather.lost = random.between(1, 6);
        }
        if random.percent(20) {
            weather.forbidden = random.between(1, 5);
        }
        let touch_on_read = random
            .percent(35)
            .then(|| [50, 80, 90][random.below(3) as usize]);
        Setting {
            timeout: ms(timeout),
            sessions: random.between(1, 3) as usize,
            refuses_ttl: random.percent(15),
            weather,
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
                ttl: TTL,
                ..Options::default()
            },
        }
    }
}
