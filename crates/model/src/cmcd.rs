//! Common Media Client Data (CTA-5004): what a player says of itself with its requests.
//!
//! Read are the keys `br`, `bl`, `bs`, `mtp`, `ot` and `su`, which versions 1 and 2 share. Whatever
//! else is there, and whatever is malformed, is passed over: nothing depends on it but counters.

/// Most bytes of one source that are looked at.
const MAX_LEN: usize = 1024;

/// What kind of object a player asks for (`ot`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectType {
    /// `m`: a playlist or manifest.
    Manifest,
    /// `a`: audio alone.
    Audio,
    /// `v`: video alone.
    Video,
    /// `av`: audio and video together.
    AudioVideo,
    /// `i`: an initialisation segment.
    Init,
    /// `c`: captions or subtitles.
    Caption,
    /// `tt`: timed text in ISO BMFF.
    TimedText,
    /// `k`: a key, licence or certificate.
    Key,
    /// `o`: something else.
    Other,
}

impl ObjectType {
    /// Every type, with its token, in the order of their numbers.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Manifest, "m"),
        (Self::Audio, "a"),
        (Self::Video, "v"),
        (Self::AudioVideo, "av"),
        (Self::Init, "i"),
        (Self::Caption, "c"),
        (Self::TimedText, "tt"),
        (Self::Key, "k"),
        (Self::Other, "o"),
    ];

    /// 1 to 9.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The type with this [`Self::number`].
    pub fn from_number(number: u8) -> Option<Self> {
        let index = usize::from(number).checked_sub(1)?;
        Self::ALL.get(index).map(|(kind, _)| *kind)
    }

    /// The token in `ot`.
    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn from_token(token: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(_, known)| *known == token)
            .map(|(kind, _)| *kind)
    }
}

/// What one request said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cmcd {
    /// `ot`.
    pub object_type: Option<ObjectType>,
    /// `su`: the object is needed urgently, to start or after a seek or an empty buffer.
    pub startup: bool,
    /// `bs`: the buffer ran empty since the request before.
    pub starved: bool,
    /// `br`: the object's encoded bitrate in kbit/s.
    pub bitrate_kbps: Option<u32>,
    /// `mtp`: throughput that the player measured, in kbit/s.
    pub throughput_kbps: Option<u32>,
    /// `bl`: media in the buffer, in milliseconds.
    pub buffer_ms: Option<u32>,
}

impl Cmcd {
    /// Reads the values of the `CMCD-*` header fields joined by commas, or else the query's `CMCD`
    /// parameter. `None` if neither says anything that is known.
    pub fn of_request(fields: &str, query: &str) -> Option<Self> {
        if !fields.is_empty() {
            return Self::parse(fields.bytes());
        }
        let value = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("CMCD="))?;
        Self::parse(PercentDecoded(value.bytes()))
    }

    fn parse(text: impl Iterator<Item = u8>) -> Option<Self> {
        let mut cmcd = Self::default();
        // No key or value that is looked for is longer.
        let mut word = Word::default();
        let mut quoted = false;
        for byte in text.take(MAX_LEN).chain([b',']) {
            match byte {
                b'"' => {
                    quoted = !quoted;
                    word.push(byte);
                }
                b',' if !quoted => {
                    cmcd.take(word.as_str());
                    word = Word::default();
                }
                _ => word.push(byte),
            }
        }
        (cmcd != Self::default()).then_some(cmcd)
    }

    fn take(&mut self, pair: &str) {
        let (key, value) = match pair.trim_matches(' ').split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (pair.trim_matches(' '), None),
        };
        match (key, value) {
            ("ot", Some(token)) => self.object_type = ObjectType::from_token(token),
            // A key without a value is true (RFC 8941 section 3.1.2).
            ("su", value) => self.startup = is_true(value),
            ("bs", value) => self.starved = is_true(value),
            ("br", Some(number)) => self.bitrate_kbps = integer(number),
            ("mtp", Some(number)) => self.throughput_kbps = integer(number),
            ("bl", Some(number)) => self.buffer_ms = integer(number),
            _ => {}
        }
    }
}

