//! Codecs as people call them, for those who have to set their encoder to another one.

use scuffle_flv::{audio::header::legacy::SoundFormat, video::header::legacy::VideoCodecId};

pub(super) fn legacy_video(codec: VideoCodecId) -> String {
    match codec {
        VideoCodecId::SorensonH263 => "Sorenson H.263".into(),
        VideoCodecId::ScreenVideo | VideoCodecId::ScreenVideoVersion2 => "Screen Video".into(),
        VideoCodecId::On2VP6 | VideoCodecId::On2VP6WithAlphaChannel => "On2 VP6".into(),
        // Not in the specification, but sent by encoders before Enhanced RTMP.
        VideoCodecId(12) => "HEVC without Enhanced RTMP".into(),
        VideoCodecId(13) => "AV1 without Enhanced RTMP".into(),
        VideoCodecId(other) => format!("of codec id {other}"),
    }
}

pub(super) fn legacy_audio(format: SoundFormat) -> String {
    match format {
        SoundFormat::LinearPcmPlatformEndian | SoundFormat::LinearPcmLittleEndian => "PCM".into(),
        SoundFormat::Adpcm => "ADPCM".into(),
        SoundFormat::Mp3 | SoundFormat::Mp38Khz => "MP3".into(),
        SoundFormat::G711ALaw | SoundFormat::G711MuLaw => "G.711".into(),
        SoundFormat::Speex => "Speex".into(),
        SoundFormat::Nellymoser
        | SoundFormat::Nellymoser8KhzMono
        | SoundFormat::Nellymoser16KhzMono => "Nellymoser".into(),
        SoundFormat(other) => format!("of format {other}"),
    }
}

pub(super) fn four_cc(four_cc: [u8; 4]) -> String {
    match &four_cc {
        b"vp08" => "VP8".into(),
        b"vvc1" => "VVC".into(),
        b"fLaC" => "FLAC".into(),
        b".mp3" => "MP3".into(),
        b"ac-3" => "AC-3".into(),
        b"ec-3" => "E-AC-3".into(),
        other => format!("of FourCC {}", other.escape_ascii()),
    }
}
