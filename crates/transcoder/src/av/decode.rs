//! H.264 units to pictures.

use bytes::Bytes;
use ffmpeg_next::{
    self as ffmpeg, Dictionary, Packet, Rational,
    codec::{self, threading},
    color, decoder,
    format::Pixel,
    frame,
};
use weir_media::unit::{TIMESCALE, Timestamp};

use super::{AvError, slice_threads, some_unless_empty};
use crate::size::SourceSize;

/// The pictures of one coded stream. It takes Annex B units with parameter sets in front of
/// keyframes, so that it needs no configuration of its own.
pub(crate) struct Decoder {
    video: decoder::Video,
}

impl Decoder {
    pub(crate) fn open() -> Result<Self, AvError> {
        let codec = decoder::find(codec::Id::H264).ok_or(ffmpeg::Error::DecoderNotFound)?;
        let mut decoder = codec::Context::new_with_codec(codec).decoder();
        decoder.set_threading(threading::Config {
            count: slice_threads(),
            ..threading::Config::kind(threading::Type::Slice)
        });
        decoder.set_packet_time_base(Rational(1, TIMESCALE as i32));
        let mut options = Dictionary::new();
        // 8K, the largest that a level of H.264 holds: a lying header gets no more memory.
        options.set("max_pixels", "35651584");
        let video = decoder.open_as_with(codec, options)?.video()?;
        Ok(Self { video })
    }

    /// Takes the next unit. Then ask [`next_picture`](Self::next_picture) until it has none.
    pub(crate) fn send(&mut self, unit: &Bytes, pts: Timestamp) -> Result<(), AvError> {
        let mut packet = Packet::copy(unit);
        packet.set_pts(Some(pts.0));
        Ok(self.video.send_packet(&packet)?)
    }

    /// After this only the pictures come that were held back for reordering.
    pub(crate) fn send_end(&mut self) -> Result<(), AvError> {
        Ok(self.video.send_eof()?)
    }

    /// The next picture in the order of showing.
    pub(crate) fn next_picture(&mut self) -> Result<Option<Picture>, AvError> {
        let mut frame = frame::Video::empty();
        let received = some_unless_empty(self.video.receive_frame(&mut frame))?;
        Ok(received.map(|()| Picture { frame }))
    }
}

/// One decoded picture.
pub(crate) struct Picture {
    pub(super) frame: frame::Video,
}

impl Picture {
    /// When it is shown. Units always have a time, but a damaged one may lose it.
    pub(crate) fn pts(&self) -> Option<Timestamp> {
        self.frame.pts().map(Timestamp)
    }

    pub(crate) fn format(&self) -> PictureFormat {
        let aspect = self.frame.aspect_ratio();
        let positive = |value: i32| u32::try_from(value).unwrap_or(0);
        PictureFormat {
            size: SourceSize {
                width: self.frame.width(),
                height: self.frame.height(),
                pixel_aspect: (positive(aspect.numerator()), positive(aspect.denominator())),
            },
            pixel: self.frame.format(),
            primaries: self.frame.color_primaries(),
            transfer: self.frame.color_transfer_characteristic(),
            matrix: self.frame.color_space(),
        }
    }
}

/// What a scaler and an encoder are made for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct PictureFormat {
    pub(crate) size: SourceSize,
    pub(super) pixel: Pixel,
    pub(super) primaries: color::Primaries,
    pub(super) transfer: color::TransferCharacteristic,
    pub(super) matrix: color::Space,
}
