//! Pictures of any size and sampling to those that a rung encodes.

use ffmpeg_next::{color, format::Pixel, frame, software::scaling};

use super::{AvError, Picture, PictureFormat, decode::Colour};
use crate::size::RungSize;

/// Scales each picture from the decoded one; docs/decisions/0007 says why not from the rung above.
pub(super) struct Scaler {
    context: scaling::Context,
    scaled: frame::Video,
}

impl Scaler {
    /// What all encoders take.
    pub(super) const PIXEL: Pixel = Pixel::YUV420P;

    pub(super) fn new(source: PictureFormat, to: RungSize) -> Result<Self, AvError> {
        let context = scaling::Context::get(
            source.pixel,
            source.size.width,
            source.size.height,
            Self::PIXEL,
            to.width,
            to.height,
            scaling::Flags::BICUBIC,
        )?;
        Ok(Self {
            context,
            scaled: frame::Video::empty(),
        })
    }

    pub(super) fn run(&mut self, picture: &Picture) -> Result<&mut frame::Video, AvError> {
        self.context.run(&picture.frame, &mut self.scaled)?;
        self.scaled.set_pts(picture.frame.pts());
        Ok(&mut self.scaled)
    }

    /// What the samples of scaled pictures mean. Only the range can change: swscale makes studio
    /// range of those formats whose name says full range, and leaves the values of others alone.
    pub(super) fn colour(source: PictureFormat) -> Colour {
        let full_range_by_name = [
            Pixel::YUVJ411P,
            Pixel::YUVJ420P,
            Pixel::YUVJ422P,
            Pixel::YUVJ440P,
            Pixel::YUVJ444P,
        ];
        let range = match (
            full_range_by_name.contains(&source.pixel),
            source.colour.range,
        ) {
            (true, _) | (_, color::Range::Unspecified) => color::Range::MPEG,
            (false, range) => range,
        };
        Colour {
            range,
            ..source.colour
        }
    }
}
