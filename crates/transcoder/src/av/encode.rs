//! Pictures to H.264 units, scaled on the way.

use ffmpeg_next::{
    self as ffmpeg, Dictionary, Packet, Rational, codec, color, encoder, format::Pixel, frame,
    picture, software::scaling,
};
use weir_media::{
    codec::FrameRate,
    unit::{TIMESCALE, Timestamp},
};

use super::{AvError, Picture, PictureFormat, slice_threads, some_unless_empty};
use crate::size::RungSize;

/// What a rung asks of its encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderOptions {
    pub(crate) size: RungSize,
    /// Mean, and peak over a second.
    pub(crate) bitrate_kbps: u32,
    /// Nominal; it chooses the level, and the rate control believes in it.
    pub(crate) frame_rate: FrameRate,
}

/// x264 behind a scaler. Every picture sent comes out at once, and IDR pictures are where they
/// were asked for and nowhere else.
pub(crate) struct Encoder {
    scaler: Option<Scaler>,
    x264: encoder::video::Encoder,
}

struct Scaler {
    context: scaling::Context,
    scaled: frame::Video,
}

/// One coded picture.
pub(crate) struct Coded {
    pub(crate) pts: Option<Timestamp>,
    pub(crate) keyframe: bool,
    packet: Packet,
}

impl Coded {
    /// Annex B; parameter sets stand before an IDR picture.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.packet.data().unwrap_or_default()
    }
}

impl Encoder {
    pub(crate) fn open(source: PictureFormat, options: EncoderOptions) -> Result<Self, AvError> {
        let EncoderOptions {
            size,
            bitrate_kbps,
            frame_rate,
        } = options;
        let codec = encoder::find_by_name("libx264").ok_or(ffmpeg::Error::EncoderNotFound)?;
        let mut video = codec::Context::new_with_codec(codec).encoder().video()?;
        video.set_width(size.width);
        video.set_height(size.height);
        video.set_format(Pixel::YUV420P);
        video.set_aspect_ratio((1, 1));
        video.set_time_base(Rational(1, TIMESCALE as i32));
        video.set_frame_rate(Some(rational(frame_rate)));
        video.set_color_range(color::Range::MPEG);
        video.set_color_primaries(source.primaries);
        video.set_color_transfer_characteristic(source.transfer);
        video.set_colorspace(source.matrix);
        let x264 = video.open_as_with(codec, x264_options(bitrate_kbps))?;
        Ok(Self {
            scaler: Scaler::between(source, size)?,
            x264,
        })
    }

    /// Takes the next picture. Then ask [`next_coded`](Self::next_coded) until it has none.
    pub(crate) fn send(&mut self, picture: &mut Picture, idr: bool) -> Result<(), AvError> {
        let pts = picture.frame.pts();
        let frame = match &mut self.scaler {
            Some(Scaler { context, scaled }) => {
                context.run(&picture.frame, scaled)?;
                scaled.set_pts(pts);
                scaled
            }
            None => &mut picture.frame,
        };
        // A decoded picture carries its old kind, which would be taken as a wish.
        frame.set_kind(if idr {
            picture::Type::I
        } else {
            picture::Type::None
        });
        Ok(self.x264.send_frame(frame)?)
    }

    /// From the next picture on. The buffer stays what it was.
    pub(crate) fn set_bitrate(&mut self, kbps: u32) {
        let bits = kbps as usize * 1000;
        self.x264.set_bit_rate(bits);
        self.x264.set_max_bit_rate(bits);
    }

    /// No picture follows.
    pub(crate) fn send_end(&mut self) -> Result<(), AvError> {
        Ok(self.x264.send_eof()?)
    }

    /// The next coded picture.
    pub(crate) fn next_coded(&mut self) -> Result<Option<Coded>, AvError> {
        let mut packet = Packet::empty();
        let received = some_unless_empty(self.x264.receive_packet(&mut packet))?;
        Ok(received.map(|()| Coded {
            pts: packet.pts().map(Timestamp),
            keyframe: packet.is_key(),
            packet,
        }))
    }
}

impl Scaler {
    /// `None` when pictures can be encoded as they are.
    fn between(source: PictureFormat, to: RungSize) -> Result<Option<Self>, AvError> {
        let (width, height) = (source.size.width, source.size.height);
        if source.pixel == Pixel::YUV420P && (width, height) == (to.width, to.height) {
            return Ok(None);
        }
        let context = scaling::Context::get(
            source.pixel,
            width,
            height,
            Pixel::YUV420P,
            to.width,
            to.height,
            scaling::Flags::BICUBIC,
        )?;
        Ok(Some(Self {
            context,
            scaled: frame::Video::empty(),
        }))
    }
}

/// A stream may tell its rate in numbers that x264's own arithmetic would not hold.
fn rational(rate: FrameRate) -> Rational {
    const MOST: u32 = 1_000_000;
    if rate.numerator <= MOST && rate.denominator <= MOST {
        return Rational(rate.numerator as i32, rate.denominator as i32);
    }
    Rational((rate.as_f64() * 1000.0).round() as i32, 1000)
}

fn x264_options(bitrate_kbps: u32) -> Dictionary<'static> {
    let bitrate = format!("{bitrate_kbps}k");
    let threads = slice_threads().to_string();
    [
        ("preset", "superfast"),
        // No lookahead, no B-frames: a picture in is a picture out. libav undoes the tune's
        // sliced threads, which would leave a picture of delay for each thread.
        ("tune", "zerolatency"),
        ("thread_type", "slice"),
        ("forced-idr", "1"),
        ("sc_threshold", "0"),
        // As good as never: a segment begins where the source's does.
        ("g", "1000000000"),
        ("b", &bitrate),
        ("maxrate", &bitrate),
        ("bufsize", &bitrate),
        ("threads", &threads),
    ]
    .into_iter()
    .collect()
}
