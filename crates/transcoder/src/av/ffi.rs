//! What libav takes and tells only through its structs, where ffmpeg-next has no words for it. The
//! only module of this crate that is unsafe.
#![allow(unsafe_code)]

use std::ptr;

use ffmpeg_next::{
    codec::Context,
    ffi::{AV_INPUT_BUFFER_PADDING_SIZE, av_mallocz},
};

/// Longest configuration of a decoder, in bytes.
const MAX_EXTRADATA: usize = 1 << 16;

/// Gives a context that is not open yet what its decoder is to begin with. `false` if it is too
/// long or there is no memory.
pub(super) fn set_extradata(context: &mut Context, bytes: &[u8]) -> bool {
    if bytes.len() > MAX_EXTRADATA {
        return false;
    }
    let padded = bytes.len() + AV_INPUT_BUFFER_PADDING_SIZE as usize;
    // SAFETY: av_mallocz gives `padded` zeroed bytes or null, of which the first `bytes.len()` are
    // written. The context takes them over and frees them with itself, as `avcodec_free_context`
    // says; it had none, as it was made without parameters and this is called once.
    unsafe {
        let context = context.as_mut_ptr();
        debug_assert!((*context).extradata.is_null());
        let copy = av_mallocz(padded).cast::<u8>();
        if copy.is_null() {
            return false;
        }
        ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        (*context).extradata = copy;
        (*context).extradata_size = bytes.len() as i32;
    }
    true
}

/// Samples by which an open audio encoder's output begins before its input.
pub(super) fn initial_padding(context: &Context) -> u32 {
    // SAFETY: the context lives as long as the borrow, and the field is a plain integer.
    let padding = unsafe { (*context.as_ptr()).initial_padding };
    u32::try_from(padding).unwrap_or(0)
}