fn is_true(value: Option<&str>) -> bool {
    matches!(value, None | Some("true" | "?1"))
}

/// Version 1 has an integer; version 2 a list of them, `(3000;v 128;a)`, of which the first counts.
fn integer(value: &str) -> Option<u32> {
    let value = value.trim_start_matches('(');
    let end = value.find(|c: char| !c.is_ascii_digit());
    value.get(..end.unwrap_or(value.len()))?.parse().ok()
}

/// The start of a key and its value.
#[derive(Default)]
struct Word {
    bytes: [u8; 24],
    len: usize,
}

impl Word {
    /// What does not fit cannot be anything known, or is the end of a list.
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// Bytes of a query's value (RFC 3986 section 2.1); what is no escape stays as it is.
struct PercentDecoded<'a>(std::str::Bytes<'a>);

impl Iterator for PercentDecoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let byte = self.0.next()?;
        if byte != b'%' {
            return Some(byte);
        }
        let mut ahead = self.0.clone();
        let mut digit = || char::from(ahead.next()?).to_digit(16);
        let Some((high, low)) = digit().zip(digit()) else {
            return Some(byte);
        };
        self.0 = ahead;
        Some((16 * high + low) as u8)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_fields_and_queries() {
        let whole = Cmcd {
            object_type: Some(ObjectType::Video),
            startup: true,
            starved: true,
            bitrate_kbps: Some(3200),
            throughput_kbps: Some(25_400),
            buffer_ms: Some(21_300),
        };
        let fields = "br=3200,d=4004,ot=v,tb=6000,bl=21300,mtp=25400,su,bs,sid=\"a,bl=1\"";
        assert_eq!(Cmcd::of_request(fields, "CMCD=br%3D1"), Some(whole));
        let query = "x=1&CMCD=bl%3D21300%2Cbr%3D3200%2Cbs%2Ccid%3D%22a%2Cbl%3D9%22%2Cmtp%3d25400%2Cot%3Dv%2Csu&y";
        assert_eq!(Cmcd::of_request("", query), Some(whole));
    }

    #[test]
    fn reads_lists_of_version_2() {
        let cmcd = Cmcd::of_request("br=(5000;v 128;a),bl=(300),su=?0,v=2", "").unwrap();
        assert_eq!(cmcd.bitrate_kbps, Some(5000));
        assert_eq!(cmcd.buffer_ms, Some(300));
        assert!(!cmcd.startup);
    }

    #[test]
    fn passes_over_the_rest() {
        for text in [
            "",
            ",",
            "br",
            "br=",
            "br=x",
            "br=99999999999",
            "ot=z",
            "nor=\"..%2f\"",
            "=1",
        ] {
            assert_eq!(Cmcd::of_request(text, ""), None, "{text}");
        }
        assert_eq!(Cmcd::of_request("", "cmcd=bs"), None);
        assert_eq!(Cmcd::of_request("", "CMCD=%"), None);
        let late = format!("{},bs", "x".repeat(MAX_LEN));
        assert_eq!(Cmcd::of_request(&late, ""), None);
    }

    #[test]
    fn numbers_return() {
        for (kind, token) in ObjectType::ALL {
            assert_eq!(ObjectType::from_number(kind.number()), Some(kind));
            assert_eq!(kind.as_str(), token);
        }
        assert_eq!(ObjectType::from_number(0), None);
        assert_eq!(ObjectType::from_number(10), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(fields in "\\PC{0,60}", query in "(CMCD=)?[%0-9a-f=,\"a-z]{0,60}") {
            let _ = Cmcd::of_request(&fields, "");
            let _ = Cmcd::of_request("", &query);
        }
    }
}
