//! One audio rendition of a ladder.
//!
//! An encoder has a run-up: what comes out of it first is from before the first sample that went
//! in. Units are dated so that every sample is heard when it was in the source, and so that the
//! first one begins with the source's first sample: what the encoder makes before is left out, and
//! where its run-up is no whole number of units, silence fills it up.

use bytes::{BufMut, Bytes, BytesMut};
use tracing::info;
use weir_media::{
    codec::{AacConfig, OpusConfig},
    framing::{AudioCodec, Frame, SoundRung},
    unit::{TIMESCALE, Timestamp, TrackConfig, TrackKind, Unit},
};

use super::{LadderError, Output, Stopped, emit};
use crate::{
    av::{AvError, Resampler, Sound, SoundEncoder, SoundFormat},
    choose::OpenSoundError,
};

/// Samples a second of every rung.
const RATE: u32 = 48_000;

/// One audio rendition.
pub(super) struct Rung {
    rung: SoundRung,
    output: Output,
    coding: Option<Coding>,
    /// The configuration that was told last.
    told: Option<TrackConfig>,
}

/// What makes units of one run of samples. Times are in samples of the rung, from the first one of
/// the run.
struct Coding {
    began: Timestamp,
    resampler: Resampler,
    encoder: SoundEncoder,
    /// Of each channel, what the encoder has not got yet.
    waiting: Vec<Vec<f32>>,
    /// The time of the first one of them.
    next: i64,
}

impl Rung {
    pub(super) fn new(rung: SoundRung, output: &Output) -> Self {
        Self {
            rung,
            output: output.clone(),
            coding: None,
            told: None,
        }
    }

    /// Samples follow, the first one heard at `at`.
    pub(super) fn begin(&mut self, at: Timestamp, from: SoundFormat) -> Result<(), Stopped> {
        let channels = channels(self.rung.codec, from.channels());
        let coding = Coding::open(&self.rung, at, from, channels)
            .map_err(|cause| LadderError::OpenSound(self.impossible(cause)))?;
        let config = config(self.rung.codec, channels, coding.encoder.padding());
        let rendition = self.rung.id;
        info!(%rendition, rate = from.rate, channels, pts = at.0, "audio rung begins");
        self.coding = Some(coding);
        if let Some(config) = config.filter(|config| self.told.as_ref() != Some(config)) {
            self.told = Some(config.clone());
            emit(&self.output, Frame::Config { rendition, config })?;
        }
        Ok(())
    }

    /// Takes the samples that follow.
    pub(super) fn push(&mut self, sound: &Sound) -> Result<(), Stopped> {
        let Some(coding) = &mut self.coding else {
            return Ok(());
        };
        let made = coding.push(sound);
        self.tell(made)
    }

    /// No sample follows on the last one.
    pub(super) fn finish(&mut self) -> Result<(), Stopped> {
        let Some(coding) = self.coding.take() else {
            return Ok(());
        };
        self.tell(coding.finish())
    }

    fn tell(&self, made: Result<Vec<Unit>, AvError>) -> Result<(), Stopped> {
        let rendition = self.rung.id;
        let units = made.map_err(|cause| LadderError::Encode { rendition, cause })?;
        units.into_iter().try_for_each(|unit| {
            let frame = Frame::Unit {
                rendition,
                cut: false,
                unit,
            };
            emit(&self.output, frame)
        })
    }

    fn impossible(&self, cause: AvError) -> OpenSoundError {
        OpenSoundError {
            rendition: self.rung.id,
            encoder: SoundEncoder::name(self.rung.codec),
            cause,
        }
    }
}

impl Coding {
    fn open(
        rung: &SoundRung,
        began: Timestamp,
        from: SoundFormat,
        channels: u8,
    ) -> Result<Self, AvError> {
        let resampler = Resampler::open(from, rung.codec, channels, RATE)?;
        let encoder = SoundEncoder::open(rung.codec, RATE, channels, rung.bitrate_kbps)?;
        let frame = encoder.frame_samples();
        let filled_up = (frame - encoder.padding() as usize % frame) % frame;
        Ok(Self {
            began,
            resampler,
            encoder,
            waiting: vec![vec![0.0; filled_up]; usize::from(channels)],
            next: -(filled_up as i64),
        })
    }

    fn push(&mut self, sound: &Sound) -> Result<Vec<Unit>, AvError> {
        self.resampler.run(sound, &mut self.waiting)?;
        let mut made = Vec::new();
        self.encode(&mut made)?;
        Ok(made)
    }

    fn finish(mut self) -> Result<Vec<Unit>, AvError> {
        self.resampler.finish(&mut self.waiting)?;
        let mut made = Vec::new();
        self.encode(&mut made)?;
        let rest = self.waiting[0].len();
        if rest > 0 {
            self.send(rest)?;
        }
        self.encoder.send_end()?;
        self.take_coded(&mut made)?;
        Ok(made)
    }

    fn encode(&mut self, made: &mut Vec<Unit>) -> Result<(), AvError> {
        let frame = self.encoder.frame_samples();
        while self.waiting[0].len() >= frame {
            self.send(frame)?;
            self.take_coded(made)?;
        }
        Ok(())
    }

    /// Gives the encoder so many of the samples that wait.
    fn send(&mut self, samples: usize) -> Result<(), AvError> {
        let channels: Vec<_> = self.waiting.iter().map(|all| &all[..samples]).collect();
        self.encoder.send(&channels, self.next)?;
        self.next += samples as i64;
        for channel in &mut self.waiting {
            channel.drain(..samples);
        }
        Ok(())
    }

    fn take_coded(&mut self, made: &mut Vec<Unit>) -> Result<(), AvError> {
        while let Some(coded) = self.encoder.next_coded()? {
            // Neither what is before the first sample nor what is after the last one.
            if !(0..self.next).contains(&coded.pts) {
                continue;
            }
            let ticks = coded.pts * i64::from(TIMESCALE) / i64::from(RATE);
            let at = Timestamp(self.began.0.saturating_add(ticks));
            made.push(Unit {
                kind: TrackKind::Audio,
                dts: at,
                pts: at,
                keyframe: true,
                data: Bytes::copy_from_slice(coded.bytes()),
            });
        }
        Ok(())
    }
}

/// Into how many channels a source's become. WebRTC, which Opus is for, has two.
fn channels(codec: AudioCodec, source: u8) -> u8 {
    let most = match codec {
        AudioCodec::Aac => 6,
        AudioCodec::Opus => 2,
    };
    source.clamp(1, most)
}

/// What a decoder of a rung begins with.
fn config(codec: AudioCodec, channels: u8, padding: u32) -> Option<TrackConfig> {
    match codec {
        AudioCodec::Aac => {
            // AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1): AAC-LC at 48 kHz.
            const AAC_LC: u16 = 2;
            const INDEX_OF_48_KHZ: u16 = 3;
            let asc = AAC_LC << 11 | INDEX_OF_48_KHZ << 7 | u16::from(channels) << 3;
            let asc = Bytes::copy_from_slice(&asc.to_be_bytes());
            AacConfig::parse(asc).ok().map(TrackConfig::Aac)
        }
        AudioCodec::Opus => {
            // Identification header (RFC 7845 section 5.1): no gain, mapping family 0.
            let mut head = BytesMut::from(&b"OpusHead\x01"[..]);
            head.put_u8(channels);
            head.put_u16_le(u16::try_from(padding).unwrap_or(u16::MAX));
            head.put_u32_le(RATE);
            head.put_slice(&[0; 3]);
            OpusConfig::parse(head.freeze()).ok().map(TrackConfig::Opus)
        }
    }
}
