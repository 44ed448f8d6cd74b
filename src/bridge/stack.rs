//! Gives back the stack that a deeply nested record took.
//!
//! The crate decodes records by recursion. A record of 1 MiB can be nested a million levels deep, and then commits a third of
//! a gigabyte of the thread's stack. The system keeps those pages for the thread until it ends, which it never does. So
//! whenever the thread has nothing to do, what lies far below its stack pointer is given back.
//!
//! The JavaScript thread has a small stack. Where it decodes records it changes to a reserved one.

/// The crate decodes records by recursion, without a bound, and the server stores whatever is nested: each byte of a
/// record can be a level, and each level takes about 330 bytes of stack (measured). These are the stacks for a record of
/// 8 MiB, the most that can be configured, and of 1 MiB, the server's default; and for a system that gives neither.
/// Address space only: pages are committed when touched, and given back when the thread has nothing to do (see [`give_back`]).
pub const STACKS: [usize; 3] = [3 << 30, 512 << 20, 64 << 20];

/// Called when a thread is about to wait for work: with a shallow stack, always from the same place.
#[cfg(target_os = "linux")]
pub fn give_back() {
    use std::cell::OnceCell;

    // A reserved stack is given back when the work on it has ended.
    if linux::is_on_reserved() {
        return;
    }
    thread_local! {
        static UNUSED: OnceCell<Option<linux::Unused>> = const { OnceCell::new() };
    }
    // An error means that the thread is ending.
    let _ = UNUSED.try_with(|unused| {
        if let Some(unused) = unused.get_or_init(linux::Unused::of_this_thread) {
            unused.give_back();
        }
    });
}

/// On other systems the pages stay committed: they have no call that discards pages and leaves zeros.
#[cfg(not(target_os = "linux"))]
pub fn give_back() {}

#[cfg(target_os = "linux")]
pub use linux::Reserved;

/// Only on Linux there is one.
#[cfg(not(target_os = "linux"))]
pub enum Reserved {}

#[cfg(not(target_os = "linux"))]
impl Reserved {
    pub fn new(_size: usize) -> Option<Reserved> {
        None
    }

    pub fn run<R>(&self, _work: impl FnOnce() -> R) -> R {
        match *self {}
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::Cell;
    use std::ffi::c_void;
    use std::mem::MaybeUninit;

    /// Bytes below the stack pointer of an idle thread that are not given back. An ordinary operation needs less.
    const KEPT: usize = 1 << 20;
    /// Bytes that the kernel writes when it delivers a signal lie below the stack pointer as well.
    const LEAST: usize = 256 * 1024;
    /// Bytes that tell whether the stack was used as far down as they are: some levels of a recursion, of about 330 bytes each.
    /// They are read whenever the thread is about to wait (measured: 0.04 µs).
    const MARK: usize = 1024;

    /// The part of this thread's stack that ordinary operations do not use: from `low` up to `high`, in whole pages. Its
    /// uppermost bytes tell whether any of it was used: each level of a recursion leaves an address that is not zero.
    pub struct Unused {
        low: usize,
        high: usize,
    }

    impl Unused {
        /// `None` if the stack is too small, or its bounds are not known.
        pub fn of_this_thread() -> Option<Unused> {
            let page = page()?;
            let (low, size) = stack_of_this_thread()?;
            let here = stack_pointer();
            let high = here.checked_sub(KEPT)? / page * page;
            let low = low.div_ceil(page) * page;
            let is_inside = low + page < high && here < low + size;
            is_inside.then_some(Unused { low, high })
        }

        /// To be called with a shallow stack.
        pub fn give_back(&self) {
            // A call from deeper on the stack than the first one: pages below it may still be in use.
            if stack_pointer() >= self.high + LEAST {
                self.discard();
            }
        }

        fn discard(&self) {
            if !self.was_used() {
                return;
            }
            // SAFETY: these are whole pages of this thread's own stack (`of_this_thread`), far below the stack pointer, or of one that
            // nothing runs on (`Reserved`), so no frame is in them, and no other thread refers to them. They stay mapped, and read as
            // zeros. Should it fail they stay as they are.
            unsafe {
                libc::madvise(
                    self.low as *mut c_void,
                    self.high - self.low,
                    libc::MADV_DONTNEED,
                );
            }
        }

        fn was_used(&self) -> bool {
            let first = (self.high - MARK) as *const usize;
            let words = MARK / size_of::<usize>();
            // SAFETY: these bytes are aligned, and in a page that is mapped (`of_this_thread`). They belong to this thread, which
            // does nothing else meanwhile; the compiler knows nothing of them, hence volatile.
            (0..words).any(|word| unsafe { first.add(word).read_volatile() } != 0)
        }
    }

    thread_local! {
        static IS_ON_RESERVED: Cell<bool> = const { Cell::new(false) };
    }

    /// Returns whether this thread is on a reserved stack.
    pub fn is_on_reserved() -> bool {
        IS_ON_RESERVED.get()
    }

    /// A stack that a thread changes to for a while. Address space, most of it: pages are committed when touched, and given
    /// back when the thread has changed back.
    pub struct Reserved {
        base: *mut u8,
        size: usize,
        unused: Unused,
    }

    impl Reserved {
        /// `None` if the system does not give that much. It is never freed.
        pub fn new(size: usize) -> Option<Reserved> {
            let page = page()?;
            let size = size / page * page;
            let flags =
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
            let rights = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: a new mapping, wherever there is room. Its lowest page is the end of the stack: who touches it ends the process.
            let base = unsafe {
                let base = libc::mmap(std::ptr::null_mut(), size, rights, flags, -1, 0);
                if base == libc::MAP_FAILED {
                    return None;
                }
                if libc::mprotect(base, page, libc::PROT_NONE) != 0 {
                    libc::munmap(base, size);
                    return None;
                }
                base
            };
            let low = base as usize + page;
            let high = base as usize + size.checked_sub(KEPT)?;
            Some(Reserved {
                base: base.cast(),
                size,
                unused: Unused { low, high },
            })
        }

        /// Does something on this stack. It must not panic, and not call anything that knows of the thread's own stack, as
        /// JavaScript does.
        pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
            // SAFETY: the stack is mapped, in whole pages, for ever, and nothing else runs on it: it belongs to one thread (a raw
            // pointer is not `Send`), which does not come here from `work`.
            IS_ON_RESERVED.set(true);
            let done = unsafe { psm::on_stack(self.base, self.size, work) };
            IS_ON_RESERVED.set(false);
            self.unused.discard();
            done
        }
    }

