//! Samples to coded sound.

use ffmpeg_next::{
    self as ffmpeg, ChannelLayout, Dictionary, Packet, Rational, codec, encoder,
    format::{
        Sample,
        sample::Type::{Packed, Planar},
    },
    frame,
};

use weir_media::framing::AudioCodec;

use super::{AvError, ffi, some_unless_empty};

/// An encoder of sound. Times are in samples.
pub(crate) struct SoundEncoder {
    sound: encoder::audio::Encoder,
    codec: AudioCodec,
    layout: ChannelLayout,
    rate: u32,
}

/// One coded frame.
pub(crate) struct CodedSound {
    /// When its first sample is heard: before that of the first sample put in, where the encoder
    /// needs a run-up.
    pub(crate) pts: i64,
    packet: Packet,
}

impl CodedSound {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.packet.data().unwrap_or_default()
    }
}

impl SoundEncoder {
    /// The name that FFmpeg knows a codec's encoder by.
    pub(crate) fn name(codec: AudioCodec) -> &'static str {
        match codec {
            AudioCodec::Aac => "aac",
            AudioCodec::Opus => "libopus",
        }
    }

    pub(crate) fn open(
        codec: AudioCodec,
        rate: u32,
        channels: u8,
        bitrate_kbps: u32,
    ) -> Result<Self, AvError> {
        let sample = match codec {
            AudioCodec::Aac => Sample::F32(Planar),
            AudioCodec::Opus => Sample::F32(Packed),
        };
        let found =
            encoder::find_by_name(Self::name(codec)).ok_or(ffmpeg::Error::EncoderNotFound)?;
        let mut sound = codec::Context::new_with_codec(found).encoder().audio()?;
        let layout = layout(codec, channels);
        sound.set_rate(rate as i32);
        sound.set_format(sample);
        sound.set_channel_layout(layout);
        sound.set_channels(i32::from(channels));
        sound.set_time_base(Rational(1, rate as i32));
        sound.set_bit_rate(bitrate_kbps as usize * 1000);
        let mut options = Dictionary::new();
        if codec == AudioCodec::Opus {
            options.set("application", "audio");
            options.set("frame_duration", "20");
        }
        let sound = sound.open_as_with(found, options)?;
        Ok(Self {
            sound,
            codec,
            layout,
            rate,
        })
    }

    /// Samples that [`send`](Self::send) takes at once; the last time, fewer do.
    pub(crate) fn frame_samples(&self) -> usize {
        self.sound.frame_size() as usize
    }

    /// The encoder's run-up: so many samples before the first one put in come out first.
    pub(crate) fn padding(&self) -> u32 {
        ffi::initial_padding(&self.sound)
    }

    /// Takes the samples of each channel, the first one heard at `pts`. Then ask
    /// [`next_coded`](Self::next_coded) until it has none.
    pub(crate) fn send(&mut self, channels: &[&[f32]], pts: i64) -> Result<(), AvError> {
        let samples = channels.first().map_or(0, |channel| channel.len());
        let mut frame = frame::Audio::new(self.sound.format(), samples, self.layout);
        frame.set_rate(self.rate);
        frame.set_pts(Some(pts));
        match self.codec {
            AudioCodec::Aac => {
                for (index, channel) in channels.iter().enumerate() {
                    frame.plane_mut(index).copy_from_slice(channel);
                }
            }
            AudioCodec::Opus => {
                let interleaved = frame.plane_mut(0).chunks_exact_mut(channels.len());
                for (at, together) in interleaved.enumerate() {
                    for (sample, channel) in together.iter_mut().zip(channels) {
                        *sample = channel[at];
                    }
                }
            }
        }
        Ok(self.sound.send_frame(&frame)?)
    }

    /// No sample follows.
    pub(crate) fn send_end(&mut self) -> Result<(), AvError> {
        Ok(self.sound.send_eof()?)
    }

    /// The next coded frame.
    pub(crate) fn next_coded(&mut self) -> Result<Option<CodedSound>, AvError> {
        loop {
            let mut packet = Packet::empty();
            if some_unless_empty(self.sound.receive_packet(&mut packet))?.is_none() {
                return Ok(None);
            }
            if let Some(pts) = packet.pts() {
                return Ok(Some(CodedSound { pts, packet }));
            }
        }
    }
}

/// Which speakers so many channels are for: as AAC's channelConfiguration (ISO/IEC 14496-3 table
/// 1.19) and Opus's mapping family 1 (RFC 7845 section 5.1.1.2) have it, in libav's order.
pub(super) fn layout(codec: AudioCodec, channels: u8) -> ChannelLayout {
    match (codec, channels) {
        (_, 1) => ChannelLayout::MONO,
        (_, 2) => ChannelLayout::STEREO,
        (_, 3) => ChannelLayout::SURROUND,
        (AudioCodec::Aac, 4) => ChannelLayout::_4POINT0,
        (AudioCodec::Opus, 4) => ChannelLayout::QUAD,
        (_, 5) => ChannelLayout::_5POINT0_BACK,
        (_, 6) => ChannelLayout::_5POINT1_BACK,
        (_, 7) => ChannelLayout::_6POINT1,
        _ => ChannelLayout::_7POINT1,
    }
}
