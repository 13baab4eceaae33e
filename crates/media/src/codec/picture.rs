//! What a configuration tells of its pictures, whatever the codec.

/// Size, shape, rate and colour of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels, after cropping; at least 1.
    pub width: u32,
    /// Height in pixels, after cropping; at least 1.
    pub height: u32,
    /// Shape of a pixel; square when not told.
    pub pixel_aspect: Option<PixelAspect>,
    /// Nominal frame rate, when the stream tells a believable one.
    pub frame_rate: Option<FrameRate>,
    /// Colour description, when the stream tells one.
    pub colour: Option<Colour>,
}

impl Picture {
    /// Width in square pixels, as a viewer sees it.
    pub fn display_width(&self) -> u32 {
        let Some(aspect) = self.pixel_aspect else {
            return self.width;
        };
        let (horizontal, vertical) = (u64::from(aspect.horizontal), u64::from(aspect.vertical));
        let width = (u64::from(self.width) * horizontal + vertical / 2) / vertical;
        u32::try_from(width).unwrap_or(self.width)
    }

    /// What people call its size, the 1080 of 1080p: the shorter side as a viewer sees it, so that
    /// an upright picture has as many lines as the same one lying down.
    pub fn lines(&self) -> u32 {
        self.display_width().min(self.height)
    }
}

/// Shape of a pixel, width to height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelAspect {
    /// Horizontal size in arbitrary units, at least 1.
    pub horizontal: u16,
    /// Vertical size in the same units, at least 1.
    pub vertical: u16,
}

/// Pictures per second as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    /// Pictures ...
    pub numerator: u32,
    /// ... in so many seconds, at least 1.
    pub denominator: u32,
}

impl FrameRate {
    /// Pictures per second.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// The rate of pictures that last `ticks` of `time_scale` ticks a second, if it is between 1
    /// and 300. Encoders of variable rate write their clock instead (x264 does: a tick of
    /// 1/180,000 s), which is no frame rate.
    pub(super) fn of_ticks(ticks: u64, time_scale: u32) -> Option<Self> {
        const MAX_RATE: u64 = 300;
        let most = ticks.checked_mul(MAX_RATE)?;
        if ticks == 0 || !(ticks..=most).contains(&u64::from(time_scale)) {
            return None;
        }
        let divisor = greatest_common_divisor(u64::from(time_scale), ticks);
        Some(Self {
            numerator: u32::try_from(u64::from(time_scale) / divisor).ok()?,
            denominator: u32::try_from(ticks / divisor).ok()?,
        })
    }
}

/// How sample values mean colours; the numbers are those of ISO/IEC 23091-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// ColourPrimaries.
    pub primaries: u8,
    /// TransferCharacteristics.
    pub transfer: u8,
    /// MatrixCoefficients.
    pub matrix: u8,
    /// Whether samples use the full range of values.
    pub full_range: bool,
}

impl Colour {
    /// A description in which every value says that it is not described.
    pub(super) const UNSPECIFIED: Self = Self {
        primaries: 2,
        transfer: 2,
        matrix: 2,
        full_range: false,
    };

    /// Whether nothing speaks against BT.709 in studio range, which the codecs parameters of AV1
    /// and VP9 stand for where they stop early.
    pub(super) fn may_be_bt709(&self) -> bool {
        let values = [self.primaries, self.transfer, self.matrix];
        values.iter().all(|value| matches!(value, 1 | 2)) && !self.full_range
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_across_the_shorter_side() {
        let check = |width, height, aspect: Option<(u16, u16)>, expected| {
            let picture = Picture {
                width,
                height,
                pixel_aspect: aspect.map(|(horizontal, vertical)| PixelAspect {
                    horizontal,
                    vertical,
                }),
                frame_rate: None,
                colour: None,
            };
            assert_eq!(picture.lines(), expected, "{width}x{height} {aspect:?}");
        };
        check(1920, 1080, None, 1080);
        check(1080, 1920, None, 1080);
        check(1440, 1080, Some((4, 3)), 1080);
        check(480, 576, Some((16, 11)), 576);
        check(480, 720, Some((1, 2)), 240);
    }
}
