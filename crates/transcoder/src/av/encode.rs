//! Pictures to coded ones, scaled on the way.

use ffmpeg_next::{self as ffmpeg, Dictionary, Packet, Rational, codec, encoder, frame, picture};
use weir_media::{
    codec::FrameRate,
    framing::EncoderChoice,
    unit::{TIMESCALE, Timestamp},
};

use super::{AvError, Picture, PictureFormat, scale::Scaler, settings, some_unless_empty};
use crate::size::RungSize;

/// What a rung asks of its encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderOptions<'a> {
    /// By which encoder; [`EncoderChoice::Auto`] is none.
    pub(crate) encoder: EncoderChoice,
    /// One of the encoder's, or `None` for ours.
    pub(crate) preset: Option<&'a str>,
    pub(crate) size: RungSize,
    /// Mean, and peak over a second.
    pub(crate) bitrate_kbps: u32,
    /// Nominal; it chooses the level, and the rate control believes in it.
    pub(crate) frame_rate: FrameRate,
}

/// By what a picture that doesn't move is coded: a source can be in any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StillCodec {
    H264,
    Hevc,
    Av1,
    Vp9,
}

/// One of libav's encoders, and what it is told.
pub(super) struct Coding {
    pub(super) name: &'static str,
    pub(super) options: Dictionary<'static>,
    pub(super) places_idr: bool,
}

/// An encoder behind a scaler. It codes no IDR picture that it wasn't asked for, but the first.
pub(crate) struct Encoder {
    scaler: Scaler,
    video: encoder::video::Encoder,
    places_idr: bool,
}

/// One coded picture.
pub(crate) struct Coded {
    pub(crate) pts: Option<Timestamp>,
    pub(crate) keyframe: bool,
    packet: Packet,
}

impl Coded {
    /// As the codec's stream has it; parameter sets stand before an IDR picture.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.packet.data().unwrap_or_default()
    }
}

impl Encoder {
    pub(crate) fn open(
        source: PictureFormat,
        options: &EncoderOptions<'_>,
    ) -> Result<Self, AvError> {
        let coding = Coding {
            name: options.encoder.name(),
            options: settings::dictionary(options),
            places_idr: settings::places_idr(options.encoder),
        };
        Self::coding(source, options.size, (1, 1), options.frame_rate, coding)
    }

    /// For pictures that don't move and that nobody waits for: as few bits as it takes, and one
    /// keyframe at the start. The pixels keep their shape.
    pub(crate) fn open_still(
        source: PictureFormat,
        codec: StillCodec,
        size: RungSize,
        frame_rate: FrameRate,
    ) -> Result<Self, AvError> {
        let (horizontal, vertical) = source.size.pixel_aspect;
        let aspect = (horizontal as i32, vertical as i32);
        Self::coding(source, size, aspect, frame_rate, settings::still(codec))
    }

    fn coding(
        source: PictureFormat,
        size: RungSize,
        aspect: (i32, i32),
        frame_rate: FrameRate,
        coding: Coding,
    ) -> Result<Self, AvError> {
        let codec = encoder::find_by_name(coding.name).ok_or(ffmpeg::Error::EncoderNotFound)?;
        let mut video = codec::Context::new_with_codec(codec).encoder().video()?;
        video.set_width(size.width);
        video.set_height(size.height);
        video.set_format(Scaler::PIXEL);
        video.set_aspect_ratio(aspect);
        video.set_time_base(Rational(1, TIMESCALE as i32));
        video.set_frame_rate(Some(rational(frame_rate)));
        let colour = Scaler::colour(source);
        video.set_color_range(colour.range);
        video.set_color_primaries(colour.primaries);
        video.set_color_transfer_characteristic(colour.transfer);
        video.set_colorspace(colour.matrix);
        let video = video.open_as_with(codec, coding.options)?;
        Ok(Self {
            scaler: Scaler::new(source, size)?,
            video,
            places_idr: coding.places_idr,
        })
    }

    /// Whether it codes an IDR picture where one is asked for. One that doesn't has to be opened
    /// anew for each.
    pub(crate) fn places_idr(&self) -> bool {
        self.places_idr
    }

    /// Takes the next picture. Then ask [`next_coded`](Self::next_coded) until it has none.
    pub(crate) fn send(&mut self, picture: &Picture, idr: bool) -> Result<(), AvError> {
        let scaled: &mut frame::Video = self.scaler.run(picture)?;
        scaled.set_kind(if idr {
            picture::Type::I
        } else {
            picture::Type::None
        });
        Ok(self.video.send_frame(scaled)?)
    }

    /// From the next picture on. The buffer stays what it was.
    pub(crate) fn set_bitrate(&mut self, kbps: u32) {
        let bits = kbps as usize * 1000;
        self.video.set_bit_rate(bits);
        self.video.set_max_bit_rate(bits);
    }

    /// No picture follows.
    pub(crate) fn send_end(&mut self) -> Result<(), AvError> {
        Ok(self.video.send_eof()?)
    }

    /// The next coded picture.
    pub(crate) fn next_coded(&mut self) -> Result<Option<Coded>, AvError> {
        let mut packet = Packet::empty();
        let received = some_unless_empty(self.video.receive_packet(&mut packet))?;
        Ok(received.map(|()| Coded {
            pts: packet.pts().map(Timestamp),
            keyframe: packet.is_key(),
            packet,
        }))
    }
}

/// A stream may tell its rate in numbers that an encoder's own arithmetic would not hold.
fn rational(rate: FrameRate) -> Rational {
    const MOST: u32 = 1_000_000;
    if rate.numerator <= MOST && rate.denominator <= MOST {
        return Rational(rate.numerator as i32, rate.denominator as i32);
    }
    Rational((rate.as_f64() * 1000.0).round() as i32, 1000)
}
