//! Runs one fixed workload a given number of times, so that callgrind can count its instructions
//! (`scripts/instructions.js`): `counted encode-small 1000`.
#![allow(clippy::unwrap_used)]

#[path = "../benches/work/mod.rs"]
mod work;

use std::hint::black_box;

/// The number of requests of the dispatcher in flight at once.
const IN_FLIGHT: usize = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let usage = "counted encode-small|encode-large|decode-small|decode-large|dispatch TIMES";
    let case = arguments.next().expect(usage);
    let times: usize = arguments.next().expect(usage).parse().expect(usage);
    let small = work::session(work::SMALL);
    let large = work::session(work::LARGE);
    match case.as_str() {
        "encode-small" => encode(&small, times),
        "encode-large" => encode(&large, times),
        "decode-small" => decode(&small, times),
        "decode-large" => decode(&large, times),
        "dispatch" => {
            let dispatcher = work::Dispatcher::open();
            for _ in 0..times / IN_FLIGHT {
                dispatcher.answer(IN_FLIGHT);
            }
        }
        _ => panic!("{usage}"),
    }
}

fn encode(json: &str, times: usize) {
    for _ in 0..times {
        black_box(work::encode(black_box(json)));
    }
}

fn decode(json: &str, times: usize) {
    let value = work::value(json);
    for _ in 0..times {
        black_box(work::decode(black_box(&value)));
    }
}
