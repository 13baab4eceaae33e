//! Initialisation segments: `ftyp` and a `moov` without samples.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    boxes::{put_box, put_full_box, put_unity_matrix},
    sample_entry::put_sample_entry,
    timescale,
};
use crate::unit::{TIMESCALE, TrackConfig, TrackKind};

/// Track id of video, alone or muxed.
pub const VIDEO_TRACK: u32 = 1;
/// Track id of audio, alone or muxed.
pub const AUDIO_TRACK: u32 = 2;

/// The CMAF header of one track.
pub fn init_segment(track_id: u32, config: &TrackConfig) -> Bytes {
    // CMAF tracks promise one track per file and no edit lists where offsets are negative.
    write(
        &[*b"iso6", *b"cmfc", *b"cmf2", *b"mp41"],
        &[(track_id, config)],
    )
}

/// The header of video ([`VIDEO_TRACK`]) with its sound ([`AUDIO_TRACK`]), for chunks of both
/// that follow each other in one file.
pub fn init_segment_muxed(video: &TrackConfig, audio: Option<&TrackConfig>) -> Bytes {
    let mut tracks = vec![(VIDEO_TRACK, video)];
    tracks.extend(audio.map(|audio| (AUDIO_TRACK, audio)));
    write(&[*b"iso6", *b"mp41"], &tracks)
}

fn write(brands: &[[u8; 4]], tracks: &[(u32, &TrackConfig)]) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    put_box(&mut out, b"ftyp", |out| {
        out.put_slice(b"iso6");
        out.put_u32(0); // minor_version
        brands.iter().for_each(|brand| out.put_slice(brand));
    });
    put_box(&mut out, b"moov", |out| {
        let last_id = tracks.iter().map(|(id, _)| *id).max().unwrap_or_default();
        put_movie_header(out, last_id.saturating_add(1));
        for (id, config) in tracks {
            put_track(out, *id, config);
        }
        put_box(out, b"mvex", |out| {
            for (id, _) in tracks {
                put_track_extends(out, *id);
            }
        });
    });
    out.freeze()
}

fn put_movie_header(out: &mut BytesMut, next_track_id: u32) {
    put_full_box(out, b"mvhd", 0, 0, |out| {
        out.put_u32(0); // creation_time
        out.put_u32(0); // modification_time
        out.put_u32(TIMESCALE);
        out.put_u32(0); // duration: that of the fragments
        out.put_u32(0x1_0000); // rate 1.0
        out.put_u16(0x100); // volume 1.0
        out.put_bytes(0, 10); // reserved
        put_unity_matrix(out);
        out.put_bytes(0, 24); // pre_defined
        out.put_u32(next_track_id);
    });
}

/// Sample defaults stand in each `tfhd`, so that a chunk explains itself.
fn put_track_extends(out: &mut BytesMut, track_id: u32) {
    put_full_box(out, b"trex", 0, 0, |out| {
        out.put_u32(track_id);
        out.put_u32(1); // default_sample_description_index
        out.put_u32(0); // default_sample_duration
        out.put_u32(0); // default_sample_size
        out.put_u32(0); // default_sample_flags
    });
}

fn put_track(out: &mut BytesMut, track_id: u32, config: &TrackConfig) {
    put_box(out, b"trak", |out| {
        put_track_header(out, track_id, config);
        put_box(out, b"mdia", |out| {
            put_media_header(out, timescale(config));
            put_handler(out, config.kind());
            put_box(out, b"minf", |out| {
                put_media_information(out, config.kind());
                put_sample_table(out, config);
            });
        });
    });
}

fn put_track_header(out: &mut BytesMut, track_id: u32, config: &TrackConfig) {
    const ENABLED_IN_MOVIE: u32 = 3;
    let (width, height, volume, alternate_group) = match config.picture() {
        Some(picture) => (picture.display_width(), picture.height, 0, 0),
        None => (0, 0, 0x100, 1),
    };
    put_full_box(out, b"tkhd", 0, ENABLED_IN_MOVIE, |out| {
        out.put_u32(0); // creation_time
        out.put_u32(0); // modification_time
        out.put_u32(track_id);
        out.put_u32(0); // reserved
        out.put_u32(0); // duration
        out.put_bytes(0, 8); // reserved
        out.put_u16(0); // layer
        out.put_u16(alternate_group);
        out.put_u16(volume);
        out.put_u16(0); // reserved
        put_unity_matrix(out);
        // 16.16 fixed point, which ends at 65,535.
        out.put_u32(width.min(0xffff) << 16);
        out.put_u32(height.min(0xffff) << 16);
    });
}

fn put_media_header(out: &mut BytesMut, timescale: u32) {
    const UNDETERMINED: u16 = 0x55c4; // "und" in packed ISO 639-2/T
    put_full_box(out, b"mdhd", 0, 0, |out| {
        out.put_u32(0); // creation_time
        out.put_u32(0); // modification_time
        out.put_u32(timescale);
        out.put_u32(0); // duration
        out.put_u16(UNDETERMINED);
        out.put_u16(0); // pre_defined
    });
}

fn put_handler(out: &mut BytesMut, kind: TrackKind) {
    let (handler_type, name) = match kind {
        TrackKind::Video => (b"vide", &b"video\0"[..]),
        TrackKind::Audio => (b"soun", &b"audio\0"[..]),
    };
    put_full_box(out, b"hdlr", 0, 0, |out| {
        out.put_u32(0); // pre_defined
        out.put_slice(handler_type);
        out.put_bytes(0, 12); // reserved
        out.put_slice(name);
    });
}

fn put_media_information(out: &mut BytesMut, kind: TrackKind) {
    match kind {
        // graphicsmode and opcolor; the flag is fixed by section 12.1.2.
        TrackKind::Video => put_full_box(out, b"vmhd", 0, 1, |out| out.put_bytes(0, 8)),
        // balance and reserved.
        TrackKind::Audio => put_full_box(out, b"smhd", 0, 0, |out| out.put_u32(0)),
    }
    put_box(out, b"dinf", |out| {
        put_full_box(out, b"dref", 0, 0, |out| {
            out.put_u32(1); // entry_count
            const SAME_FILE: u32 = 1;
            put_full_box(out, b"url ", 0, SAME_FILE, |_| {});
        });
    });
}

fn put_sample_table(out: &mut BytesMut, config: &TrackConfig) {
    put_box(out, b"stbl", |out| {
        put_full_box(out, b"stsd", 0, 0, |out| {
            out.put_u32(1); // entry_count
            put_sample_entry(out, config);
        });
        // Samples are in the fragments: every table here is there, and empty.
        put_full_box(out, b"stts", 0, 0, |out| out.put_u32(0));
        put_full_box(out, b"stsc", 0, 0, |out| out.put_u32(0));
        put_full_box(out, b"stsz", 0, 0, |out| out.put_u64(0));
        put_full_box(out, b"stco", 0, 0, |out| out.put_u32(0));
    });
}
