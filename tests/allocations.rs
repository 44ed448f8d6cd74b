//! How often the codec and the dispatcher allocate for an operation. The numbers are part of what
//! was measured: one that falls is to be written down here, one that rises needs a reason.

#[path = "../benches/work/mod.rs"]
mod work;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator; counts the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends may allocate after its counter is gone.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: everything is handed to the system's allocator as it came; the counter neither allocates
// nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the system allocator's.
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

/// Allocations and reallocations of this thread while `work` is done, for each of `operations`.
fn allocations(operations: u64, work: impl FnOnce()) -> f64 {
    let before = CALLS.get();
    work();
    (CALLS.get() - before) as f64 / operations as f64
}

/// Within 5 %: a table that grows now and then is shared by many operations.
#[track_caller]
fn is_about(expected: f64, counted: f64) {
    let ratio = counted / expected;
    assert!(
        (0.95..=1.05).contains(&ratio),
        "{counted} allocations an operation, not {expected}"
    );
}

#[test]
fn encoding_a_session_allocates_no_more_than_it_did() {
    let small = work::session(work::SMALL);
    let large = work::session(work::LARGE);
    is_about(13.0, allocations(1, || drop(work::encode(&small))));
    is_about(148.0, allocations(1, || drop(work::encode(&large))));
}

#[test]
fn decoding_a_session_allocates_no_more_than_it_did() {
    let small = work::value(&work::session(work::SMALL));
    let large = work::value(&work::session(work::LARGE));
    is_about(7.0, allocations(1, || drop(work::decode(&small))));
    is_about(11.0, allocations(1, || drop(work::decode(&large))));
}

#[test]
fn a_request_and_its_answer_allocate_no_more_than_they_did() {
    const IN_FLIGHT: usize = 64;
    const TURNS: usize = 50;
    let dispatcher = work::Dispatcher::open();
    dispatcher.answer(IN_FLIGHT);
    let operations = (IN_FLIGHT * TURNS) as u64;
    let counted = allocations(operations, || {
        for _ in 0..TURNS {
            dispatcher.answer(IN_FLIGHT);
        }
    });
    is_about(16.0, counted);
}
