//! An encoder that makes media up: 24 pictures a second with an IDR every 2 s, and AAC at 48 kHz.
//! Every picture's bytes name its number, so that what was served can be told apart. If asked to, it
//! sends smaller pictures beside them, as a further track.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::mpsc;
use weir_media::{
    codec::{AacConfig, AvcConfig},
    track::{FromTrack, TrackIndex},
    unit::{Media, Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_origin::rtmp::FromEncoder;

/// x264: 1280x720, High at level 3.1.
const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1c, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50,
    0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e,
    0x07, 0x8c, 0x18, 0xcb, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];
/// 256x144, Baseline.
const SMALL_SPS: &[u8] = &[0x67, 66, 0, 30, 0xf4, 0x08, 0x09, 0xc8];
const SMALL_PPS: &[u8] = &[0x68, 0xee, 0x3c, 0x80];
/// AAC-LC, 48 kHz, stereo.
const AUDIO_SPECIFIC_CONFIG: &[u8] = &[0x11, 0x90];

const PICTURE: i64 = 90_000 / 24;
pub const GOP: u32 = 48;

pub struct Encoder {
    to: mpsc::Sender<FromEncoder>,
    pictures: u32,
    frames: u32,
    /// The further track of small pictures.
    small: Option<TrackIndex>,
}

impl Encoder {
    pub async fn begin(to: mpsc::Sender<FromEncoder>) -> Self {
        let avc = AvcConfig::parse(Bytes::from_static(AVC_RECORD)).unwrap();
        let aac = AacConfig::parse(Bytes::from_static(AUDIO_SPECIFIC_CONFIG)).unwrap();
        for config in [TrackConfig::Avc(avc), TrackConfig::Aac(aac)] {
            to.send(FromEncoder::Media(Media::Config(config)))
                .await
                .unwrap();
        }
        Self {
            to,
            pictures: 0,
            frames: 0,
            small: None,
        }
    }

    /// The same with pictures of 144 lines beside those of 720, which become `source-2`.
    pub async fn begin_in_two_sizes(to: mpsc::Sender<FromEncoder>) -> Self {
        let mut encoder = Self::begin(to).await;
        let avc = AvcConfig::from_parameter_sets(SMALL_SPS, SMALL_PPS).unwrap();
        encoder.small = TrackIndex::new(1);
        encoder
            .send_small(Media::Config(TrackConfig::Avc(avc)))
            .await;
        encoder
    }

    /// How many pictures were sent.
    pub fn pictures(&self) -> u32 {
        self.pictures
    }

    /// Sends `count` pictures, and the sound that goes with them.
    pub async fn send(&mut self, count: u32) {
        for _ in 0..count {
            let n = self.pictures;
            let at = Timestamp(i64::from(n) * PICTURE);
            while self.frame_time() <= at {
                let data = Bytes::from(vec![0x21; 24]);
                self.send_unit(TrackKind::Audio, self.frame_time(), true, data)
                    .await;
                self.frames += 1;
            }
            let keyframe = n.is_multiple_of(GOP);
            self.send_unit(TrackKind::Video, at, keyframe, picture(n))
                .await;
            let small = unit(TrackKind::Video, at, keyframe, picture(n));
            self.send_small(Media::Unit(small)).await;
            self.pictures += 1;
        }
    }

    fn frame_time(&self) -> Timestamp {
        Timestamp(i64::from(self.frames) * 1024 * 90_000 / 48_000)
    }

    async fn send_unit(&self, kind: TrackKind, at: Timestamp, keyframe: bool, data: Bytes) {
        let unit = unit(kind, at, keyframe, data);
        self.to
            .send(FromEncoder::Media(Media::Unit(unit)))
            .await
            .unwrap();
    }

    async fn send_small(&self, media: Media) {
        if let Some(index) = self.small {
            let media = FromTrack::Media { index, media };
            self.to.send(FromEncoder::Track(media)).await.unwrap();
        }
    }
}

fn unit(kind: TrackKind, at: Timestamp, keyframe: bool, data: Bytes) -> Unit {
    Unit {
        kind,
        dts: at,
        pts: at,
        keyframe,
        data,
    }
}

/// One slice NAL unit that carries `n`.
fn picture(n: u32) -> Bytes {
    let idr = n.is_multiple_of(GOP);
    let mut data = BytesMut::new();
    data.put_u32(200);
    data.put_u8(if idr { 0x65 } else { 0x41 });
    data.put_slice(format!("picture {n:08}").as_bytes());
    data.resize(204, 0x80);
    data.freeze()
}

/// The numbers of the pictures in a chunk, segment or span, in order.
pub fn picture_numbers(media: &[u8]) -> Vec<u32> {
    const MARK: &[u8] = b"picture ";
    media
        .windows(MARK.len() + 8)
        .filter_map(|window| window.strip_prefix(MARK))
        .map(|digits| std::str::from_utf8(digits).unwrap().parse().unwrap())
        .collect()
}
