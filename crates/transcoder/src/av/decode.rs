//! Units to pictures.

use bytes::Bytes;
use ffmpeg_next::{
    self as ffmpeg, Dictionary, Packet, Rational,
    codec::{self, threading},
    color, decoder,
    format::Pixel,
    frame,
};
use weir_media::unit::{TIMESCALE, Timestamp, TrackConfig};

use super::{AvError, processors, some_unless_empty};
use crate::size::SourceSize;

/// Slices of one picture are decoded side by side, which adds no delay; most sources have one.
const MOST_THREADS: usize = 4;

/// The pictures of one coded stream. It takes streams with their parameter sets in front of
/// keyframes, so that it needs no configuration of its own.
pub(crate) struct Decoder {
    video: decoder::Video,
}

impl Decoder {
    /// For the codec of `config`, which is one of video.
    pub(crate) fn open(config: &TrackConfig) -> Result<Self, AvError> {
        let id = match config {
            TrackConfig::Avc(_) => codec::Id::H264,
            TrackConfig::Hevc(_) => codec::Id::HEVC,
            TrackConfig::Av1(_) => codec::Id::AV1,
            TrackConfig::Vp9(_) => codec::Id::VP9,
            TrackConfig::Aac(_) | TrackConfig::Opus(_) => codec::Id::None,
        };
        let codec = decoder::find(id).ok_or(ffmpeg::Error::DecoderNotFound)?;
        let mut decoder = codec::Context::new_with_codec(codec).decoder();
        decoder.set_threading(threading::Config {
            count: processors().min(MOST_THREADS),
            ..threading::Config::kind(threading::Type::Slice)
        });
        decoder.set_packet_time_base(Rational(1, TIMESCALE as i32));
        let mut options = Dictionary::new();
        // 8K, the largest that a level of H.264 holds: a lying header gets no more memory.
        options.set("max_pixels", "35651584");
        if id == codec::Id::AV1 {
            // dav1d: frames side by side would each add one of delay.
            options.set("framethreads", "1");
        }
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
            colour: Colour {
                range: self.frame.color_range(),
                primaries: self.frame.color_primaries(),
                transfer: self.frame.color_transfer_characteristic(),
                matrix: self.frame.color_space(),
            },
        }
    }
}

/// What a scaler and an encoder are made for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct PictureFormat {
    pub(crate) size: SourceSize,
    pub(super) pixel: Pixel,
    pub(super) colour: Colour,
}

impl PictureFormat {
    /// Pictures as most sources have them.
    pub(crate) fn plain(size: SourceSize) -> Self {
        Self {
            size,
            pixel: Pixel::YUV420P,
            colour: Colour {
                range: color::Range::MPEG,
                primaries: color::Primaries::BT709,
                transfer: color::TransferCharacteristic::BT709,
                matrix: color::Space::BT709,
            },
        }
    }
}

/// What sample values mean.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Colour {
    pub(super) range: color::Range,
    pub(super) primaries: color::Primaries,
    pub(super) transfer: color::TransferCharacteristic,
    pub(super) matrix: color::Space,
}
