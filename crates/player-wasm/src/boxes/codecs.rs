//! RFC 6381 codecs, of the tracks that an initialisation segment describes.

use alloc::string::String;
use alloc::vec::Vec;

use super::{each, find};

/// The codec of each track, in the order of the tracks: `avc1.64001f`, `mp4a.40.2`. Encrypted ones
/// are `encv` and `enca`.
pub fn codecs(init: &[u8]) -> Vec<String> {
    let Some(moov) = find(init, b"moov") else {
        return Vec::new();
    };
    let traks = each(moov).filter(|(kind, _)| *kind == b"trak");
    traks.filter_map(|(_, trak)| codec(trak)).collect()
}

fn codec(trak: &[u8]) -> Option<String> {
    let stsd = find(trak, b"mdiaminfstblstsd")?;
    // Version, flags and the number of entries.
    let (kind, entry) = each(stsd.get(8..)?).next()?;
    let mut codec = String::from(core::str::from_utf8(kind).ok()?);
    // What a picture or a sound has in common comes before the boxes of its codec.
    let (pictures, sounds) = (entry.get(78..), entry.get(28..));
    match kind {
        b"avc1" | b"avc3" => {
            codec.push('.');
            let [_, profile, compatible, level, ..] = *find(pictures?, b"avcC")? else {
                return None;
            };
            [profile, compatible, level]
                .into_iter()
                .for_each(|byte| hexadecimal(&mut codec, byte));
        }
        b"hvc1" | b"hev1" => hevc(&mut codec, find(pictures?, b"hvcC")?)?,
        b"av01" => {
            let [_, profile_and_level, details, ..] = *find(pictures?, b"av1C")? else {
                return None;
            };
            codec.push('.');
            decimal(&mut codec, profile_and_level >> 5, 1);
            codec.push('.');
            decimal(&mut codec, profile_and_level & 31, 2);
            codec.push(if details & 0x80 == 0 { 'M' } else { 'H' });
            codec.push('.');
            let depth = match (details & 0x40, details & 0x20) {
                (0, _) => 8,
                (_, 0) => 10,
                _ => 12,
            };
            decimal(&mut codec, depth, 2);
        }
        b"vp09" => {
            let [_, _, _, _, profile, level, depth, ..] = *find(pictures?, b"vpcC")? else {
                return None;
            };
            for number in [profile, level, depth >> 4] {
                codec.push('.');
                decimal(&mut codec, number, 2);
            }
        }
        b"mp4a" => {
            let (object_type, audio_type) = aac(find(sounds?, b"esds")?)?;
            codec.push('.');
            hexadecimal(&mut codec, object_type);
            if let Some(audio_type) = audio_type {
                codec.push('.');
                decimal(&mut codec, audio_type, 1);
            }
        }
        _ => {}
    }
    Some(codec)
}

/// `hvc1.1.6.L93.B0` (ISO/IEC 14496-15 annex E.3).
fn hevc(codec: &mut String, config: &[u8]) -> Option<()> {
    let profile = *config.get(1)?;
    codec.push('.');
    match profile >> 6 {
        0 => {}
        space => codec.push(char::from(b'A' - 1 + space)),
    }
    decimal(codec, profile & 31, 1);
    codec.push('.');
    let compatible = config
        .get(2..6)?
        .iter()
        .fold(0, |n: u32, b| n << 8 | u32::from(*b));
    let mut digits = String::new();
    let reversed = compatible.reverse_bits().to_be_bytes();
    reversed
        .into_iter()
        .for_each(|byte| hexadecimal(&mut digits, byte));
    codec.push_str(digits.trim_start_matches('0'));
    codec.push('.');
    codec.push(if profile & 32 == 0 { 'L' } else { 'H' });
    decimal(codec, *config.get(12)?, 1);
    let constraints = config.get(6..12)?;
    let told = constraints
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    for byte in constraints.iter().take(told) {
        codec.push('.');
        hexadecimal(codec, *byte);
    }
    Some(())
}

/// Object type, and for MPEG-4 audio its audio object type (ISO/IEC 14496-1 section 7.2.6).
fn aac(esds: &[u8]) -> Option<(u8, Option<u8>)> {
    let mut rest = esds.get(4..)?;
    let mut object_type = None;
    // Descriptors, each in the one before it: what they begin with is stepped over.
    for (tag, fixed) in [(3, 3), (4, 13), (5, 0)] {
        let (&found, after) = rest.split_first()?;
        if found != tag {
            return object_type.map(|object_type| (object_type, None));
        }
        // A length in up to four bytes, the last of which has no high bit.
        let length = after.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
        let body = after.get(length..)?;
        if tag == 4 {
            object_type = body.first().copied();
        }
        rest = body.get(fixed..)?;
    }
    let audio_type = match *rest {
        [first, second, ..] if first >> 3 == 31 => 32 + ((first & 7) << 3 | second >> 5),
        [first, ..] => first >> 3,
        [] => return Some((object_type?, None)),
    };
    Some((object_type?, Some(audio_type)))
}

fn hexadecimal(text: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
    }
}

fn decimal(text: &mut String, number: u8, width: usize) {
    for (place, scale) in [(3, 100), (2, 10), (1, 1)] {
        if number >= scale || width >= place {
            text.push(char::from(b'0' + number / scale % 10));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::boxed;
    use super::*;

    fn init(kind: &[u8; 4], common: usize, config: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let entry = [vec![0; common], boxed(config, payload)].concat();
        let stsd = [vec![0, 0, 0, 0, 0, 0, 0, 1], boxed(kind, &entry)].concat();
        let stbl = boxed(b"stbl", &boxed(b"stsd", &stsd));
        let mdia = boxed(b"mdia", &boxed(b"minf", &stbl));
        let trak = boxed(b"trak", &[boxed(b"tkhd", &[0; 84]), mdia].concat());
        boxed(b"moov", &[boxed(b"mvhd", &[0; 100]), trak].concat())
    }

    #[test]
    fn names_codecs() {
        let check = |kind, common, config, payload: &[u8], expected: &str| {
            assert_eq!(codecs(&init(kind, common, config, payload)), [expected]);
        };
        check(
            b"avc1",
            78,
            b"avcC",
            &[1, 0x4d, 0x40, 0x0d, 0xff],
            "avc1.4d400d",
        );
        let main = [1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93];
        check(b"hvc1", 78, b"hvcC", &main, "hvc1.1.6.L93.90");
        check(
            b"av01",
            78,
            b"av1C",
            &[0x81, 0x08, 0x0c, 0],
            "av01.0.08M.08",
        );
        check(
            b"vp09",
            78,
            b"vpcC",
            &[1, 0, 0, 0, 0, 31, 0x82, 1],
            "vp09.00.31.08",
        );
        let esds = [
            &[
                0, 0, 0, 0, 3, 0x80, 0x80, 0x80, 0x22, 0, 1, 0, 4, 20, 0x40, 0x15,
            ][..],
            &[0; 11],
            &[5, 2, 0x12, 0x10],
        ];
        check(b"mp4a", 28, b"esds", &esds.concat(), "mp4a.40.2");
        check(b"Opus", 28, b"dOps", &[0; 11], "Opus");
        check(b"encv", 78, b"sinf", &[], "encv");
    }
}
