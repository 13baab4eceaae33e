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
const MAX_WIDTH: u64 = 8192;

/// The size of a rung that asks for `height` lines. It never has more lines than the source, and
/// keeps the picture's shape.
pub fn rung_size(source: SourceSize, height: u32) -> RungSize {
    let height = (height.min(source.height) & !1).max(2);
    let (horizontal, vertical) = match source.pixel_aspect {
        (0, _) | (_, 0) => (1, 1),
        aspect => aspect,
    };
    let wide = u128::from(height) * u128::from(source.width) * u128::from(horizontal);
    let high = u128::from(source.height.max(1)) * u128::from(vertical);
    let half_width = (wide + high) / (2 * high);
    let width = u64::try_from(half_width * 2)
        .unwrap_or(u64::MAX)
        .clamp(2, MAX_WIDTH);
    RungSize {
        width: width as u32,
        height,
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
        check((1080, 1920), (1, 1), 480, (270, 480));
        check((1440, 1080), (4, 3), 480, (854, 480)); // HDV
        check((720, 576), (16, 11), 480, (872, 480)); // PAL, wide
        check((639, 359), (1, 1), 480, (638, 358));
        check((1, 1), (1, 1), 480, (2, 2));
        check((1920, 1080), (65_535, 1), 480, (8192, 480));
        check((u32::MAX, u32::MAX), (u32::MAX, 1), 480, (8192, 480));
    }
}
