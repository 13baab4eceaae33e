use std::io::Cursor;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::codec::{AacConfig, Av1Config, AvcConfig, HevcConfig, OpusConfig, Vp9Config, samples};

fn video() -> TrackConfig {
    TrackConfig::Avc(AvcConfig::parse(Bytes::from_static(samples::X264_720P)).unwrap())
}

fn audio() -> TrackConfig {
    TrackConfig::Aac(AacConfig::parse(Bytes::from_static(samples::AAC_48K_STEREO)).unwrap())
}

/// One of each codec.
fn configs() -> Vec<TrackConfig> {
    let bytes = Bytes::from_static;
    vec![
        video(),
        TrackConfig::Hevc(HevcConfig::parse(bytes(samples::X265_480P_ANAMORPHIC)).unwrap()),
        TrackConfig::Av1(Av1Config::parse(bytes(samples::AOM_1080P_HDR)).unwrap()),
        TrackConfig::Vp9(Vp9Config::parse(bytes(samples::VPX_480P), 854, 480).unwrap()),
        audio(),
        TrackConfig::Opus(OpusConfig::parse(bytes(samples::OPUS_STEREO)).unwrap()),
        TrackConfig::Opus(OpusConfig::parse(bytes(samples::OPUS_SURROUND)).unwrap()),
    ]
}

fn sample(duration: u32, composition_offset: i32, keyframe: bool, len: usize) -> Sample {
    Sample {
        duration,
        composition_offset,
        keyframe,
        data: Bytes::from(vec![0x5a; len]),
    }
}

/// A segment's first third of a second, as a camera at 30 frames a second gives it.
fn first_part() -> Vec<Sample> {
    (0..10)
        .map(|i| sample(3000, 3000 * (i % 3), i == 0, 4000 + 10 * i as usize))
        .collect()
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let duration = prop_oneof![3 => Just(3000u32), 1 => any::<u32>()];
    let offset = prop_oneof![2 => Just(0i32), 1 => any::<i32>()];
    let data = prop::collection::vec(any::<u8>(), 0..200);
    (duration, offset, any::<bool>(), data).prop_map(
        |(duration, composition_offset, keyframe, data)| Sample {
            duration,
            composition_offset,
            keyframe,
            data: Bytes::from(data),
        },
    )
}

proptest! {
    #[test]
    fn chunks_are_read_back(
        sequence: u32,
        track_id in 1u32..3,
        base_media_decode_time: u64,
        samples in prop::collection::vec(any_sample(), 0..20),
    ) {
        let written = chunk(sequence, track_id, base_media_decode_time, &samples);
        let read = read::fragments(&written).unwrap();
        let expected = read::Fragment { sequence, track_id, base_media_decode_time, samples };
        prop_assert_eq!(read, [expected]);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, subtract: u64) {
        let bytes = Bytes::from(bytes);
        let _ = read::fragments(&bytes);
        let _ = read::tracks(&bytes);
        let _ = rebase(&mut BytesMut::from(&bytes[..]), subtract);
    }

    /// Damage in every byte of a real file; random bytes seldom look like boxes.
    #[test]
    fn damaged_files_are_read_or_refused(at: prop::sample::Index, value: u8, cut: prop::sample::Index) {
        let mut file: Vec<u8> = configs().iter().flat_map(|config| init_segment(1, config)).collect();
        file.extend(chunk(1, VIDEO_TRACK, 0, &[sample(3000, 0, true, 9), sample(3000, 1, false, 7)]));
        let at = at.index(file.len());
        file[at] = value;
        file.truncate(cut.index(file.len()) + 1);
        let file = Bytes::from(file);
        if let Ok(fragments) = read::fragments(&file) {
            let total: usize = fragments.iter().map(|fragment| fragment.samples.len()).sum();
            prop_assert!(total <= file.len());
        }
        let _ = read::tracks(&file);
        let _ = rebase(&mut BytesMut::from(&file[..]), 1);
    }
}

#[test]
fn tracks_are_read_back() {
    let track = |track_id, config: TrackConfig| read::Track {
        track_id,
        timescale: timescale(&config),
        config,
    };
    for config in configs() {
        let read = read::tracks(&init_segment(7, &config)).unwrap();
        assert_eq!(read, [track(7, config)]);
    }
    let read = read::tracks(&init_segment_muxed(&video(), Some(&audio()))).unwrap();
    assert_eq!(
        read,
        [track(VIDEO_TRACK, video()), track(AUDIO_TRACK, audio())]
    );
}

