//! How large a rung's pictures are.

/// Size of decoded pictures and the shape of their pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceSize {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Width to height of a pixel; zero in either place means square.
    pub pixel_aspect: (u32, u32),
}

/// Size in square pixels, both even, as 4:2:0 needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RungSize {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Beyond every level of H.264; an absurd pixel aspect would lead there.
const LONGEST_SIDE: u64 = 8192;

/// The size of a rung that asks for so many lines. They are counted across the shorter side, as
/// people do who call a picture of 1080 by 1920 one of 1080p. It never has more lines than the
/// source, and keeps the picture's shape.
pub fn rung_size(source: SourceSize, lines: u32) -> RungSize {
    let (horizontal, vertical) = match source.pixel_aspect {
        (0, _) | (_, 0) => (1, 1),
        aspect => aspect,
    };
    // Both sides as they are shown, in the same unit.
    let wide = u128::from(source.width.max(1)) * u128::from(horizontal);
    let high = u128::from(source.height.max(1)) * u128::from(vertical);
    let (short, long) = (wide.min(high), wide.max(high));
    let source_lines = short / u128::from(vertical);
    let lines = u128::from(lines).min(source_lines) / 2 * 2;
    let lines = lines.max(2);
    let half_long = (lines * long + short) / (2 * short);
    let side = |length: u128| {
        u64::try_from(length)
            .unwrap_or(u64::MAX)
            .clamp(2, LONGEST_SIDE)
    };
    let (short, long) = (side(lines) as u32, side(half_long * 2) as u32);
    match wide < high {
        true => RungSize {
            width: short,
            height: long,
        },
        false => RungSize {
            width: long,
            height: short,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_shape_and_never_grows() {
        let check = |(width, height), pixel_aspect, asked, expected| {
            let source = SourceSize {
                width,
                height,
                pixel_aspect,
            };
            let size = rung_size(source, asked);
            assert_eq!((size.width, size.height), expected, "{source:?} at {asked}");
        };
        check((1920, 1080), (1, 1), 480, (854, 480));
        check((1280, 720), (0, 1), 480, (854, 480));
        check((640, 360), (1, 1), 480, (640, 360));
        check((1080, 1920), (1, 1), 720, (720, 1280));
        check((1080, 1920), (1, 1), 480, (480, 854));
        check((1080, 1920), (1, 1), 1440, (1080, 1920));
        check((1000, 1000), (1, 1), 480, (480, 480));
        check((960, 1920), (2, 1), 480, (480, 480));
        check((1440, 1080), (4, 3), 480, (854, 480)); // HDV
        check((720, 576), (16, 11), 480, (872, 480)); // PAL, wide
        check((639, 359), (1, 1), 480, (638, 358));
        check((1, 1), (1, 1), 480, (2, 2));
        check((1920, 1080), (65_535, 1), 480, (8192, 480));
        check((u32::MAX, u32::MAX), (u32::MAX, 1), 480, (8192, 480));
    }
}
