//! Sound that the transcoder makes: AAC of Opus, Opus of AAC.

use weir_media::{
    framing::{AudioCodec, SoundRung},
    live::LiveConfig,
    track::{FromTrack, TrackIndex, TrackLabel},
    unit::{Media, TrackKind},
};

use crate::{
    encoder::Encoder,
    trouble::{all_renditions_have_the_same_segments, gaps, play},
    world::{Event, World, rung},
};

fn world(with_rung: bool) -> World {
    World::with(LiveConfig {
        ladder: with_rung.then(rung).into_iter().collect(),
        sound: SoundRung::standard(),
        ..LiveConfig::default()
    })
}

fn opus() -> Encoder {
    Encoder {
        opus: true,
        ..Encoder::default()
    }
}

#[test]
fn opus_is_listed_as_aac_too() {
    let mut world = world(true);
    play(&mut world, &opus(), None, 10);
    assert_eq!(world.transcoders().len(), 1);
    let codecs: Vec<_> = world.transcoders()[0]
        .job
        .sound
        .iter()
        .map(|r| r.codec)
        .collect();
    assert_eq!(codecs, [AudioCodec::Aac]);
    let made = world.records("audio-aac");
    assert!(made.len() >= 3);
    assert_eq!(gaps(&made), Vec::<u64>::new());
    for (made, heard) in made.iter().zip(world.records("audio")) {
        assert_eq!(
            (made.msn, made.discontinuity),
            (heard.msn, heard.discontinuity)
        );
        assert!(
            made.start.abs_diff(heard.start) < 2048,
            "{made:?} of {heard:?}"
        );
    }
    let irregular: u64 = world
        .live
        .status()
        .renditions
        .iter()
        .map(|r| r.irregular_parts)
        .sum();
    assert_eq!(irregular, 0);

    let playlist = world.live.multivariant(None).unwrap();
    let lines: Vec<_> = playlist
        .lines()
        .filter(|line| line.contains("udio"))
        .collect();
    let groups: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="))
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!(groups, ["\"audio-aac\"", "\"audio\""]);
    let of = |codec: &str, group: &str| {
        let variants = playlist.lines().filter(|line| {
            line.contains(&format!(",{codec}\"")) && line.ends_with(&format!("AUDIO=\"{group}\""))
        });
        variants.count()
    };
    assert_eq!((of("mp4a.40.2", "audio-aac"), of("Opus", "audio")), (2, 2));
    let first = playlist.find("AUDIO=\"audio-aac\"").unwrap();
    assert!(first < playlist.find("AUDIO=\"audio\"").unwrap());
}

/// Players find the same track in the other group by its name and language.
#[test]
fn what_is_made_is_called_like_what_it_is_made_of() {
    let mut world = world(false);
    world.schedule(0, Event::Publish);
    let label = FromTrack::Label {
        kind: TrackKind::Audio,
        index: TrackIndex::LEAD,
        label: TrackLabel::new(Some("en"), Some("Original")),
    };
    world.schedule(0, Event::PushTrack(label));
    let sent = opus().run(0, 8, &mut world.number);
    world.schedule_all(sent);
    world.run_for(8000);
    let playlist = world.live.multivariant(None).unwrap();
    for group in ["audio-aac", "audio"] {
        let line = format!("GROUP-ID=\"{group}\",NAME=\"Original\",LANGUAGE=\"en\",DEFAULT=YES");
        assert!(playlist.contains(&line), "{playlist}");
    }
}

#[test]
fn a_transcoder_that_dies_leaves_a_hole_in_what_it_makes_alone() {
    let mut world = world(false);
    let second = play(&mut world, &opus(), None, 7);
    world.schedule(0, Event::KillTranscoder);
    play(&mut world, &opus(), Some(second), 9);
    assert_eq!(world.transcoders().len(), 2);
    let missing = gaps(&world.records("audio-aac"));
    assert_eq!(missing, [3]);
    for name in ["source", "audio"] {
        assert_eq!(gaps(&world.records(name)), Vec::<u64>::new(), "{name}");
    }
    assert_eq!(world.live.status().repairs.audio_resyncs, 0);
    all_renditions_have_the_same_segments(&world);
}

#[test]
fn aac_becomes_opus_for_the_tap_alone() {
    let mut world = world(false);
    let second = play(&mut world, &Encoder::default(), None, 5);
    assert!(world.tapped.is_empty());
    world.live.tap(true);
    play(&mut world, &Encoder::default(), Some(second), 5);
    let tapped = |name: &str| {
        let units = world.tapped.iter().filter(|(rendition, media)| {
            rendition.as_str() == name && matches!(media, Media::Unit(_))
        });
        units.count()
    };
    assert!(tapped("audio-opus") > 200 && tapped("source") > 140);
    let status = world.live.status();
    let packaged: Vec<_> = status
        .renditions
        .iter()
        .map(|r| r.rendition.as_str())
        .collect();
    assert_eq!(packaged, ["source", "audio"]);
    assert!(!world.live.multivariant(None).unwrap().contains("opus"));
    // A 720p source needs no transcoder for its pictures.
    assert!(world.transcoders()[0].source.is_none());
}

#[test]
fn sound_alone_is_made_too() {
    let mut world = world(true);
    let encoder = Encoder {
        has_video: false,
        ..opus()
    };
    play(&mut world, &encoder, None, 10);
    assert_eq!(world.transcoders().len(), 1);
    let made = world.records("audio-aac");
    assert!(made.len() >= 3);
    assert_eq!(gaps(&made), Vec::<u64>::new());
    let playlist = world.live.multivariant(None).unwrap();
    let listed: Vec<_> = playlist
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(listed, ["audio-aac/index.m3u8", "audio/index.m3u8"]);
}

#[test]
fn without_a_rung_of_sound_nothing_is_made() {
    let mut world = World::new(vec![rung()]);
    play(&mut world, &opus(), None, 5);
    assert_eq!(world.records("audio-aac").len(), 0);
    assert!(world.transcoders()[0].job.sound.is_empty());
}

/// Sound that comes after the pictures have begun, or changes its codec, is made from the next
/// segment on, by another transcoder.
#[test]
fn sound_that_comes_late_is_made_from_the_next_segment_on() {
    let mut world = world(true);
    let silent = Encoder {
        audio_rate: None,
        ..Encoder::default()
    };
    let second = play(&mut world, &silent, None, 5);
    assert!(world.transcoders()[0].job.sound.is_empty());
    let config = opus().configs().remove(1);
    world.schedule(0, Event::Push(Media::Config(config)));
    play(&mut world, &opus(), Some(second), 8);
    assert_eq!(world.transcoders().len(), 2);
    let present = |name: &str| world.records(name).iter().filter(|r| !r.gap).count();
    assert!(present("audio-aac") >= 2 && present("audio") >= 3);
    // The rung of pictures goes on from one transcoder to the other.
    assert_eq!(gaps(&world.records("480p")), Vec::<u64>::new());
    all_renditions_have_the_same_segments(&world);
}
