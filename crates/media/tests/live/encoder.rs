//! Pictures and sound with the timing of real encoders. Every unit carries a number of its own.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use weir_media::{
    codec::{AacConfig, AvcConfig, OpusConfig},
    unit::{Media, Timestamp, TrackConfig, TrackKind, Unit},
};

/// How an encoder is set up.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    /// Pictures per second, as a fraction.
    pub(crate) rate: (u64, u64),
    /// Pictures from one IDR picture to the next.
    pub(crate) gop: u64,
    /// Two B pictures between references.
    pub(crate) b_frames: bool,
    /// Timestamps are up to this many milliseconds late.
    pub(crate) jitter_ms: u64,
    /// Samples per second, or no audio.
    pub(crate) audio_rate: Option<u32>,
    /// The audio is Opus, in packets of 20 ms.
    pub(crate) opus: bool,
    pub(crate) has_video: bool,
    pub(crate) height: u32,
    /// The encoder's clock at its start.
    pub(crate) clock_ms: i64,
    /// How much later than video audio is sent, negative for earlier.
    pub(crate) audio_lag_ms: i64,
    /// Numbers of pictures that are never sent.
    pub(crate) dropped: Vec<u64>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            rate: (30, 1),
            gop: 60,
            b_frames: false,
            jitter_ms: 0,
            audio_rate: Some(48_000),
            opus: false,
            has_video: true,
            height: 720,
            clock_ms: 0,
            audio_lag_ms: 0,
            dropped: Vec::new(),
        }
    }
}

/// Something sent, so many milliseconds after the start.
pub(crate) type Sent = (u64, Media);

impl Encoder {
    /// Encoders as they are found.
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let rate = prop::sample::select(vec![
            (24_000, 1001),
            (24, 1),
            (25, 1),
            (30_000, 1001),
            (30, 1),
            (50, 1),
            (60, 1),
        ]);
        (
            rate,
            500_u64..6000,
            any::<bool>(),
            0_u64..3,
            prop::sample::select(vec![None, Some(48_000), Some(44_100), Some(22_050)]),
            prop::sample::select(vec![0_i64, 3_600_000, 1 << 33]),
            -150_i64..150,
        )
            .prop_map(
                |(rate, gop_ms, b_frames, jitter_ms, audio_rate, clock_ms, audio_lag_ms)| {
                    let gop = (gop_ms * rate.0 / rate.1 / 1000).max(1);
                    Self {
                        rate,
                        gop,
                        b_frames,
                        jitter_ms,
                        audio_rate,
                        clock_ms,
                        audio_lag_ms,
                        ..Self::default()
                    }
                },
            )
    }

    /// All that it sends from second `from` of its life to second `to`, in order. Units are
    /// numbered from `number` on.
    pub(crate) fn run(&self, from: u64, to: u64, number: &mut u64) -> Vec<Sent> {
        let mut units: Vec<(i64, Unit)> = Vec::new();
        if self.has_video {
            units.extend(self.pictures(from * 1000, to * 1000));
        }
        if let Some(rate) = self.audio_rate {
            units.extend(self.frames(u64::from(rate), from * 1000, to * 1000));
        }
        units.sort_by_key(|(at, _)| *at);
        let configs = self.configs().into_iter().filter(|_| from == 0);
        let configs = configs.map(|config| (0, Media::Config(config)));
        let units = units.into_iter().map(|(at, mut unit)| {
            unit.data = coded(*number, if unit.keyframe { 400 } else { 60 });
            if self.opus && unit.kind == TrackKind::Audio {
                unit.data = opus_packet(&unit.data);
            }
            *number += 1;
            (at.max(0).unsigned_abs(), Media::Unit(unit))
        });
        configs.chain(units).collect()
    }

    pub(crate) fn configs(&self) -> Vec<TrackConfig> {
        let video = self.has_video.then(|| avc(self.height));
        let audio = self.audio_rate.map(|rate| match self.opus {
            true => opus(),
            false => aac(rate),
        });
        video.into_iter().chain(audio).collect()
    }

    fn pictures(&self, from_ms: u64, to_ms: u64) -> impl Iterator<Item = (i64, Unit)> {
        let (pictures, seconds) = self.rate;
        let at_ms = move |n: u64| n * seconds * 1000 / pictures;
        let first = (0..).find(|&n| at_ms(n) >= from_ms).unwrap_or(0);
        (first..)
            .take_while(move |&n| at_ms(n) < to_ms)
            .filter(|n| !self.dropped.contains(n))
            .map(move |n| {
                let jitter = n.wrapping_mul(2_654_435_761) >> 7;
                let late = if self.jitter_ms > 0 {
                    jitter % (self.jitter_ms + 1)
                } else {
                    0
                };
                let dts_ms = (at_ms(n) + late) as i64;
                // Shown one picture later than decoded, so that B pictures can be before it.
                let shown = if self.b_frames {
                    self.display(n) + 1
                } else {
                    n
                };
                let composition_ms = (at_ms(shown) - at_ms(n)) as i64;
                let dts_told = self.clock_ms + dts_ms;
                let unit = Unit {
                    kind: TrackKind::Video,
                    dts: Timestamp::from_ms(dts_told),
                    pts: Timestamp::from_ms(dts_told + composition_ms),
                    keyframe: n % self.gop == 0,
                    data: Bytes::new(),
                };
                (dts_ms, unit)
            })
    }

    /// Where picture `n` in decode order stands in display order: I P B B becomes I B B P; a GOP
    /// is closed, so that what is left over at its end has no B pictures.
    fn display(&self, n: u64) -> u64 {
        let (gop, at) = (n - n % self.gop, n % self.gop);
        let whole_groups = (self.gop - 1) / 3 * 3;
        if at == 0 || at > whole_groups {
            return n;
        }
        gop + match (at - 1) % 3 {
            0 => at + 2,
            _ => at - 1,
        }
    }

    fn frames(&self, rate: u64, from_ms: u64, to_ms: u64) -> impl Iterator<Item = (i64, Unit)> {
        let samples = if self.opus { 960 } else { 1024 };
        let at_ms = move |n: u64| n * samples * 1000 / rate;
        let first = (0..).find(|&n| at_ms(n) >= from_ms).unwrap_or(0);
        (first..)
            .take_while(move |&n| at_ms(n) < to_ms)
            .map(move |n| {
                let at = Timestamp::from_ms(self.clock_ms + at_ms(n) as i64);
                let unit = Unit {
                    kind: TrackKind::Audio,
                    dts: at,
                    pts: at,
                    keyframe: true,
                    data: Bytes::new(),
                };
                (at_ms(n) as i64 + self.audio_lag_ms, unit)
            })
    }
}

