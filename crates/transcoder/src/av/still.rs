//! Single pictures: from files, and as plain samples to draw on.

use ffmpeg_next::{
    self as ffmpeg, Dictionary, Packet, codec, color, decoder, format::Pixel, frame,
    software::scaling,
};
use weir_media::{
    codec::{self as coded, Colour as CodedColour},
    unit::Timestamp,
};

use super::{AvError, Picture, PictureFormat, decode::Colour, scale::Scaler};
use crate::size::{RungSize, SourceSize};

/// How samples lie that a picture is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Samples {
    /// Three planes, the second and third of half the width and height.
    Yuv420,
    /// One plane, four bytes a pixel.
    Rgba,
    /// One plane.
    Grey,
}

impl Picture {
    /// Reads a PNG or JPEG file.
    pub(crate) fn read(file: &[u8]) -> Result<Self, AvError> {
        let id = match file.starts_with(b"\x89PNG\r\n\x1a\n") {
            true => codec::Id::PNG,
            false => codec::Id::MJPEG,
        };
        let codec = decoder::find(id).ok_or(ffmpeg::Error::DecoderNotFound)?;
        let context = codec::Context::new_with_codec(codec).decoder();
        let mut options = Dictionary::new();
        // 8K: a lying header gets no more memory.
        options.set("max_pixels", "35651584");
        let mut decoder = context.open_as_with(codec, options)?.video()?;
        decoder.send_packet(&Packet::copy(file))?;
        decoder.send_eof()?;
        let mut frame = frame::Video::empty();
        decoder.receive_frame(&mut frame)?;
        Ok(Self { frame })
    }

    /// The picture in another size, each plane without space between its lines.
    pub(crate) fn samples(&self, lie: Samples, size: RungSize) -> Result<Vec<Vec<u8>>, AvError> {
        let pixel = match lie {
            Samples::Yuv420 => Pixel::YUV420P,
            Samples::Rgba => Pixel::RGBA,
            Samples::Grey => Pixel::GRAY8,
        };
        let mut scaler = scaling::Context::get(
            self.frame.format(),
            self.frame.width(),
            self.frame.height(),
            pixel,
            size.width,
            size.height,
            scaling::Flags::BICUBIC,
        )?;
        let mut scaled = frame::Video::empty();
        scaler.run(&self.frame, &mut scaled)?;
        let widths = line_widths(lie, size.width as usize);
        let planes = widths.iter().enumerate().map(|(plane, &width)| {
            let lines = scaled.data(plane).chunks(scaled.stride(plane));
            let lines = lines.take(scaled.plane_height(plane) as usize);
            lines.flat_map(|line| &line[..width]).copied().collect()
        });
        Ok(planes.collect())
    }

    /// A picture of these samples, planes as [`samples`](Self::samples) gives them.
    pub(crate) fn drawn(size: RungSize, planes: &[Vec<u8>]) -> Self {
        let mut frame = frame::Video::new(Pixel::YUV420P, size.width, size.height);
        let widths = line_widths(Samples::Yuv420, size.width as usize);
        for (plane, (samples, width)) in planes.iter().zip(widths).enumerate() {
            let stride = frame.stride(plane);
            let lines = frame.data_mut(plane).chunks_mut(stride);
            for (line, samples) in lines.zip(samples.chunks(width)) {
                line[..samples.len()].copy_from_slice(samples);
            }
        }
        Self { frame }
    }

    /// Shows it at another time.
    pub(crate) fn set_pts(&mut self, pts: Timestamp) {
        self.frame.set_pts(Some(pts.0));
    }

    /// Whether parts of it are guessed, for want of data.
    pub(crate) fn is_damaged(&self) -> bool {
        self.frame.is_corrupt()
    }
}

/// Bytes in a line of each plane.
fn line_widths(lie: Samples, width: usize) -> Vec<usize> {
    match lie {
        Samples::Yuv420 => vec![width, width / 2, width / 2],
        Samples::Rgba => vec![width * 4],
        Samples::Grey => vec![width],
    }
}

impl PictureFormat {
    /// What a source's configuration tells of its pictures, for when none can be decoded.
    pub(crate) fn told(picture: &coded::Picture) -> Self {
        let plain = Self::plain(SourceSize {
            width: picture.width,
            height: picture.height,
            pixel_aspect: picture.pixel_aspect.map_or((1, 1), |aspect| {
                (u32::from(aspect.horizontal), u32::from(aspect.vertical))
            }),
        });
        match picture.colour {
            Some(colour) => Self {
                colour: Colour::coded(colour),
                ..plain
            },
            None => plain,
        }
    }

    /// The same in the samples that encoders take, and of another size in pixels of the same
    /// shape.
    pub(crate) fn drawn(self, size: RungSize) -> Self {
        Self {
            size: SourceSize {
                width: size.width,
                height: size.height,
                ..self.size
            },
            pixel: Scaler::PIXEL,
            colour: Scaler::colour(self),
        }
    }

    pub(crate) fn is_full_range(self) -> bool {
        self.colour.range == color::Range::JPEG
    }

    /// What red and blue weigh in luma (ISO/IEC 23091-2, MatrixCoefficients). Where nothing is
    /// told, players guess by the size as well.
    pub(crate) fn luma_weights(self) -> (f32, f32) {
        const SD_LINES: u32 = 576;
        match self.colour.matrix {
            color::Space::BT2020NCL | color::Space::BT2020CL => (0.2627, 0.0593),
            color::Space::SMPTE170M | color::Space::BT470BG => (0.299, 0.114),
            color::Space::Unspecified if self.size.height <= SD_LINES => (0.299, 0.114),
            _ => (0.2126, 0.0722),
        }
    }

    /// Which share of the highest value is as bright as white paper is meant to be: with high
    /// dynamic range the rest is for highlights (ITU-R BT.2408, section 2.1).
    pub(crate) fn white(self) -> f32 {
        match self.colour.transfer {
            color::TransferCharacteristic::SMPTE2084 => 0.58,
            color::TransferCharacteristic::ARIB_STD_B67 => 0.75,
            _ => 1.0,
        }
    }
}

impl Colour {
    /// Of the numbers of ISO/IEC 23091-2, those that video is made with.
    fn coded(coded: CodedColour) -> Self {
        use color::{Primaries, Space, TransferCharacteristic as Transfer};
        Self {
            range: match coded.full_range {
                true => color::Range::JPEG,
                false => color::Range::MPEG,
            },
            primaries: match coded.primaries {
                1 => Primaries::BT709,
                5 => Primaries::BT470BG,
                6 => Primaries::SMPTE170M,
                9 => Primaries::BT2020,
                12 => Primaries::SMPTE432,
                _ => Primaries::Unspecified,
            },
            transfer: match coded.transfer {
                1 => Transfer::BT709,
                4 => Transfer::GAMMA22,
                5 => Transfer::GAMMA28,
                6 => Transfer::SMPTE170M,
                13 => Transfer::IEC61966_2_1,
                14 => Transfer::BT2020_10,
                15 => Transfer::BT2020_12,
                16 => Transfer::SMPTE2084,
                18 => Transfer::ARIB_STD_B67,
                _ => Transfer::Unspecified,
            },
            matrix: match coded.matrix {
                1 => Space::BT709,
                5 => Space::BT470BG,
                6 => Space::SMPTE170M,
                9 => Space::BT2020NCL,
                10 => Space::BT2020CL,
                _ => Space::Unspecified,
            },
        }
    }
}
