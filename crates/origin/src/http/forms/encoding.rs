//! Content codings (RFC 9110 section 8.4.1).

use std::io::{self, Write};

use axum::http::{HeaderMap, header};
use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// `gzip` (RFC 1952).
    Gzip,
    /// `br` (RFC 7932).
    Brotli,
}

/// Of 0 to 11. A live playlist takes some 45 µs (`bench forms`); the next one takes a quarter longer
/// for nothing less.
const BROTLI_QUALITY: i32 = 5;

/// Window of brotli as a power of two: all lists but the longest fit. From 16 down the library looks
/// for repeats in a way of its own, which takes a live playlist 25 times as long and finds less.
const BROTLI_WINDOW: i32 = 18;

impl Encoding {
    /// The word in header fields and counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }

    /// The one that `Accept-Encoding` likes best; of equals the smallest (RFC 9110 section 12.5.3).
    /// Whoever sends none gets none.
    pub fn accepted(head: &HeaderMap) -> Self {
        let fields = head.get_all(header::ACCEPT_ENCODING).iter();
        let members = fields.filter_map(|field| field.to_str().ok());
        let mut best = (Self::Identity, 0);
        for member in members.flat_map(|field| field.split(',')) {
            let (coding, weight) = member.split_once(';').unwrap_or((member, "q=1"));
            let offered = match coding.trim() {
                coding if coding.eq_ignore_ascii_case("br") => Self::Brotli,
                coding if coding.eq_ignore_ascii_case("gzip") => Self::Gzip,
                _ => continue,
            };
            let weight = thousandths(weight).unwrap_or(0);
            let better = weight > best.1 || (weight == best.1 && offered == Self::Brotli);
            if weight > 0 && better {
                best = (offered, weight);
            }
        }
        best.0
    }

    /// `body` in this coding; `None` if it would not be smaller. Takes the time that it takes.
    pub fn encode(self, body: &[u8]) -> Option<Vec<u8>> {
        let coded = match self {
            Self::Identity => return None,
            Self::Gzip => gzip(body),
            Self::Brotli => brotli(body),
        };
        // Writing into memory cannot fail.
        coded.ok().filter(|coded| coded.len() < body.len())
    }
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}

fn brotli(mut body: &[u8]) -> io::Result<Vec<u8>> {
    let parameters = BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW,
        size_hint: body.len(),
        ..BrotliEncoderParams::default()
    };
    let mut coded = Vec::with_capacity(body.len() / 4);
    brotli::BrotliCompress(&mut body, &mut coded, &parameters)?;
    Ok(coded)
}

/// `q=0.5`, in thousandths.
fn thousandths(weight: &str) -> Option<u32> {
    let (name, value) = weight.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value: f32 = value.trim().parse().ok()?;
    (0.0..=1.0)
        .contains(&value)
        .then_some((value * 1000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(accepted: &'static str, expected: Encoding) {
        let value = HeaderValue::from_static(accepted);
        let head = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]);
        assert_eq!(Encoding::accepted(&head), expected, "{accepted}");
    }

    #[test]
    fn the_best_liked_is_taken() {
        check("br", Encoding::Brotli);
        check("gzip", Encoding::Gzip);
        check("identity", Encoding::Identity);
        check("gzip, deflate, BR", Encoding::Brotli);
        check("br, gzip", Encoding::Brotli);
        check("br;q=0.5, gzip;q=0.8", Encoding::Gzip);
        check("br;q=0, gzip;q=0", Encoding::Identity);
        check("br;q=2", Encoding::Identity);
        check("br;level=3", Encoding::Identity);
        check("", Encoding::Identity);
        assert_eq!(Encoding::accepted(&HeaderMap::new()), Encoding::Identity);
    }

    #[test]
    fn what_would_grow_stays_as_it_is() {
        assert_eq!(Encoding::Gzip.encode(b"#EXTM3U"), None);
        assert_eq!(Encoding::Brotli.encode(b""), None);
        assert_eq!(Encoding::Identity.encode(&[0; 4096]), None);
    }

    #[test]
    fn decodes_to_what_it_was() {
        let body = "#EXTINF:2.00000,\n../1/source/7.m4s\n".repeat(300);
        let coded = Encoding::Gzip.encode(body.as_bytes()).unwrap();
        let mut decoded = String::new();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*coded), &mut decoded).unwrap();
        assert_eq!(decoded, body);

        let coded = Encoding::Brotli.encode(body.as_bytes()).unwrap();
        assert!(coded.len() < body.len() / 20, "{}", coded.len());
        let mut decoded = Vec::new();
        brotli::BrotliDecompress(&mut &*coded, &mut decoded).unwrap();
        assert_eq!(decoded, body.as_bytes());
    }
}
