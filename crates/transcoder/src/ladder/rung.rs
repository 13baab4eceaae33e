//! One rendition of a ladder.

use tracing::info;
use weir_media::{
    codec::FrameRate,
    framing::{Frame, LadderRung, RungState},
    unit::{Timestamp, TrackConfig, TrackKind, Unit},
};

use super::{
    LadderError, Output, Stopped, emit,
    queues::{Decoded, Queues, Work},
};
use crate::{
    av::{Encoder, PictureFormat},
    bitstream, choose,
    pace::Pace,
    rate::Thinning,
    size::rung_size,
};

/// More pictures a second than this take the bitrate for fast sources.
const FAST: f64 = 40.0;

/// One rendition.
pub(super) struct Rung {
    rung: LadderRung,
    output: Output,
    encoder: Option<RungEncoder>,
    /// The configuration that was told last.
    told: Option<TrackConfig>,
}

/// An encoder, and what it was made for. Pictures of another format need another.
struct RungEncoder {
    format: PictureFormat,
    source_rate: FrameRate,
    bitrate_kbps: u32,
    encoder: Encoder,
    thinning: Thinning,
    pace: Pace,
}

impl Rung {
    pub(super) fn new(rung: LadderRung, output: Output) -> Self {
        Self {
            rung,
            output,
            encoder: None,
            told: None,
        }
    }

    /// Makes the rung of whatever the queues bring for it.
    pub(super) fn run(mut self, index: usize, queues: &Queues) -> Result<(), Stopped> {
        loop {
            match queues.next(index) {
                Work::Picture { decoded, returns } => {
                    if returns {
                        self.tell(RungState::Made, decoded.pts)?;
                    }
                    self.push(&decoded)?;
                }
                Work::Shed(at) => {
                    // Another encoder, told the same, writes the same configuration.
                    self.encoder = None;
                    self.tell(RungState::Shed, at)?;
                }
                Work::End => return self.finish(),
            }
        }
    }

    fn tell(&self, state: RungState, at: Timestamp) -> Result<(), Stopped> {
        let rendition = self.rung.id;
        info!(%rendition, ?state, pts = at.0, "rung changed");
        let frame = Frame::Rung {
            rendition,
            state,
            at,
        };
        emit(&self.output, frame)
    }

    fn push(&mut self, decoded: &Decoded) -> Result<(), Stopped> {
        let rendition = self.rung.id;
        let format = decoded.picture.format();
        let fits =
            |made: &RungEncoder| made.format == format && made.source_rate == decoded.frame_rate;
        let ends_gop = |made: &RungEncoder| decoded.idr && !made.encoder.places_idr();
        if self
            .encoder
            .as_ref()
            .is_none_or(|made| !fits(made) || ends_gop(made))
        {
            self.finish()?;
            self.encoder = Some(self.open(format, decoded.frame_rate)?);
        }
        let Some(made) = &mut self.encoder else {
            return Ok(());
        };
        if !made.thinning.keeps(decoded.pts, decoded.idr) {
            return Ok(());
        }
        made.pace.note(decoded.pts);
        if decoded.idr {
            let nominal = made.thinning.rate();
            if let Some(kbps) = made.pace.corrected_kbps(made.bitrate_kbps, nominal) {
                made.encoder.set_bitrate(kbps);
            }
        }
        made.encoder
            .send(&decoded.picture, decoded.idr)
            .map_err(|cause| LadderError::Encode { rendition, cause })?;
        self.take_coded()
    }

    fn open(
        &self,
        format: PictureFormat,
        source_rate: FrameRate,
    ) -> Result<RungEncoder, LadderError> {
        let rendition = self.rung.id;
        let size = rung_size(format.size, self.rung.height);
        let thinning = Thinning::new(source_rate, self.rung.height);
        let rate = thinning.rate();
        let bitrate_kbps = match rate.as_f64() > FAST {
            true => self.rung.fast_bitrate_kbps,
            false => self.rung.bitrate_kbps,
        };
        let (encoder_name, encoder) = choose::open(&self.rung, format, size, bitrate_kbps, rate)
            .map(|(choice, encoder)| (choice.name(), encoder))
            .map_err(|cause| LadderError::OpenEncoder { rendition, cause })?;
        info!(
            %rendition, encoder = encoder_name, width = size.width, height = size.height,
            rate = rate.as_f64(), bitrate_kbps, "rung opened"
        );
        Ok(RungEncoder {
            format,
            source_rate,
            bitrate_kbps,
            encoder,
            thinning,
            pace: Pace::default(),
        })
    }

    fn finish(&mut self) -> Result<(), Stopped> {
        let rendition = self.rung.id;
        if let Some(made) = &mut self.encoder {
            made.encoder
                .send_end()
                .map_err(|cause| LadderError::Encode { rendition, cause })?;
            self.take_coded()?;
            self.encoder = None;
        }
        Ok(())
    }

    fn take_coded(&mut self) -> Result<(), Stopped> {
        let rendition = self.rung.id;
        let Some(made) = &mut self.encoder else {
            return Ok(());
        };
        while let Some(coded) = made
            .encoder
            .next_coded()
            .map_err(|cause| LadderError::Encode { rendition, cause })?
        {
            let packaged = bitstream::from_encoder(self.rung.codec, coded.bytes())
                .map_err(|cause| LadderError::Config { rendition, cause })?;
            if let Some(config) = packaged
                .config
                .filter(|config| self.told.as_ref() != Some(config))
            {
                self.told = Some(config.clone());
                emit(&self.output, Frame::Config { rendition, config })?;
            }
            let Some(pts) = coded.pts else { continue };
            let unit = Unit {
                kind: TrackKind::Video,
                // Without B-frames a picture is shown as soon as it is decoded.
                dts: pts,
                pts,
                keyframe: coded.keyframe,
                data: packaged.data,
            };
            let frame = Frame::Unit {
                rendition,
                cut: false,
                unit,
            };
            emit(&self.output, frame)?;
        }
        Ok(())
    }
}
