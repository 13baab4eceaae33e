use super::*;
use crate::webrtc::offer::Purpose;

/// As FFmpeg 9 makes it.
const OFFER: &str = "v=0\r\n\
    o=FFmpeg 4489045141692799359 2 IN IP4 127.0.0.1\r\n\
    s=FFmpegPublishSession\r\n\
    t=0 0\r\n\
    a=group:BUNDLE 0 1\r\n\
    a=extmap-allow-mixed\r\n\
    a=msid-semantic: WMS\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
    c=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:19a18305\r\n\
    a=ice-pwd:8de435a8fdd5da3024fc160286acd5b6\r\n\
    a=fingerprint:sha-256 C2:13:D2:A3:6E:82:22:A7:47:8D:09:22:CE:8F:CA:56:E5:AA:3C:5C:2F:B6:D9:FB:6A:2A:78:88:76:78:62:45\r\n\
    a=setup:passive\r\n\
    a=mid:0\r\n\
    a=sendonly\r\n\
    a=msid:FFmpeg audio\r\n\
    a=rtcp-mux\r\n\
    a=rtpmap:111 opus/48000/2\r\n\
    a=ssrc:2439510692 cname:FFmpeg\r\n\
    a=ssrc:2439510692 msid:FFmpeg audio\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 106 105\r\n\
    c=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:19a18305\r\n\
    a=ice-pwd:8de435a8fdd5da3024fc160286acd5b6\r\n\
    a=fingerprint:sha-256 C2:13:D2:A3:6E:82:22:A7:47:8D:09:22:CE:8F:CA:56:E5:AA:3C:5C:2F:B6:D9:FB:6A:2A:78:88:76:78:62:45\r\n\
    a=setup:passive\r\n\
    a=mid:1\r\n\
    a=sendonly\r\n\
    a=msid:FFmpeg video\r\n\
    a=rtcp-mux\r\n\
    a=rtcp-rsize\r\n\
    a=rtpmap:106 H264/90000\r\n\
    a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001e\r\n\
    a=rtcp-fb:106 nack\r\n\
    a=rtpmap:105 rtx/90000\r\n\
    a=fmtp:105 apt=106\r\n\
    a=ssrc-group:FID 2439510693 2439510694\r\n\
    a=ssrc:2439510693 cname:FFmpeg\r\n\
    a=ssrc:2439510693 msid:FFmpeg video\r\n";

fn answer(offer: &str) -> Result<(Peer, Answer), Unanswerable> {
    let offer = Offer::parse(offer, Purpose::Publish)?;
    let address = ([127, 0, 0, 1], 8189).into();
    Peer::answer(&offer, &[address], Instant::now())
}

#[test]
fn an_encoders_offer_is_answered_with_both_protocols() {
    let (peer, answer) = answer(OFFER).map_err(|error| error.to_string()).unwrap();
    for kind in [MediaKind::Video, MediaKind::Audio] {
        assert!(peer.section(kind, Direction::is_receiving).is_some());
        assert!(peer.section(kind, Direction::is_sending).is_none());
    }
    for part in [
        "a=ice-lite",
        "a=setup:active",
        "a=recvonly",
        "a=rtpmap:106 H264/90000",
        "127.0.0.1 8189 typ host tcptype passive",
        &format!("a=ice-ufrag:{}", answer.ufrag),
    ] {
        assert!(answer.sdp.contains(part), "{part} in {}", answer.sdp);
    }
    assert!(answer.sdp.contains(" udp ") && answer.sdp.contains(" tcp "));
}

#[test]
fn what_is_not_taken_is_named() {
    let offer = OFFER.replace("H264", "H265").replace("opus", "speex");
    let Err(error) = answer(&offer) else {
        panic!("nothing in it can be taken");
    };
    assert!(matches!(&error, Unanswerable::NoCodec(names) if names == "H265, rtx, speex"));
    let offer = OFFER.replace("profile-level-id=42001e", "profile-level-id=f4001e");
    let (peer, _) = answer(&offer).map_err(|error| error.to_string()).unwrap();
    assert!(
        peer.section(MediaKind::Video, Direction::is_receiving)
            .is_none()
    );
    assert!(
        peer.section(MediaKind::Audio, Direction::is_receiving)
            .is_some()
    );
}

#[test]
fn a_client_that_never_comes_is_given_up() {
    let (mut peer, _) = answer(OFFER).map_err(|error| error.to_string()).unwrap();
    let start = peer.opened;
    let mut steps = 0;
    while peer.over().is_none() {
        let next = peer.poll_timeout();
        assert!(next <= start + HANDSHAKE);
        peer.handle_timeout(next);
        steps += 1;
        assert!(steps < 1000, "it spins");
    }
    assert_eq!(peer.over(), Some(&Over::NotConnected));
}
