//! A picture to draw on: 8 bits of 4:2:0, in the levels of a source.

use crate::{av::PictureFormat, size::RungSize};

/// What is left of a last picture's light.
const DARKENED: f32 = 0.35;
/// Light of a plain slate.
const PLAIN: f32 = 0.08;
/// How much of the width the notice takes.
const NOTICE_WIDTH: f64 = 0.6;

/// The middle of chroma: grey.
const NEUTRAL: f32 = 128.0;

/// A picture to draw on.
pub(super) struct Canvas {
    size: RungSize,
    /// Width to height of a pixel.
    pixel_aspect: f64,
    levels: Levels,
    planes: Vec<Vec<u8>>,
}

/// Which values stand for which light.
#[derive(Clone, Copy)]
struct Levels {
    black: f32,
    white: f32,
    /// From the least to the most of a chroma sample.
    chroma: f32,
    red: f32,
    blue: f32,
}

impl Levels {
    fn luma(self, light: f32) -> f32 {
        self.black + (self.white - self.black) * light
    }

    /// Of a colour between 0 and 1.
    fn ycbcr(self, [red, green, blue]: [f32; 3]) -> [f32; 3] {
        let light = self.red * red + (1.0 - self.red - self.blue) * green + self.blue * blue;
        let cb = (blue - light) / (2.0 * (1.0 - self.blue));
        let cr = (red - light) / (2.0 * (1.0 - self.red));
        [
            self.luma(light),
            NEUTRAL + cb * self.chroma,
            NEUTRAL + cr * self.chroma,
        ]
    }
}

impl Canvas {
    /// Plain and dark. Both sides of `size` are even.
    pub(super) fn new(format: PictureFormat, size: RungSize) -> Self {
        let (black, brightest, chroma) = match format.drawn(size).is_full_range() {
            true => (0.0, 255.0, 255.0),
            false => (16.0, 235.0, 224.0),
        };
        let (red, blue) = format.luma_weights();
        let white = format.white();
        let levels = Levels {
            black,
            white: black + (brightest - black) * white,
            chroma: chroma * white,
            red,
            blue,
        };
        let (width, height) = (size.width as usize, size.height as usize);
        let chroma = vec![NEUTRAL as u8; width / 2 * (height / 2)];
        let plain = vec![levels.luma(PLAIN) as u8; width * height];
        let (horizontal, vertical) = match format.size.pixel_aspect {
            (0, _) | (_, 0) => (1, 1),
            aspect => aspect,
        };
        Self {
            size,
            pixel_aspect: f64::from(horizontal) / f64::from(vertical),
            levels,
            planes: vec![plain, chroma.clone(), chroma],
        }
    }

    /// Luma, then the two of chroma.
    pub(super) fn planes(&self) -> &[Vec<u8>] {
        &self.planes
    }

    /// The size in which an image of square pixels fits in as a whole.
    pub(super) fn fitting(&self, width: u32, height: u32) -> RungSize {
        let (width, height) = (f64::from(width.max(1)), f64::from(height.max(1)));
        let canvas_width = f64::from(self.size.width) * self.pixel_aspect;
        let scale = (canvas_width / width).min(f64::from(self.size.height) / height);
        self.even(width * scale / self.pixel_aspect, height * scale)
    }

    /// The size in which a notice of this shape is shown.
    pub(super) fn notice_size(&self, width: u32, height: u32) -> RungSize {
        let wide = f64::from(self.size.width) * NOTICE_WIDTH;
        let high = wide * self.pixel_aspect * f64::from(height) / f64::from(width.max(1));
        self.even(wide, high)
    }

    fn even(&self, width: f64, height: f64) -> RungSize {
        let even = |side: f64, most: u32| ((side / 2.0).round() as u32 * 2).clamp(2, most);
        RungSize {
            width: even(width, self.size.width),
            height: even(height, self.size.height),
        }
    }

    /// Becomes a picture of its own size with less light.
    pub(super) fn darken(&mut self, mut planes: Vec<Vec<u8>>) {
        let middles = [self.levels.black, NEUTRAL, NEUTRAL];
        for (plane, middle) in planes.iter_mut().zip(middles) {
            let darker =
                |value: u8| (middle + (f32::from(value) - middle) * DARKENED).round() as u8;
            // 256 values, millions of samples.
            let table: Vec<u8> = (0..=u8::MAX).map(darker).collect();
            plane
                .iter_mut()
                .for_each(|sample| *sample = table[usize::from(*sample)]);
        }
        self.planes = planes;
    }

    /// Lays white on it, in the middle, where `alpha` says how much.
    pub(super) fn write(&mut self, alpha: &[u8], size: RungSize) {
        let white = self.levels.white;
        self.lay(size, |at| {
            let alpha = f32::from(alpha.get(at).copied().unwrap_or(0)) / 255.0;
            ([white, NEUTRAL, NEUTRAL], alpha)
        });
    }

