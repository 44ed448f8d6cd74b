//! Stacks large enough for deeply nested records.
//!
//! The crate decodes records by recursion. A record of 1 MiB can be nested a million levels deep, and then commits a third of a
//! gigabyte of the thread's stack. The system keeps these pages committed until the thread ends, and the threads of the core never
//! end. So whenever a thread is about to wait, the pages far below its stack pointer are released.
//!
//! The JavaScript thread has a small stack. It switches to a reserved stack before it decodes records.

/// Sizes of stacks, in bytes: for a record of 8 MiB, the configurable maximum; for a record of 1 MiB, the server's default; and for
/// systems that provide neither.
///
/// The crate's recursion has no limit, and the server stores records of any nesting. Each byte of a record can be a level, and each level
/// takes about 330 bytes of stack (measured). The stacks are address space only: pages are committed when they are touched.
pub const SIZES: [usize; 3] = [3 << 30, 512 << 20, 64 << 20];

/// Releases the unused part of this thread's stack. Called when the thread is about to wait for work: with a shallow stack, always
/// from about the same place, and not from a reserved stack.
#[cfg(target_os = "linux")]
pub fn give_back() {
    use std::cell::OnceCell;

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

/// Reserved stacks exist on Linux only.
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
    use std::ffi::c_void;
    use std::mem::MaybeUninit;

    /// Bytes below the stack pointer of an idle thread that stay committed. An ordinary operation needs less.
    const KEPT: usize = 1 << 20;
    /// The smallest distance between the stack pointer and the released pages. When the kernel delivers a signal, it writes below the
    /// stack pointer.
    const MIN_DISTANCE: usize = 256 * 1024;
    /// Bytes that show whether the stack was used down to them: a few levels of the recursion, of about 330 bytes each. They are read
    /// whenever the thread is about to wait, which takes 0.04 µs (measured).
    const MARK: usize = 1024;

    /// The part of a stack that ordinary operations do not use: from `low` up to `high`, in whole pages. Its uppermost bytes show whether
    /// any of it was used: each level of a recursion leaves an address that is not zero.
    pub struct Unused {
        low: usize,
        high: usize,
    }

    impl Unused {
        /// Returns `None` if the stack is too small, or if its bounds are unknown.
        pub fn of_this_thread() -> Option<Unused> {
            let page = page()?;
            let (low, size) = stack_of_this_thread()?;
            let here = stack_pointer();
            let high = here.checked_sub(KEPT)? / page * page;
            let low = low.div_ceil(page) * page;
            let is_inside = low + page < high && here < low + size;
            is_inside.then_some(Unused { low, high })
        }

        /// Releases the pages if they were used. To be called with a shallow stack.
        pub fn give_back(&self) {
            // Otherwise this call is deeper on the stack than the first one, and pages below it may be in use.
            if stack_pointer() >= self.high + MIN_DISTANCE {
                self.discard();
            }
        }

        fn discard(&self) {
            if !self.was_used() {
                return;
            }
            // SAFETY: these are whole pages, either of this thread's own stack, far below the stack pointer (`of_this_thread`), or of a
            // stack on which nothing runs (`Reserved`). So no frame is in them, and no other thread refers to them. They stay mapped, and
            // read as zeros. If the call fails, they stay as they are.
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
            // does nothing else meanwhile. The reads are volatile because the compiler does not know these bytes.
            (0..words).any(|word| unsafe { first.add(word).read_volatile() } != 0)
        }
    }

    /// A reserved stack, to which a thread can switch. It is address space: pages are committed when they are touched, and released
    /// when the thread has switched back.
    pub struct Reserved {
        base: *mut u8,
        size: usize,
        unused: Unused,
    }

    impl Reserved {
        /// Returns `None` if the system does not provide that much. The stack is never freed.
        pub fn new(size: usize) -> Option<Reserved> {
            let page = page()?;
            let size = size / page * page;
            let flags =
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
            let rights = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: this is a new mapping, at an address that the system chooses. Its lowest page is a guard: a stack overflow touches it,
            // which ends the process.
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

        /// Runs `work` on this stack. `work` must not panic, and must not call code that knows the bounds of the thread's own stack, such as
        /// JavaScript.
        pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
            // SAFETY: the stack is mapped, in whole pages, and never unmapped. Nothing else runs on it: it belongs to one thread (a raw
            // pointer is not `Send`), and `work` does not call this function.
            let result = unsafe { psm::on_stack(self.base, self.size, work) };
            self.unused.discard();
            result
        }
    }

    fn page() -> Option<usize> {
        // SAFETY: the call reads a constant of the system.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()
    }

    /// Returns about where the stack pointer is.
    fn stack_pointer() -> usize {
        let here = 0_u8;
        std::ptr::from_ref(std::hint::black_box(&here)) as usize
    }

    /// Returns the lowest address of the stack, and its size.
    fn stack_of_this_thread() -> Option<(usize, usize)> {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::zeroed();
        // SAFETY: `attributes` has room for the attributes of this thread, and is read only if the call has filled it.
        if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
            return None;
        }
        let (mut low, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: the attributes were filled above, and are destroyed once.
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

        /// Returns how many megabytes of the unused part are in memory.
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
        fn the_stack_of_a_deep_recursion_is_released() {
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
