//! The one call to the C library: how its heap is kept.

#![allow(unsafe_code)]

/// Bodies from this size on, in bytes, are taken from the system and given back to it one by one.
/// glibc would raise its own bound to the size of what it sees, up to 32 MB, keep segments among all
/// else, and grow with the holes between them: by 5 MB in 20 minutes of a single stream, where so it
/// holds still (docs/soak.md).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OF_THEIR_OWN: libc::c_int = 64 * 1024;

/// Has all threads take their memory from one heap, and large bodies from none. Media is taken in by
/// one thread and freed by another, and with a heap for each thread what is freed stays there: 6 MB
/// more for a single stream, and no less CPU (bench/README.md). To be called before there is a second
/// thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn share() {
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_THRESHOLD, OF_THEIR_OWN),
    ] {
        // SAFETY: mallopt takes two integers by value, and no other thread runs yet that could be
        // inside the allocator.
        let taken = unsafe { libc::mallopt(parameter, value) };
        debug_assert_eq!(taken, 1, "glibc knows these parameters since 2.10");
    }
}

/// Other C libraries have one heap, or none that can be told.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn share() {}
