//! Silence, coded as a source's audio was.

use bytes::Bytes;
use thiserror::Error;
use weir_media::{
    codec::opus,
    framing::{AudioCodec, Frame},
    unit::{TIMESCALE, Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_model::RenditionId;

use crate::av::{AvError, SoundEncoder};

/// Units that are left out at the start, in which the encoder's run-up may be heard.
const RUN_UP: u32 = 3;
/// Enough for nothing.
const KBPS_PER_CHANNEL: u32 = 32;

/// Why there is no silence.
#[derive(Debug, Error)]
pub(super) enum SilenceError {
    #[error("it is no audio")]
    NoAudio,
    #[error("the channels are mapped in an unusual way")]
    Mapping,
    #[error(transparent)]
    Encoder(#[from] AvError),
}

/// A loop of so many units. The configuration is that of `like`, which decodes them as well.
pub(super) fn make(
    like: &TrackConfig,
    units: u32,
    rendition: RenditionId,
) -> Result<Vec<Frame>, SilenceError> {
    let (codec, rate, channels) = match like {
        // The core of HE-AAC is AAC-LC; a frame without an extension is one of the core alone.
        TrackConfig::Aac(aac) => (AudioCodec::Aac, aac.sample_rate, aac.channels),
        TrackConfig::Opus(head) if is_usual(&head.head, head.channels) => {
            (AudioCodec::Opus, opus::SAMPLE_RATE, head.channels)
        }
        TrackConfig::Opus(_) => return Err(SilenceError::Mapping),
        _ => return Err(SilenceError::NoAudio),
    };
    let kbps = KBPS_PER_CHANNEL * u32::from(channels);
    let mut encoder = SoundEncoder::open(codec, rate, channels, kbps)?;
    let samples = encoder.frame_samples();
    let silence = vec![0.0; samples];
    let frame = vec![silence.as_slice(); usize::from(channels)];
    let mut coded = Vec::new();
    for number in 0..i64::from(units + RUN_UP) {
        encoder.send(&frame, number * samples as i64)?;
        while let Some(one) = encoder.next_coded()? {
            coded.push(Bytes::copy_from_slice(one.bytes()));
        }
    }
    encoder.send_end()?;
    while let Some(one) = encoder.next_coded()? {
        coded.push(Bytes::copy_from_slice(one.bytes()));
    }

    let time_of = |number: u32| {
        let samples = i64::from(number) * samples as i64;
        Timestamp(samples * i64::from(TIMESCALE) / i64::from(rate))
    };
    let config = like.clone();
    let mut frames = vec![Frame::Config { rendition, config }];
    let after_run_up = coded.into_iter().skip(RUN_UP as usize);
    for (number, data) in (0..units).zip(after_run_up) {
        let at = time_of(number);
        let unit = Unit {
            kind: TrackKind::Audio,
            dts: at,
            pts: at,
            keyframe: true,
            data,
        };
        frames.push(Frame::Unit {
            rendition,
            cut: false,
            unit,
        });
    }
    let at = time_of(units);
    frames.push(Frame::Again { rendition, at });
    Ok(frames)
}

/// Whether an Opus stream maps its channels as libopus does (RFC 7845 section 5.1.1).
fn is_usual(head: &[u8], channels: u8) -> bool {
    const MAPPING_AT: usize = 19;
    /// Coupled streams and the mapping for each number of channels in family 1.
    const USUAL: [(u8, &[u8]); 8] = [
        (0, &[0]),
        (1, &[0, 1]),
        (1, &[0, 2, 1]),
        (2, &[0, 1, 2, 3]),
        (2, &[0, 4, 1, 2, 3]),
        (2, &[0, 4, 1, 2, 3, 5]),
        (2, &[0, 4, 1, 2, 3, 5, 6]),
        (3, &[0, 6, 1, 2, 3, 4, 5, 7]),
    ];
    let Some([streams, coupled, mapping @ ..]) = head.get(MAPPING_AT..) else {
        // Family 0 has no table.
        return channels <= 2;
    };
    let usual = USUAL.get(usize::from(channels).wrapping_sub(1));
    usual.is_some_and(|(usual_coupled, usual_mapping)| {
        coupled == usual_coupled && streams + coupled == channels && mapping == *usual_mapping
    })
}
