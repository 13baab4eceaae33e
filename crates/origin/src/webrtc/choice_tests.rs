use bytes::Bytes;
use weir_media::codec::{AvcConfig, OpusConfig};

use super::*;

fn video(name: &str, profile: u8, height: u32, reorders: bool) -> Track {
    Track {
        rendition: name.parse().unwrap(),
        config: TrackConfig::Avc(AvcConfig {
            record: Bytes::copy_from_slice(&[1, profile, 0, 31]),
            width: height * 16 / 9,
            height,
            pixel_aspect: None,
            frame_rate: None,
            colour: None,
        }),
        reorders,
    }
}

fn opus(name: &str) -> Track {
    let head = b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00";
    Track {
        rendition: name.parse().unwrap(),
        config: TrackConfig::Opus(OpusConfig::parse(Bytes::from_static(head)).unwrap()),
        reorders: false,
    }
}

fn payloads(profiles: &[(u8, Profile)]) -> Vec<Payload> {
    let payload = |&(pt, profile): &(u8, Profile)| Payload {
        pt: pt.into(),
        profile,
    };
    profiles.iter().map(payload).collect()
}

#[test]
fn the_source_is_played_unless_it_is_reordered() {
    let all = payloads(&[(96, Profile::Baseline), (97, Profile::High)]);
    let check = |tracks: &[Track], expected: Option<(&str, u8)>| {
        let found = pictures(tracks, &all);
        let found = found.as_ref().map(|p| (p.rendition.as_str(), *p.pt));
        assert_eq!(found, expected, "{tracks:?}");
    };
    let rungs = [
        video("1080p", 100, 1080, false),
        video("480p", 100, 480, false),
    ];
    let with = |source: Track| [&rungs[..], &[source]].concat();
    check(
        &with(video("source", 100, 2160, false)),
        Some(("source", 97)),
    );
    check(
        &with(video("source", 66, 2160, false)),
        Some(("source", 96)),
    );
    check(&with(video("source", 100, 1440, true)), Some(("480p", 97)));
    check(&[video("source", 100, 720, true)], None);
    check(&[video("source", 244, 720, false)], None);
    check(&[], None);
}

#[test]
fn what_the_offer_covers_comes_first_but_is_no_must() {
    let plain = payloads(&[(96, Profile::Baseline)]);
    let tracks = [
        video("source", 100, 720, false),
        video("360p", 66, 360, false),
    ];
    let found = pictures(&tracks, &plain).unwrap();
    assert_eq!(found.rendition.as_str(), "360p");
    let found = pictures(&tracks[..1], &plain).unwrap();
    assert_eq!(found.rendition.as_str(), "source");
}

#[test]
fn sound_is_opus_or_none() {
    let aac = Track {
        config: video("audio", 66, 1, false).config,
        ..opus("audio")
    };
    let name = |tracks: &[Track]| sound(tracks).map(|id| id.to_string());
    assert_eq!(name(&[opus("audio")]).as_deref(), Some("audio"));
    assert_eq!(
        name(&[aac.clone(), opus("audio-opus")]).as_deref(),
        Some("audio-opus")
    );
    assert_eq!(name(&[aac]), None);
}

#[test]
fn says_what_stands_in_the_way() {
    let high = payloads(&[(97, Profile::High)]);
    let reordered = [video("source", 100, 720, true), opus("audio")];
    let sounding = [opus("audio")];
    assert_eq!(check(&[], Some(&high), true), Err(Unplayable::Nothing));
    assert_eq!(
        check(&reordered, Some(&high), true),
        Err(Unplayable::Pictures)
    );
    assert_eq!(check(&reordered, None, true), Ok(()));
    assert_eq!(check(&sounding, Some(&high), true), Ok(()));
    assert_eq!(
        check(&sounding, Some(&high), false),
        Err(Unplayable::Offer("sound, which may not be Opus"))
    );
}
