use proptest::prelude::*;

use super::*;

/// As a browser makes it, shortened.
const OFFER: &str = "v=0\r\n\
    o=- 1 2 IN IP4 127.0.0.1\r\n\
    s=-\r\n\
    t=0 0\r\n\
    a=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9\r\n\
    a=ice-ufrag:abcd\r\n\
    a=candidate:1 1 udp 2113937151 f00.local 50000 typ host\r\n\
    a=mid:0\r\n\
    a=sendrecv\r\n\
    a=rtpmap:111 opus/48000/2\r\n\
    a=fmtp:111 minptime=10;useinbandfec=1\r\n\
    a=rtpmap:63 red/48000/2\r\n\
    a=rtpmap:9 G722/8000\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104\r\n\
    a=ice-ufrag:abcd\r\n\
    a=mid:1\r\n\
    a=rtpmap:96 VP8/90000\r\n\
    a=rtcp-fb:96 nack\r\n\
    a=rtpmap:97 rtx/90000\r\n\
    a=fmtp:97 apt=96\r\n\
    a=rtpmap:102 H264/90000\r\n\
    a=rtcp-fb:102 nack pli\r\n\
    a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
    a=rtpmap:103 rtx/90000\r\n\
    a=fmtp:103 apt=102\r\n\
    a=rtpmap:104 H264/90000\r\n\
    a=fmtp:104 packetization-mode=0;profile-level-id=42001f\r\n\
    a=rid:h send\r\n\
    a=simulcast:send h\r\n";

#[test]
fn leaves_what_is_taken() {
    let offer = Offer::parse(OFFER, Purpose::Publish).unwrap();
    assert_eq!(offer.ufrag, "abcd");
    assert_eq!(offer.mids, ["0", "1"]);
    let lines: Vec<_> = offer.sdp.lines().collect();
    for line in [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=video 9 UDP/TLS/RTP/SAVPF 102 103",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:102 nack pli",
        "a=fmtp:103 apt=102",
        "a=group:BUNDLE 0 1",
    ] {
        assert!(lines.contains(&line), "{line}");
    }
    for part in [
        "VP8",
        "red",
        "G722",
        "candidate",
        "rid",
        "simulcast",
        "mode=0",
    ] {
        assert!(!offer.sdp.contains(part), "{part}");
    }
    assert_eq!(
        lines.iter().filter(|line| **line == "a=sendonly").count(),
        2
    );
    assert_eq!(offer.codecs, ["G722", "H264", "VP8", "opus", "red", "rtx"]);
    let playing = Offer::parse(OFFER, Purpose::Play).unwrap();
    assert_eq!(playing.sdp.matches("a=recvonly\r\n").count(), 2);
}

#[test]
fn a_second_section_of_a_kind_is_refused() {
    let video = &OFFER[OFFER.find("m=video").unwrap()..];
    let offer = Offer::parse(&format!("{OFFER}{video}"), Purpose::Publish).unwrap();
    let sections: Vec<_> = offer
        .sdp
        .lines()
        .filter(|l| l.starts_with("m=video"))
        .collect();
    assert_eq!(
        sections,
        [
            "m=video 9 UDP/TLS/RTP/SAVPF 102 103",
            "m=video 9 UDP/TLS/RTP/SAVPF 96"
        ]
    );
}

#[test]
fn tells_what_is_wrong() {
    let check = |sdp: &str, expected: InvalidOffer| {
        assert_eq!(Offer::parse(sdp, Purpose::Publish), Err(expected), "{sdp}");
    };
    check("", InvalidOffer::NoDescription);
    check("hello", InvalidOffer::NoDescription);
    check("v=0\r\nhello\r\n", InvalidOffer::Line(2));
    check("v=0\r\ns=-\r\n", InvalidOffer::NoMedia);
    check("v=0\r\nm=video 9\r\n", InvalidOffer::NoIce);
    check(
        "v=0\r\na=ice-ufrag:a\r\nm=video 9\r\n",
        InvalidOffer::Section("m=video 9".to_owned()),
    );
    let many = format!("v=0\r\na=ice-ufrag:a\r\n{}", "m=video 9 A 1\r\n".repeat(17));
    check(&many, InvalidOffer::TooManySections);
}

proptest! {
    #[test]
    fn any_text_is_an_offer_or_refused(text in "(v=0\r\n)?([a-z]=[ -~]{0,20}\r?\n?){0,20}") {
        let _ = Offer::parse(&text, Purpose::Play);
    }

    #[test]
    fn what_is_left_is_an_offer_again(cut in 0..OFFER.len()) {
        if let Ok(offer) = Offer::parse(&OFFER[..cut], Purpose::Play) {
            let again = Offer::parse(&offer.sdp, Purpose::Play).unwrap();
            prop_assert_eq!(again.sdp, offer.sdp);
        }
    }
}