/// The `mp4` crate as an independent reader of every box. It doesn't follow data offsets.
#[test]
fn another_reader_finds_the_same_fields() {
    let mut file = init_segment_muxed(&video(), Some(&audio())).to_vec();
    let frames = first_part();
    let sound: Vec<_> = (0..16).map(|i| sample(1024, 0, true, 300 + i)).collect();
    file.extend(chunk(1, VIDEO_TRACK, 900_000, &frames));
    file.extend(chunk(2, AUDIO_TRACK, 0, &sound));
    let size = file.len() as u64;
    let reader = mp4::Mp4Reader::read_header(Cursor::new(file), size).unwrap();

    let track = &reader.tracks()[&VIDEO_TRACK];
    assert_eq!(
        (track.width(), track.height(), track.timescale()),
        (1280, 720, 90_000)
    );
    assert_eq!(track.media_type().unwrap(), mp4::MediaType::H264);
    let TrackConfig::Avc(avc) = video() else {
        panic!("video is AVC")
    };
    let sets: Vec<_> = avc.parameter_sets().collect();
    assert_eq!(track.sequence_parameter_set().unwrap(), sets[0]);
    assert_eq!(track.picture_parameter_set().unwrap(), sets[1]);
    let track = &reader.tracks()[&AUDIO_TRACK];
    assert_eq!(
        track.audio_profile().unwrap(),
        mp4::AudioObjectType::AacLowComplexity
    );
    assert_eq!(track.sample_freq_index().unwrap().freq(), 48_000);
    assert_eq!(track.channel_config().unwrap(), mp4::ChannelConfig::Stereo);

    let first = &reader.moofs[0].trafs[0];
    assert_eq!(
        (first.tfhd.track_id, first.tfhd.default_sample_duration),
        (VIDEO_TRACK, Some(3000))
    );
    assert_eq!(first.tfdt.as_ref().unwrap().base_media_decode_time, 900_000);
    let run = first.trun.as_ref().unwrap();
    assert_eq!(run.sample_count as usize, frames.len());
    assert_eq!(
        run.sample_sizes,
        frames
            .iter()
            .map(|s| s.data.len() as u32)
            .collect::<Vec<_>>()
    );
    let offsets: Vec<_> = frames.iter().map(|s| s.composition_offset as u32).collect();
    assert_eq!(run.sample_cts, offsets);
    assert_eq!(run.first_sample_flags, Some(0x200_0000));
    assert_eq!(first.tfhd.default_sample_flags, Some(0x101_0000));
    let second = &reader.moofs[1].trafs[0];
    assert_eq!(
        (second.tfhd.track_id, second.tfhd.default_sample_duration),
        (AUDIO_TRACK, Some(1024))
    );
    let run = second.trun.as_ref().unwrap();
    assert_eq!(
        run.sample_sizes,
        sound
            .iter()
            .map(|s| s.data.len() as u32)
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_chunk_costs_little_beside_its_samples() {
    let overhead = |samples: &[Sample]| {
        let payload: usize = samples.iter().map(|sample| sample.data.len()).sum();
        chunk(1, VIDEO_TRACK, 0, samples).len() - payload
    };
    // 200 ms of AAC at 48 kHz, each frame of its own size.
    let sound: Vec<_> = (0..9).map(|i| sample(1024, 0, true, 340 + i)).collect();
    assert_eq!(overhead(&sound), 140);
    // 200 ms of video with B-frames, beginning with an IDR.
    assert_eq!(overhead(&first_part()[..6]), 156);
}

#[test]
fn rebased_chunks_begin_earlier_and_are_else_the_same() {
    let samples = first_part();
    let segment = [
        chunk(7, 1, 900_000, &samples),
        chunk(8, 1, 930_000, &samples),
    ]
    .concat();
    let mut moved = BytesMut::from(&segment[..]);
    rebase(&mut moved, 900_000).unwrap();
    let expected = [chunk(7, 1, 0, &samples), chunk(8, 1, 30_000, &samples)].concat();
    assert_eq!(moved, expected);
    assert_eq!(
        rebase(&mut moved, 1),
        Err(InvalidRebase::BeforeOrigin {
            decode_time: 0,
            subtract: 1
        })
    );
    assert_eq!(rebase(&mut moved[..100], 0), Err(InvalidRebase::Box(0)));
}

/// What Media Source Extensions' byte stream format asks of a media segment.
#[test]
fn chunks_are_addressed_from_their_moof_and_say_their_time() {
    let written = chunk(1, VIDEO_TRACK, 5, &first_part());
    let names: Vec<_> = read::boxes(&written)
        .map(|found| found.unwrap().name)
        .collect();
    assert_eq!(names, [*b"moof", *b"mdat"]);
    let moof = read::boxes(&written).next().unwrap().unwrap().content;
    let traf = read::boxes(&moof).nth(1).unwrap().unwrap().content;
    let in_traf: Vec<_> = read::boxes(&traf).map(Result::unwrap).collect();
    assert_eq!(
        in_traf.iter().map(|b| b.name).collect::<Vec<_>>(),
        [*b"tfhd", *b"tfdt", *b"trun"]
    );
    assert_eq!(in_traf[0].content[1] & 2, 2, "default-base-is-moof");
    assert_eq!(in_traf[1].content[0], 1, "64-bit decode time");
    assert_eq!(in_traf[2].content[0], 1, "signed composition offsets");
}
