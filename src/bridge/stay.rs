//! Keeps the library loaded until the process ends.
//!
//! Node.js unloads an addon when the last environment that has loaded it ends: a worker thread, say, where the main
//! thread does not use it. But the threads of `runtime` go on, and what the allocator has put down to be called when a
//! thread ends is called then: all of it is code of this library.

/// Called when the library is loaded.
#[cfg(unix)]
#[napi_derive::module_init]
fn stay() {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;

    let mut found = MaybeUninit::<libc::Dl_info>::zeroed();
    let here = stay as fn() as *const c_void;
    // SAFETY: `here` is an address in this library, and `found` has room for what is found of it.
    if unsafe { libc::dladdr(here, found.as_mut_ptr()) } == 0 {
        return;
    }
    // SAFETY: zeroed it is a value already, and `dladdr` has filled it in.
    let name = unsafe { found.assume_init() }.dli_fname;
    if !name.is_null() {
        // SAFETY: `name` is that of a loaded library, this one, and lives as long as it does. It is opened once more,
        // which starts nothing, and never closed.
        unsafe { libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NODELETE) };
    }
}
