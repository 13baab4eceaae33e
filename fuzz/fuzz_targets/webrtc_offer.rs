//! Offers of WebRTC clients: what is left of one is an offer again, and has nothing in it that was
//! to be left out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_origin::webrtc::offer::{Offer, Purpose};

fuzz_target!(|text: &str| {
    for purpose in [Purpose::Publish, Purpose::Play] {
        let Ok(offer) = Offer::parse(text, purpose) else {
            continue;
        };
        assert!(!offer.sdp.contains("\r\na=candidate"));
        let again = Offer::parse(&offer.sdp, purpose);
        assert_eq!(again.map(|again| again.sdp), Ok(offer.sdp));
    }
});
