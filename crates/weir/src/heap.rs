//! The one call to the C library: how many heaps the process keeps.

#![allow(unsafe_code)]

/// Has all threads take their memory from one heap. Media is taken in by one thread and freed by
/// another, and with a heap for each thread what is freed stays there: 6 MB more for a single
/// stream, and no less CPU (bench/README.md). To be called before there is a second thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn share() {
    // SAFETY: mallopt takes two integers by value, and no other thread runs yet that could be
    // inside the allocator.
    let taken = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    debug_assert_eq!(taken, 1, "glibc knows M_ARENA_MAX since 2.10");
}

/// Other C libraries have one heap, or none that can be told.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn share() {}