    /// Shows an image of four bytes a pixel (red, green, blue, alpha) on black, in the middle.
    pub(super) fn show(&mut self, rgba: &[u8], size: RungSize) {
        let levels = self.levels;
        for (plane, value) in self.planes.iter_mut().zip([levels.black, NEUTRAL, NEUTRAL]) {
            plane.fill(value as u8);
        }
        self.lay(size, |at| {
            let pixel = rgba.get(at * 4..at * 4 + 4).unwrap_or(&[0; 4]);
            let share = |value: u8| f32::from(value) / 255.0;
            let colour = [share(pixel[0]), share(pixel[1]), share(pixel[2])];
            (levels.ycbcr(colour), share(pixel[3]))
        });
    }

    /// Lays what `paint` says of each pixel over the middle: luma, chroma and how much of it. Both
    /// sides of `size` are even and no longer than the canvas's.
    fn lay(&mut self, size: RungSize, paint: impl Fn(usize) -> ([f32; 3], f32)) {
        let (width, height) = (size.width as usize, size.height as usize);
        let across = self.size.width as usize;
        let left = (across - width) / 4 * 2;
        let top = (self.size.height as usize - height) / 4 * 2;
        let [luma, cb, cr] = &mut self.planes[..] else {
            return;
        };
        for y in (0..height).step_by(2) {
            for x in (0..width).step_by(2) {
                let mut chroma = [0.0; 2];
                let mut covered = 0.0;
                for (x, y) in [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)] {
                    let ([light, blueness, redness], alpha) = paint(y * width + x);
                    let sample = &mut luma[(top + y) * across + left + x];
                    *sample = mix(*sample, light, alpha);
                    chroma[0] += blueness * alpha;
                    chroma[1] += redness * alpha;
                    covered += alpha;
                }
                if covered > 0.0 {
                    let at = (top + y) / 2 * (across / 2) + (left + x) / 2;
                    cb[at] = mix(cb[at], chroma[0] / covered, covered / 4.0);
                    cr[at] = mix(cr[at], chroma[1] / covered, covered / 4.0);
                }
            }
        }
    }
}

fn mix(below: u8, above: f32, alpha: f32) -> u8 {
    (f32::from(below) * (1.0 - alpha) + above * alpha).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::SourceSize;

    fn canvas(width: u32, height: u32, pixel_aspect: (u32, u32)) -> Canvas {
        let format = PictureFormat::plain(SourceSize {
            width,
            height,
            pixel_aspect,
        });
        Canvas::new(format, RungSize { width, height })
    }

    fn pixel(canvas: &Canvas, x: usize, y: usize) -> [u8; 3] {
        let width = canvas.size.width as usize;
        let chroma = y / 2 * (width / 2) + x / 2;
        [
            canvas.planes[0][y * width + x],
            canvas.planes[1][chroma],
            canvas.planes[2][chroma],
        ]
    }

    #[test]
    fn images_keep_their_shape() {
        let check = |canvas: Canvas, image: (u32, u32), expected| {
            let size = canvas.fitting(image.0, image.1);
            assert_eq!((size.width, size.height), expected, "{image:?}");
        };
        check(canvas(1280, 720, (1, 1)), (640, 360), (1280, 720));
        check(canvas(1280, 720, (1, 1)), (500, 500), (720, 720));
        check(canvas(1080, 1920, (0, 1)), (1920, 1080), (1080, 608));
        // Wide PAL: 1024 by 576 in square pixels.
        check(canvas(720, 576, (64, 45)), (500, 500), (406, 576));
        check(canvas(64, 64, (1, 1)), (u32::MAX, 1), (64, 2));
        check(canvas(2, 2, (u32::MAX, 1)), (1, 1), (2, 2));
    }

    #[test]
    fn colours_are_those_of_bt709() {
        let mut canvas = canvas(8, 4, (1, 1));
        let size = canvas.fitting(4, 4);
        assert_eq!((size.width, size.height), (4, 4));
        let red = [255, 0, 0, 255].repeat(16);
        canvas.show(&red, size);
        assert_eq!(pixel(&canvas, 0, 0), [16, 128, 128], "beside the image");
        assert_eq!(pixel(&canvas, 3, 1), [63, 102, 240]);
        let half_red = [255, 0, 0, 128].repeat(16);
        canvas.show(&half_red, size);
        assert_eq!(pixel(&canvas, 3, 1), [39, 115, 184], "over black");
    }

    #[test]
    fn a_picture_loses_light_but_not_its_blacks() {
        let mut canvas = canvas(4, 2, (1, 1));
        canvas.darken(vec![
            vec![16, 235, 126, 16, 16, 16, 16, 16],
            vec![128, 240],
            vec![16, 128],
        ]);
        assert_eq!(canvas.planes[0][..4], [16, 93, 55, 16]);
        assert_eq!(canvas.planes[1], [128, 167]);
        assert_eq!(canvas.planes[2], [89, 128]);
        canvas.write(
            &[255; 4],
            RungSize {
                width: 2,
                height: 2,
            },
        );
        assert_eq!(pixel(&canvas, 0, 0), [235, 128, 128]);
        assert_eq!(pixel(&canvas, 3, 0)[0], 16);
    }
}
