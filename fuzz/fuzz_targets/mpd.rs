//! The player's reader of DASH manifests, what it lists of them, and the boxes they point to.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_player_wasm::{
    boxes,
    mpd::{Listing, Moment, Mpd},
    playlist::MAX_SEGMENTS,
    timeline::Timeline,
};

fuzz_target!(|input: (u64, &[u8])| {
    let (now_ms, bytes) = input;
    let index = boxes::index(bytes);
    boxes::codecs(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(mpd) = Mpd::parse(text, "http://h/v/manifest.mpd") else {
        return;
    };
    let _ = mpd.needs_clock();
    let Ok(offer) = mpd.offer() else {
        return;
    };
    let mut timeline = Timeline::default();
    for choice in &offer.choices {
        for now_ms in [now_ms as f64, now_ms as f64 + 2000.0] {
            let known = [&timeline];
            let moment = Moment {
                now_ms,
                indexes: &[],
                known: &known,
            };
            let listing = mpd.listing(choice, moment);
            // What names an index gets one, of whatever it says.
            let indexes = match (&listing, &index) {
                (Listing::WantsIndex(url), Some(index)) => vec![(url.clone(), index.clone())],
                _ => Vec::new(),
            };
            let moment = Moment {
                indexes: &indexes,
                ..moment
            };
            if let Listing::Segments { playlist, .. } = mpd.listing(choice, moment) {
                assert!(playlist.segments.len() <= MAX_SEGMENTS);
                timeline.update(*playlist);
            }
        }
    }
});
