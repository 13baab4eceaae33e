//! What each encoder is told so that a picture in is a picture out, IDR pictures are where they
//! are asked for, and the bitrate holds over a second.

use ffmpeg_next::Dictionary;
use weir_media::framing::{EncoderChoice, VideoCodec};

use super::{EncoderOptions, StillCodec, encode::Coding, processors};

/// Longest GOP: as good as endless, a segment begins where the source's does.
const ENDLESS: &str = "1000000000";

/// A picture in is a picture out, and an IDR picture where one is asked for.
const X265: &str = "keyint=-1:scenecut=0:open-gop=0:bframes=0:rc-lookahead=0:frame-threads=1:\
                    repeat-headers=1:info=0:log-level=none";

/// Which encoders may make a rung, the one to prefer first.
pub(crate) fn candidates(codec: VideoCodec, choice: EncoderChoice) -> &'static [EncoderChoice] {
    match (choice, codec) {
        (EncoderChoice::Auto, VideoCodec::H264) => &[EncoderChoice::H264Nvenc, EncoderChoice::X264],
        (EncoderChoice::Auto, VideoCodec::Hevc) | (EncoderChoice::X265, _) => {
            &[EncoderChoice::X265]
        }
        (EncoderChoice::Auto, VideoCodec::Av1) | (EncoderChoice::SvtAv1, _) => {
            &[EncoderChoice::SvtAv1]
        }
        (EncoderChoice::X264, _) => &[EncoderChoice::X264],
        (EncoderChoice::H264Nvenc, _) => &[EncoderChoice::H264Nvenc],
        (EncoderChoice::H264Vaapi, _) => &[EncoderChoice::H264Vaapi],
    }
}

/// What an encoder that cannot be opened most likely lacks.
pub(crate) fn needs(encoder: EncoderChoice) -> &'static str {
    match encoder {
        EncoderChoice::H264Nvenc => {
            "it needs an NVIDIA graphics card with its driver (libcuda and libnvidia-encode)"
        }
        EncoderChoice::H264Vaapi => {
            "this build uploads no pictures for VA-API; take h264_nvenc or libx264"
        }
        _ => "it needs an FFmpeg built with it, and a preset that it knows",
    }
}

/// Options for `avcodec_open2`.
pub(super) fn dictionary(options: &EncoderOptions<'_>) -> Dictionary<'static> {
    let bitrate = format!("{}k", options.bitrate_kbps);
    let mut all = Dictionary::new();
    all.set("b", &bitrate);
    if options.encoder != EncoderChoice::SvtAv1 {
        // SVT-AV1 takes a peak for a wish to exceed the mean.
        all.set("maxrate", &bitrate);
        all.set("bufsize", &bitrate);
        all.set("g", ENDLESS);
    }
    match options.encoder {
        EncoderChoice::Auto | EncoderChoice::X264 => x264(&mut all, options),
        EncoderChoice::H264Nvenc => nvenc(&mut all, options),
        EncoderChoice::H264Vaapi => {}
        EncoderChoice::X265 => x265(&mut all, options),
        EncoderChoice::SvtAv1 => svt_av1(&mut all, options),
    }
    all
}

fn x264(all: &mut Dictionary<'_>, options: &EncoderOptions<'_>) {
    all.set("preset", options.preset.unwrap_or(x264_preset(options)));
    // No lookahead, no B-frames: a picture in is a picture out. libav undoes the tune's sliced
    // threads, which would leave a picture of delay for each thread.
    all.set("tune", "zerolatency");
    all.set("thread_type", "slice");
    all.set("threads", &slices(options).to_string());
    all.set("forced-idr", "1");
    all.set("sc_threshold", "0");
}

/// What takes two thirds of the time costs small pictures next to nothing (docs/ladder.md).
fn x264_preset(options: &EncoderOptions<'_>) -> &'static str {
    const SMALL: u32 = 480;
    match options.size.width.min(options.size.height) <= SMALL {
        true => "superfast",
        false => "veryfast",
    }
}

fn x265(all: &mut Dictionary<'_>, options: &EncoderOptions<'_>) {
    all.set("preset", options.preset.unwrap_or("ultrafast"));
    all.set("tune", "zerolatency");
    all.set("forced-idr", "1");
    all.set("x265-params", X265);
}

fn svt_av1(all: &mut Dictionary<'_>, options: &EncoderOptions<'_>) {
    all.set("preset", options.preset.unwrap_or("10"));
    all.set(
        "svtav1-params",
        "pred-struct=1:rc=2:keyint=-1:scd=0:enable-tf=0:lookahead=0",
    );
}

/// Whether an encoder codes an IDR picture where one is asked for. SVT-AV1 does so only with a
/// lookahead and without a bitrate.
pub(super) fn places_idr(encoder: EncoderChoice) -> bool {
    encoder != EncoderChoice::SvtAv1
}

fn nvenc(all: &mut Dictionary<'_>, options: &EncoderOptions<'_>) {
    all.set("preset", options.preset.unwrap_or("p4"));
    all.set("tune", "ull");
    all.set("rc", "cbr");
    for (key, value) in [("zerolatency", "1"), ("delay", "0"), ("bf", "0")] {
        all.set(key, value);
    }
    all.set("forced-idr", "1");
    all.set("no-scenecut", "1");
}

/// Slices of one picture are coded side by side. Each costs bitrate at its seams, and rungs are
/// coded side by side anyway, so that there are only as many as keep a picture's time short.
fn slices(options: &EncoderOptions<'_>) -> usize {
    /// Pixels a second that one thread codes at ease.
    const EASE: f64 = 64e6;
    const MOST: usize = 4;
    let pixels = f64::from(options.size.width) * f64::from(options.size.height);
    let rate = pixels * options.frame_rate.as_f64();
    ((rate / EASE).ceil() as usize).clamp(1, MOST.min(processors()))
}

/// Constant quality, and no picture shown before another that was coded first.
pub(super) fn still(codec: StillCodec) -> Coding {
    let mut options = Dictionary::new();
    let mut tell =
        |all: &[(&str, &str)]| all.iter().for_each(|(key, value)| options.set(key, value));
    tell(&[("b", "0"), ("g", ENDLESS)]);
    let name = match codec {
        StillCodec::H264 => {
            // So much of a lookahead is enough to see that nothing moves, and the default's holds
            // forty pictures.
            tell(&[("preset", "veryfast"), ("crf", "25"), ("bf", "0")]);
            tell(&[("rc-lookahead", "5"), ("threads", "1")]);
            tell(&[("sc_threshold", "0")]);
            "libx264"
        }
        StillCodec::Hevc => {
            tell(&[("preset", "ultrafast"), ("tune", "zerolatency")]);
            tell(&[("crf", "24"), ("x265-params", X265)]);
            "libx265"
        }
        StillCodec::Av1 => {
            let params = "pred-struct=1:keyint=-1:scd=0:enable-tf=0";
            tell(&[("preset", "10"), ("crf", "35"), ("svtav1-params", params)]);
            "libsvtav1"
        }
        StillCodec::Vp9 => {
            tell(&[("deadline", "good"), ("cpu-used", "5"), ("crf", "33")]);
            tell(&[
                ("lag-in-frames", "0"),
                ("auto-alt-ref", "0"),
                ("row-mt", "1"),
            ]);
            "libvpx-vp9"
        }
    };
    Coding {
        name,
        options,
        places_idr: false,
    }
}
