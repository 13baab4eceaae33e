//! Units to samples, in the rate and the channels that an encoder is to have.

use bytes::Bytes;
use ffmpeg_next::{
    self as ffmpeg, ChannelLayout, Packet, Rational, codec, decoder,
    format::{Sample, sample::Type::Planar},
    frame,
    software::resampling,
};
use weir_media::{
    framing::AudioCodec,
    unit::{TIMESCALE, Timestamp, TrackConfig},
};

use super::{AvError, ffi, some_unless_empty, sound};

/// The samples of one coded track.
pub(crate) struct SoundDecoder {
    sound: decoder::Audio,
}

impl SoundDecoder {
    /// For the codec of `config`, which is one of audio.
    pub(crate) fn open(config: &TrackConfig) -> Result<Self, AvError> {
        let id = match config {
            TrackConfig::Aac(_) => codec::Id::AAC,
            TrackConfig::Opus(_) => codec::Id::OPUS,
            _ => codec::Id::None,
        };
        let codec = decoder::find(id).ok_or(ffmpeg::Error::DecoderNotFound)?;
        let mut decoder = codec::Context::new_with_codec(codec).decoder();
        decoder.set_packet_time_base(Rational(1, TIMESCALE as i32));
        if !ffi::set_extradata(&mut decoder, &private(config)) {
            return Err(ffmpeg::Error::InvalidData.into());
        }
        let sound = decoder.open_as(codec)?.audio()?;
        Ok(Self { sound })
    }

    /// Takes the next unit. Then ask [`next_sound`](Self::next_sound) until it has none.
    pub(crate) fn send(&mut self, unit: &Bytes, pts: Timestamp) -> Result<(), AvError> {
        let mut packet = Packet::copy(unit);
        packet.set_pts(Some(pts.0));
        Ok(self.sound.send_packet(&packet)?)
    }

    /// The next samples.
    pub(crate) fn next_sound(&mut self) -> Result<Option<Sound>, AvError> {
        let mut frame = frame::Audio::empty();
        let received = some_unless_empty(self.sound.receive_frame(&mut frame))?;
        Ok(received.map(|()| Sound { frame }))
    }
}

/// What a decoder begins with. One of Opus would leave out the samples before an encoder's first
/// one; live units are heard when they say, from the first on, wherever in a stream that is.
fn private(config: &TrackConfig) -> Vec<u8> {
    /// Of OpusHead (RFC 7845 section 5.1).
    const PRE_SKIP: std::ops::Range<usize> = 10..12;
    let mut private = config.codec_private().to_vec();
    if let (TrackConfig::Opus(_), Some(pre_skip)) = (config, private.get_mut(PRE_SKIP)) {
        pre_skip.fill(0);
    }
    private
}

/// Decoded samples of all channels.
pub(crate) struct Sound {
    frame: frame::Audio,
}

impl Sound {
    /// When the first one is heard.
    pub(crate) fn pts(&self) -> Option<Timestamp> {
        self.frame.pts().map(Timestamp)
    }

    /// How many there are of each channel.
    pub(crate) fn samples(&self) -> usize {
        self.frame.samples()
    }

    pub(crate) fn format(&self) -> SoundFormat {
        let channels = self.frame.channels();
        let layout = match self.frame.channel_layout() {
            told if told.channels() == i32::from(channels) => told,
            _ => ChannelLayout::default(i32::from(channels)),
        };
        SoundFormat {
            sample: self.frame.format(),
            layout,
            rate: self.frame.rate(),
        }
    }
}

/// What a resampler is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SoundFormat {
    sample: Sample,
    layout: ChannelLayout,
    pub(crate) rate: u32,
}

impl SoundFormat {
    pub(crate) fn channels(self) -> u8 {
        u8::try_from(self.layout.channels()).unwrap_or(u8::MAX)
    }
}

/// Makes samples of one rate and layout from those of another. The first one that comes out is
/// heard when the first one that went in is.
pub(crate) struct Resampler {
    context: resampling::Context,
    channels: usize,
    /// Samples out for so many in.
    ratio: (u32, u32),
}

impl Resampler {
    /// What an encoder of `codec` takes of so many channels.
    pub(crate) fn open(
        from: SoundFormat,
        codec: AudioCodec,
        channels: u8,
        rate: u32,
    ) -> Result<Self, AvError> {
        let context = resampling::Context::get(
            from.sample,
            from.layout,
            from.rate,
            Sample::F32(Planar),
            sound::layout(codec, channels),
            rate,
        )?;
        Ok(Self {
            context,
            channels: usize::from(channels),
            ratio: (rate, from.rate.max(1)),
        })
    }

    /// Appends what comes out to the samples of each channel in `out`.
    pub(crate) fn run(&mut self, sound: &Sound, out: &mut [Vec<f32>]) -> Result<(), AvError> {
        let mut made = self.frame(sound.samples());
        // A decoder need not tell the layout; the resampler compares.
        let mut input = sound.frame.clone();
        input.set_channel_layout(sound.format().layout);
        self.context.run(&input, &mut made)?;
        self.append(&made, out);
        Ok(())
    }

    /// The same with the last samples, for which those that follow were waited for.
    pub(crate) fn finish(&mut self, out: &mut [Vec<f32>]) -> Result<(), AvError> {
        let mut made = self.frame(0);
        self.context.flush(&mut made)?;
        self.append(&made, out);
        Ok(())
    }

    /// Room for what becomes of so many samples and of those held back.
    fn frame(&self, samples: usize) -> frame::Audio {
        /// More than any filter of the resampler's is long.
        const HELD_BACK: usize = 512;
        let (out, per) = self.ratio;
        let most = (samples + HELD_BACK) * out as usize / per as usize + 1;
        let output = self.context.output();
        frame::Audio::new(output.format, most, output.channel_layout)
    }

    fn append(&self, made: &frame::Audio, out: &mut [Vec<f32>]) {
        for (index, channel) in out.iter_mut().enumerate().take(self.channels) {
            let samples = made.plane::<f32>(index).iter();
            // A damaged unit may decode to what is no number.
            channel.extend(samples.map(|s| if s.is_finite() { *s } else { 0.0 }));
        }
    }
}
