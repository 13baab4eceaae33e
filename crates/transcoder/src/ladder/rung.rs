//! One rendition of a ladder.

use tracing::info;
use weir_media::{
    codec::{AvcConfig, FrameRate, annexb},
    framing::{Frame, LadderRung},
    unit::{TrackConfig, TrackKind, Unit},
};

use super::LadderError;
use crate::{
    av::{Encoder, EncoderOptions, Picture, PictureFormat},
    pace::Pace,
    size::rung_size,
};

/// One rendition.
pub(super) struct Rung {
    rung: LadderRung,
    encoder: Option<RungEncoder>,
    /// The configuration that was told last.
    told: Option<AvcConfig>,
}

/// An encoder, and what it was made for. Pictures of another format need another.
struct RungEncoder {
    format: PictureFormat,
    frame_rate: FrameRate,
    encoder: Encoder,
}

impl Rung {
    pub(super) fn new(rung: LadderRung) -> Self {
        Self {
            rung,
            encoder: None,
            told: None,
        }
    }

    pub(super) fn push(
        &mut self,
        picture: &mut Picture,
        idr: bool,
        frame_rate: FrameRate,
        out: &mut Vec<Frame>,
    ) -> Result<(), LadderError> {
        let rendition = self.rung.id;
        let format = picture.format();
        if self
            .encoder
            .as_ref()
            .is_none_or(|made| made.format != format)
        {
            self.finish(out)?;
            let encoder = self.open(format, frame_rate)?;
            self.encoder = Some(RungEncoder {
                format,
                frame_rate,
                encoder,
            });
        }
        let Some(RungEncoder { encoder, .. }) = &mut self.encoder else {
            return Ok(());
        };
        encoder
            .send(picture, idr)
            .map_err(|cause| LadderError::Encode { rendition, cause })?;
        self.take_coded(out)
    }

    fn open(&self, format: PictureFormat, frame_rate: FrameRate) -> Result<Encoder, LadderError> {
        let rendition = self.rung.id;
        let size = rung_size(format.size, self.rung.height);
        let bitrate_kbps = self.rung.bitrate_kbps;
        info!(%rendition, width = size.width, height = size.height, bitrate_kbps, "rung opened");
        Encoder::open(
            format,
            EncoderOptions {
                size,
                bitrate_kbps,
                frame_rate,
            },
        )
        .map_err(|cause| LadderError::OpenEncoder { rendition, cause })
    }

    pub(super) fn correct_bitrate(&mut self, pace: &Pace) {
        let Some(RungEncoder {
            frame_rate,
            encoder,
            ..
        }) = &mut self.encoder
        else {
            return;
        };
        if let Some(kbps) = pace.corrected_kbps(self.rung.bitrate_kbps, *frame_rate) {
            encoder.set_bitrate(kbps);
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), LadderError> {
        let rendition = self.rung.id;
        let Some(RungEncoder { encoder, .. }) = &mut self.encoder else {
            return Ok(());
        };
        encoder
            .send_end()
            .map_err(|cause| LadderError::Encode { rendition, cause })?;
        self.take_coded(out)?;
        self.encoder = None;
        Ok(())
    }

    fn take_coded(&mut self, out: &mut Vec<Frame>) -> Result<(), LadderError> {
        let rendition = self.rung.id;
        let Some(RungEncoder { encoder, .. }) = &mut self.encoder else {
            return Ok(());
        };
        while let Some(coded) = encoder
            .next_coded()
            .map_err(|cause| LadderError::Encode { rendition, cause })?
        {
            let encoded = annexb::to_length_prefixed(coded.bytes())
                .map_err(|cause| LadderError::Config { rendition, cause })?;
            if let Some(config) = encoded
                .config
                .filter(|config| self.told.as_ref() != Some(config))
            {
                self.told = Some(config.clone());
                out.push(Frame::Config {
                    rendition,
                    config: TrackConfig::Avc(config),
                });
            }
            let Some(pts) = coded.pts else { continue };
            let unit = Unit {
                kind: TrackKind::Video,
                // Without B-frames a picture is shown as soon as it is decoded.
                dts: pts,
                pts,
                keyframe: coded.keyframe,
                data: encoded.data,
            };
            out.push(Frame::Unit {
                rendition,
                cut: false,
                unit,
            });
        }
        Ok(())
    }
}