    fn page() -> Option<usize> {
        // SAFETY: it reads a constant of the system.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()
    }

    /// About where the stack pointer is.
    fn stack_pointer() -> usize {
        let here = 0_u8;
        std::ptr::from_ref(std::hint::black_box(&here)) as usize
    }

    /// The lowest address of the stack, and its size.
    fn stack_of_this_thread() -> Option<(usize, usize)> {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::zeroed();
        // SAFETY: `attributes` has room for what is known of this thread, and is read only if that was put there.
        if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
            return None;
        }
        let (mut low, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: the attributes were filled in above, and are destroyed once.
        let failed = unsafe {
            let failed =
                libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            failed
        };
        (failed == 0).then_some((low as usize, size))
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    mod tests {
        use super::*;

        /// Megabytes of it that are in memory.
        fn resident(unused: &Unused) -> usize {
            const PAGE: usize = 4_096;
            let mut pages = vec![0_u8; (unused.high - unused.low).div_ceil(PAGE)];
            // SAFETY: the range is mapped (`of_this_thread`), and there is a byte for each of its pages.
            let failed = unsafe {
                let first = unused.low as *mut c_void;
                libc::mincore(first, unused.high - unused.low, pages.as_mut_ptr())
            };
            assert_eq!(failed, 0);
            (pages.iter().filter(|page| **page & 1 == 1).count() * PAGE) >> 20
        }

        #[inline(never)]
        fn deep(levels: usize) -> usize {
            let frame = std::hint::black_box([levels; 32]);
            match levels {
                0 => frame[0],
                _ => deep(levels - 1) + std::hint::black_box(frame)[31],
            }
        }

        #[test]
        fn what_a_deep_recursion_took_is_given_back() {
            const LEVELS: usize = 300_000;
            let thread = std::thread::Builder::new().stack_size(1 << 30);
            let thread = thread.spawn(|| {
                let unused = Unused::of_this_thread().unwrap();
                assert!(!unused.was_used());
                for _ in 0..3 {
                    deep(LEVELS);
                    assert!(unused.was_used());
                    assert!(resident(&unused) > 70);
                    unused.give_back();
                    assert!(!unused.was_used());
                    assert!(resident(&unused) < 2);
                }
            });
            thread.unwrap().join().unwrap();
        }
    }
}
