//! Converting JSON text to a packed map, and a value from the server to JSON text.

mod work;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn codec(c: &mut Criterion) {
    for (size, items) in [("0.5 kB", work::SMALL), ("4 kB", work::LARGE)] {
        let json = work::session(items);
        let value = work::value(&json);
        let mut group = c.benchmark_group(size);
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function("encode", |b| b.iter(|| work::encode(black_box(&json))));
        group.bench_function("decode", |b| b.iter(|| work::decode(black_box(&value))));
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
