//! The number of allocations of the codec and the dispatcher for an operation. The expected numbers were measured.
//! Update them when they fall; a higher number needs a reason.

#[path = "../benches/work/mod.rs"]
mod work;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system allocator with a counter of the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends may allocate after its counter was dropped.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: everything is passed on to the system allocator unchanged. The counter neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of the system allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as in `alloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the allocations and reallocations of this thread during `work`, per operation.
fn allocations(operations: u64, work: impl FnOnce()) -> f64 {
    let before = CALLS.get();
    work();
    (CALLS.get() - before) as f64 / operations as f64
}

/// Allows a deviation of 5 %: a table that grows now and then is shared by many operations.
#[track_caller]
fn assert_about(expected: f64, counted: f64) {
    let ratio = counted / expected;
    assert!(
        (0.95..=1.05).contains(&ratio),
        "{counted} allocations an operation, not {expected}"
    );
}

#[test]
fn encoding_a_session_does_not_allocate_more() {
    let small = work::session(work::SMALL);
    let large = work::session(work::LARGE);
    assert_about(13.0, allocations(1, || drop(work::encode(&small))));
    assert_about(148.0, allocations(1, || drop(work::encode(&large))));
}

#[test]
fn decoding_a_session_does_not_allocate_more() {
    let small = work::value(&work::session(work::SMALL));
    let large = work::value(&work::session(work::LARGE));
    assert_about(7.0, allocations(1, || drop(work::decode(&small))));
    assert_about(11.0, allocations(1, || drop(work::decode(&large))));
}

#[test]
fn a_request_and_its_answer_do_not_allocate_more() {
    const IN_FLIGHT: usize = 64;
    const ROUNDS: usize = 50;
    let dispatcher = work::Dispatcher::open();
    dispatcher.answer(IN_FLIGHT);
    let operations = (IN_FLIGHT * ROUNDS) as u64;
    let counted = allocations(operations, || {
        for _ in 0..ROUNDS {
            dispatcher.answer(IN_FLIGHT);
        }
    });
    // Two of them count the task as ready (`tasks`). Without the box of the task, a debug build of tokio makes one, and a release
    // build copies the task more often: 6 % more instructions.
    assert_about(17.0, counted);
}
