//! A request from `submit` to its answer, without a network.

mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn dispatch(c: &mut Criterion) {
    let dispatcher = work::Dispatcher::open();
    let mut group = c.benchmark_group("dispatch");
    for in_flight in [1, 16, 64, 256] {
        group.throughput(Throughput::Elements(in_flight as u64));
        group.bench_function(format!("{in_flight} in flight"), |b| {
            b.iter(|| dispatcher.answer(in_flight));
        });
    }
    group.finish();
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
