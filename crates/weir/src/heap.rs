//! The calls to the C library: how its heap is kept.

#![allow(unsafe_code)]

use std::{io, thread, time::Duration};

/// Bodies from this size on, in bytes, are taken from the system and given back to it one by one.
/// glibc would raise its own bound to the size of what it sees, up to 32 MB, keep segments among all
/// else, and grow with the holes between them: by 5 MB in 20 minutes of a single stream, where so it
/// holds still (docs/soak.md).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OF_THEIR_OWN: libc::c_int = 64 * 1024;

/// How often the heap is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// Bytes that may lie free in it for longer than that.
const MAY_LIE_FREE: usize = 4 << 20;

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

/// From now on gives back to the system what the heap does not use. What thousands of connections
/// took lies there otherwise until the process ends, as glibc gives back nothing but the end of its
/// heap. A thread of its own does it, and not before a whole look has passed without use for it: the
/// allocator stands still meanwhile, for milliseconds. An error is that of starting the thread.
pub(crate) fn keep_trimmed() -> io::Result<()> {
    let looking = || {
        let mut before = 0;
        loop {
            thread::sleep(LOOK);
            let free = lies_free();
            if before.min(free) > MAY_LIE_FREE {
                give_back();
            }
            before = free;
        }
    };
    let heap = thread::Builder::new().name("heap".to_owned());
    heap.spawn(looking).map(drop)
}

/// Bytes of the heap that are in no use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn lies_free() -> usize {
    // SAFETY: mallinfo2 takes nothing and gives integers. It must not run beside mallopt, which is
    // not called any more once there are threads.
    unsafe { libc::mallinfo2() }.fordblks
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // SAFETY: malloc_trim takes an integer by value and may be called by any thread at any time.
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries have one heap, or none that can be told.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn share() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn lies_free() -> usize {
    0
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
