//! What the standard library would bring to WebAssembly at a quarter of the module's size: a heap, and an
//! end for panics.
//!
//! Blocks are powers of two, and each size has a list of those that were given back. What a player
//! holds comes and goes alike, so that a block is soon taken again as it is: nothing is split or
//! joined, both ways take constant time, and the memory is bounded by the most that each size ever
//! took at once.

#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size, unreachable};
use core::cell::Cell;
use core::panic::PanicInfo;
use core::ptr;

const PAGE: usize = 64 << 10;
/// The smallest block, and what every block is aligned to.
const LEAST: usize = 16;

#[global_allocator]
static HEAP: Heap = Heap {
    given_back: [const { Cell::new(ptr::null_mut()) }; 33],
    untouched: Cell::new(0),
};

struct Heap {
    /// By the logarithm of their size; each free block begins with the address of the next.
    given_back: [Cell<*mut u8>; 33],
    /// Where memory begins that was never taken; 0 before the first block.
    untouched: Cell<usize>,
}

// SAFETY: this target has one thread.
unsafe impl Sync for Heap {}

fn size_log2(layout: Layout) -> u32 {
    (layout.size().max(LEAST) - 1).ilog2() + 1
}

impl Heap {
    /// A block from memory that was never taken, or null if there is none.
    fn extend(&self, size: usize) -> *mut u8 {
        let end_of_memory = memory_size::<0>() * PAGE;
        let start = match self.untouched.get() {
            0 => end_of_memory,
            untouched => untouched,
        };
        let Some(end) = start.checked_add(size) else {
            return ptr::null_mut();
        };
        let missing = end.saturating_sub(end_of_memory).div_ceil(PAGE);
        if missing > 0 && memory_grow::<0>(missing) == usize::MAX {
            return ptr::null_mut();
        }
        self.untouched.set(end);
        ptr::with_exposed_provenance_mut(start)
    }
}

// SAFETY: a block is on a list or in somebody's hands, never both; it is as long as its size says, and
// aligned to `LEAST`, which no type here exceeds.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let log2 = size_log2(layout);
        let first = &self.given_back[log2 as usize];
        let block = first.get();
        if block.is_null() {
            return self.extend(1 << log2);
        }
        // SAFETY: a free block begins with the address of the next.
        first.set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let first = &self.given_back[size_log2(layout) as usize];
        // SAFETY: nobody has this block any longer, and it holds at least an address.
        unsafe { block.cast::<*mut u8>().write(first.get()) };
        first.set(block);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller has checked the size.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if size_log2(new) == size_log2(layout) {
            return block;
        }
        // SAFETY: both blocks hold what is copied, and they are two.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// The page sees a trap. Nobody would read a message, and without one none is in the module.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unreachable()
}