/// A length-prefixed unit with `number` in it.
pub(crate) fn coded(number: u64, len: u32) -> Bytes {
    let mut data = BytesMut::new();
    data.put_u32(len - 4);
    data.put_u64(number);
    data.resize(len as usize, 0x55);
    data.freeze()
}

/// The number in a unit.
pub(crate) fn number(data: &Bytes) -> u64 {
    u64::from_be_bytes(data[4..12].try_into().unwrap())
}

/// H.264 Baseline of `height`, a multiple of 16.
pub(crate) fn avc(height: u32) -> TrackConfig {
    avc_with(height, 0x1f)
}

/// The same, of a level.
pub(crate) fn avc_with(height: u32, level: u8) -> TrackConfig {
    let mut sps = Bits::default();
    [0, 0, 0, 0, 1].into_iter().for_each(|n| sps.exp_golomb(n)); // up to max_num_ref_frames
    sps.put(0, 1); // no gaps in frame numbers
    sps.exp_golomb(height / 9 - 1); // width in macroblocks: 16:9
    sps.exp_golomb(height / 16 - 1);
    // Frames only, direct_8x8_inference, no cropping, no VUI, stop bit.
    sps.put(0b11001, 5);
    let sps = [&[0x67, 66, 0, level], &sps.into_bytes()[..]].concat();
    TrackConfig::Avc(AvcConfig::from_parameter_sets(&sps, &[0x68, 0xee, 0x3c, 0x80]).unwrap())
}

/// Bits from the most significant on.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.0.extend((0..count).rev().map(|i| value >> i & 1 == 1));
    }

    fn exp_golomb(&mut self, value: u32) {
        let len = 32 - (value + 1).leading_zeros();
        self.put(0, len - 1);
        self.put(value + 1, len);
    }

    fn into_bytes(self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            bits.iter()
                .enumerate()
                .fold(0, |byte, (i, &bit)| byte | u8::from(bit) << (7 - i))
        };
        self.0.chunks(8).map(byte).collect()
    }
}

pub(crate) fn aac(sample_rate: u32) -> TrackConfig {
    let asc = match sample_rate {
        48_000 => [0x11, 0x90],
        44_100 => [0x12, 0x10],
        _ => [0x13, 0x90],
    };
    TrackConfig::Aac(AacConfig {
        asc: Bytes::copy_from_slice(&asc),
        object_type: 2,
        sample_rate,
        channels: 2,
    })
}

/// Stereo.
pub(crate) fn opus() -> TrackConfig {
    let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
    TrackConfig::Opus(OpusConfig::parse(Bytes::from_static(head)).unwrap())
}

/// The same bytes behind the first one of a packet of 20 ms (RFC 6716 section 3.1).
fn opus_packet(data: &[u8]) -> Bytes {
    const CELT_20_MS: u8 = 0xf8;
    let mut packet = BytesMut::from(data);
    packet[0] = CELT_20_MS;
    packet.freeze()
}
