//! The player's playlist readers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_player_wasm::{
    boxes,
    playlist::{MediaPlaylist, Multivariant},
};

fuzz_target!(|bytes: &[u8]| {
    boxes::timescale(bytes);
    boxes::decode_time(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(playlist) = MediaPlaylist::parse(text) {
            assert!(playlist.segments.len() <= text.len());
        }
        let _ = Multivariant::parse(text);
    }
});
