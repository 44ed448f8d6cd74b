//! The functions of libuv, the event loop of Node.js, that `event_loop` needs. They watch the descriptor of tokio's runtime, and call back
//! before the loop waits. They are looked up at run time. If any is missing, the event loop does not drive the runtime.

use std::ffi::{c_int, c_void};

use napi::bindgen_prelude::*;
use tokio::runtime::Runtime;

pub type OnReadable = unsafe extern "C" fn(*mut c_void, c_int, c_int);
pub type OnPrepare = unsafe extern "C" fn(*mut c_void);

#[cfg(target_os = "linux")]
pub use linux::{Handles, is_main_thread};

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Handles, is_main_thread};

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::*;

    pub struct Handles;

    impl Handles {
        pub fn new(_: &Env, _: &Runtime, _: (OnReadable, OnPrepare, fn())) -> Option<Handles> {
            None
        }

        pub fn start(&self) -> bool {
            false
        }

        pub fn stop(&self) {}
    }

    pub fn is_main_thread() -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::Cell;
    use std::ffi::{CStr, c_char};
    use std::fs;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::OnceLock;

    use napi::sys;
    use tokio::net;

    use super::*;

    /// Constants of uv.h, which are part of its ABI.
    const READABLE: c_int = 1;
    const POLL: c_int = 8;
    const PREPARE: c_int = 9;

    type OnClosed = unsafe extern "C" fn(*mut c_void);

    struct Uv {
        handle_size: unsafe extern "C" fn(c_int) -> usize,
        poll_init: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
        poll_start: unsafe extern "C" fn(*mut c_void, c_int, OnReadable) -> c_int,
        poll_stop: unsafe extern "C" fn(*mut c_void) -> c_int,
        prepare_init: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        prepare_start: unsafe extern "C" fn(*mut c_void, OnPrepare) -> c_int,
        prepare_stop: unsafe extern "C" fn(*mut c_void) -> c_int,
        unref: unsafe extern "C" fn(*mut c_void),
        close: unsafe extern "C" fn(*mut c_void, OnClosed),
        set_data: unsafe extern "C" fn(*mut c_void, *mut c_void),
        get_data: unsafe extern "C" fn(*const c_void) -> *mut c_void,
    }

    fn uv() -> Option<&'static Uv> {
        static UV: OnceLock<Option<Uv>> = OnceLock::new();

        /// # Safety
        ///
        /// `T` must be the type of the function of this name.
        unsafe fn find<T: Copy>(name: &CStr) -> Option<T> {
            const { assert!(size_of::<T>() == size_of::<*mut c_void>()) };
            // SAFETY: the call looks up a name, which is a C string.
            let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr().cast::<c_char>()) };
            // SAFETY: this is a pointer to a C function, whose type the caller guarantees.
            (!found.is_null()).then(|| unsafe { std::mem::transmute_copy(&found) })
        }

        let find_all = || {
            // SAFETY: the functions and their types are those of uv.h.
            unsafe {
                Some(Uv {
                    handle_size: find(c"uv_handle_size")?,
                    poll_init: find(c"uv_poll_init")?,
                    poll_start: find(c"uv_poll_start")?,
                    poll_stop: find(c"uv_poll_stop")?,
                    prepare_init: find(c"uv_prepare_init")?,
                    prepare_start: find(c"uv_prepare_start")?,
                    prepare_stop: find(c"uv_prepare_stop")?,
                    unref: find(c"uv_unref")?,
                    close: find(c"uv_close")?,
                    set_data: find(c"uv_handle_set_data")?,
                    get_data: find(c"uv_handle_get_data")?,
                })
            }
        };
        UV.get_or_init(find_all).as_ref()
    }

    /// Handles on the event loop. They do not keep it alive, and are closed with the environment.
    pub struct Handles {
        uv: &'static Uv,
        poll: *mut c_void,
        prepare: *mut c_void,
        callbacks: (OnReadable, OnPrepare),
    }

    impl Handles {
        /// Creates the handles. The callbacks run when the descriptor is readable, before the loop waits, and when the environment ends.
        /// After that the handles must not be used.
        pub fn new(
            env: &Env,
            runtime: &Runtime,
            (on_readable, on_prepare, on_end): (OnReadable, OnPrepare, fn()),
        ) -> Option<Handles> {
            let uv = uv()?;
            let descriptor = epoll(runtime)?;
            let event_loop = env.get_uv_event_loop().ok()?.cast::<c_void>();
            // SAFETY: the handles have the size that libuv reports, and belong to the loop of this thread. They are freed when they are
            // closed, or if they were never added to the loop.
            unsafe {
                let poll = libc::calloc(1, (uv.handle_size)(POLL));
                let prepare = libc::calloc(1, (uv.handle_size)(PREPARE));
                if poll.is_null()
                    || prepare.is_null()
                    || (uv.poll_init)(event_loop, poll, descriptor) != 0
                {
                    libc::free(poll);
                    libc::free(prepare);
                    return None;
                }
                // This always succeeds.
                (uv.prepare_init)(event_loop, prepare);
                (uv.unref)(poll);
                (uv.unref)(prepare);
                let ending = Box::into_raw(Box::new(Ending {
                    handles: [poll, prepare],
                    left: Cell::new(2),
                    hook: Cell::new(std::ptr::null_mut()),
                    on_end,
                }));
                for handle in [poll, prepare] {
                    (uv.set_data)(handle, ending.cast());
                }
                let mut hook = std::ptr::null_mut();
                let status = sys::napi_add_async_cleanup_hook(
                    env.raw(),
                    Some(end),
                    ending.cast(),
                    &mut hook,
                );
                if status != sys::Status::napi_ok {
                    // The environment is ending already.
                    end(std::ptr::null_mut(), ending.cast());
                    return None;
                }
                Some(Handles {
                    uv,
                    poll,
                    prepare,
                    callbacks: (on_readable, on_prepare),
                })
            }
        }

        /// Starts both callbacks. Returns `false` if the loop cannot watch the descriptor.
        pub fn start(&self) -> bool {
            // SAFETY: the handles are live, and this is their thread.
            unsafe {
                (self.uv.prepare_start)(self.prepare, self.callbacks.1);
                (self.uv.poll_start)(self.poll, READABLE, self.callbacks.0) == 0
            }
        }

        pub fn stop(&self) {
            // SAFETY: as in `start`.
            unsafe {
                (self.uv.poll_stop)(self.poll);
                (self.uv.prepare_stop)(self.prepare);
            }
        }
    }

    /// Closes the handles when the environment ends. Node.js waits until both are closed.
    struct Ending {
        handles: [*mut c_void; 2],
        left: Cell<usize>,
        hook: Cell<sys::napi_async_cleanup_hook_handle>,
        on_end: fn(),
    }

    unsafe extern "C" fn end(hook: sys::napi_async_cleanup_hook_handle, ending: *mut c_void) {
        let Some(uv) = uv() else { return };
        // SAFETY: `Handles::new` has made `ending`, which lives until both handles are closed.
        unsafe {
            let ending = &*ending.cast::<Ending>();
            ending.hook.set(hook);
            (ending.on_end)();
            for handle in ending.handles {
                (uv.close)(handle, closed);
            }
        }
    }

    unsafe extern "C" fn closed(handle: *mut c_void) {
        let Some(uv) = uv() else { return };
        // SAFETY: libuv no longer uses the handle. `ending` is freed with the last one.
        unsafe {
            let ending = (uv.get_data)(handle).cast::<Ending>();
            libc::free(handle);
            let left = (*ending).left.get() - 1;
            (*ending).left.set(left);
            if left > 0 {
                return;
            }
            let ending = Box::from_raw(ending);
            if !ending.hook.get().is_null() {
                sys::napi_remove_async_cleanup_hook(ending.hook.get());
            }
        }
    }

    pub fn is_main_thread() -> bool {
        // SAFETY: both calls return numbers.
        unsafe { libc::gettid() == libc::getpid() }
    }

    fn inode(socket: &UnixStream) -> Option<u64> {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
        let number = link.to_str()?.strip_prefix("socket:[")?;
        number.strip_suffix(']')?.parse().ok()
    }

    /// Returns the epoll descriptor of a runtime. tokio has no API for it, so this registers a socket with the runtime, and looks for the
    /// descriptor that watches it. The kernel lists what an epoll descriptor watches (man 5 proc_pid_fdinfo).
    fn epoll(runtime: &Runtime) -> Option<c_int> {
        let (ours, _other) = UnixStream::pair().ok()?;
        ours.set_nonblocking(true).ok()?;
        let number = ours.as_raw_fd().to_string();
        // The number alone is not enough: it may have belonged to a file that was closed.
        let inode = format!("ino:{:x}", inode(&ours)?);
        let _within = runtime.enter();
        let _watched = net::UnixStream::from_std(ours).ok()?;
        let watches = |entry: &fs::DirEntry| {
            let info = fs::read_to_string(entry.path()).unwrap_or_default();
            let mut all = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
            all.any(|rest| {
                let mut words = rest.split_whitespace();
                words.next() == Some(&number) && words.any(|word| word == inode)
            })
        };
        let mut all = fs::read_dir("/proc/self/fdinfo").ok()?.flatten();
        all.find(watches)?.file_name().to_str()?.parse().ok()
    }
}
