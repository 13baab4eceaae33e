//! Which content coding an answer is asked for in.

use weir_edge_abi::Encoding;

/// The best coding that `accept_encoding` (RFC 9110 section 12.5.3) takes: brotli before gzip, as
/// every browser takes both and brotli is smaller.
pub fn best(accept_encoding: &str) -> Encoding {
    let mut best = Encoding::Identity;
    for coding in accept_encoding.split(',') {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        if is_refused(parameters) {
            continue;
        }
        match name.trim() {
            "br" => return Encoding::Brotli,
            "gzip" | "x-gzip" => best = Encoding::Gzip,
            _ => {}
        }
    }
    best
}

/// A weight of nothing: `q=0`, `q=0.0`, …
fn is_refused(parameters: &str) -> bool {
    let weight = parameters.trim().strip_prefix("q=");
    weight.is_some_and(|weight| weight.bytes().all(|b| b == b'0' || b == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_those_taken_is_chosen() {
        for (accepted, expected) in [
            ("", Encoding::Identity),
            ("identity, deflate, zstd", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("gzip, deflate, br, zstd", Encoding::Brotli),
            ("br;q=0.5,gzip;q=1.0", Encoding::Brotli),
            ("br;q=0, gzip", Encoding::Gzip),
            ("br; q=0.000, gzip;q=0", Encoding::Identity),
            ("brotli", Encoding::Identity),
        ] {
            assert_eq!(best(accepted), expected, "{accepted}");
        }
    }
}
