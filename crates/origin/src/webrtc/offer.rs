//! Offers as WHIP and WHEP clients make them (RFC 8866, RFC 9429), cut down to what is taken here.
//!
//! Of the first section of pictures and the first of sound only H.264 with packetization-mode 1
//! (RFC 6184) and Opus (RFC 7587) stay, with their retransmissions; the answer refuses the rest by
//! leaving it out. Candidates go: a server that is ICE-lite (RFC 8445 section 2.5) learns where
//! its peers are from their checks. So does simulcast, and one direction of media.

use thiserror::Error;

/// Most `m=` sections of an offer.
const MOST_SECTIONS: usize = 16;
/// Most payload types of a codec that stay, retransmissions aside.
const MOST_PAYLOADS: usize = 8;

/// Which way the media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// From the client to here.
    Publish,
    /// From here to the client.
    Play,
}

/// An offer that is no offer, or that offers nothing of use.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidOffer {
    /// It does not begin as session descriptions do.
    #[error("the offer is no session description: it does not begin with v=0")]
    NoDescription,
    /// A line is no line.
    #[error("line {0} of the offer is not a letter, an equals sign and a value")]
    Line(usize),
    /// There is nothing to negotiate.
    #[error("the offer has no section of media")]
    NoMedia,
    /// There is too much.
    #[error("the offer has more than {MOST_SECTIONS} sections of media")]
    TooManySections,
    /// A section of media has no payload types.
    #[error("a section of media in the offer can't be read: {0:?}")]
    Section(String),
    /// Without credentials nobody can be recognised.
    #[error("the offer has no a=ice-ufrag")]
    NoIce,
}

/// An offer that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is left of it.
    pub sdp: String,
    /// The client's ICE user name fragment.
    pub ufrag: String,
    /// Names of its sections of media.
    pub mids: Vec<String>,
    /// Names of all codecs that were offered, for a client of which none is taken.
    pub codecs: Vec<String>,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// [`InvalidOffer`], which says what is wrong for a person to read.
    pub fn parse(sdp: &str, purpose: Purpose) -> Result<Self, InvalidOffer> {
        let lines: Vec<&str> = sdp.lines().map(str::trim_end).collect();
        if lines.first() != Some(&"v=0") {
            return Err(InvalidOffer::NoDescription);
        }
        let is_line = |line: &&str| matches!(line.as_bytes(), [b'a'..=b'z', b'=', ..]);
        if let Some(at) = lines.iter().position(|line| !is_line(line)) {
            return Err(InvalidOffer::Line(at + 1));
        }
        let mut sections = lines.chunk_by(|_, line| !line.starts_with("m="));
        // There is a first line, so that there is a first chunk.
        let session = sections.next().unwrap_or_default();
        let sections: Vec<&[&str]> = sections.collect();
        match sections.len() {
            0 => return Err(InvalidOffer::NoMedia),
            1..=MOST_SECTIONS => {}
            _ => return Err(InvalidOffer::TooManySections),
        }
        let ufrag = lines
            .iter()
            .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
            .ok_or(InvalidOffer::NoIce)?;
        let session_direction = direction(session).unwrap_or("sendrecv");

        let mut offer = Self {
            sdp: String::with_capacity(sdp.len()),
            ufrag: ufrag.to_owned(),
            mids: Vec::new(),
            codecs: Vec::new(),
        };
        for line in session.iter().filter(|line| !is_direction(line)) {
            offer.put(line);
        }
        let mut taken: Vec<&str> = Vec::new();
        for lines in sections {
            let section = Section::parse(lines)?;
            let mut names = lines.iter().filter_map(|line| line.strip_prefix("a=mid:"));
            offer.mids.extend(names.next().map(str::to_owned));
            offer.codecs.extend(section.codecs().map(str::to_owned));
            let first = !taken.contains(&section.kind);
            let mut payloads = match first {
                true => section.usable_payloads(),
                false => Vec::new(),
            };
            let mut direction = direction(lines).unwrap_or(session_direction);
            if payloads.is_empty() {
                // Refused, which is said of something.
                payloads.extend(section.payloads.first().copied());
                direction = "inactive";
            } else {
                taken.push(section.kind);
            }
            offer.put_section(&section, &payloads, purpose.narrow(direction));
        }
        offer.codecs.sort_unstable();
        offer.codecs.dedup();
        Ok(offer)
    }

    fn put(&mut self, line: &str) {
        self.sdp.push_str(line);
        self.sdp.push_str("\r\n");
    }

    fn put_section(&mut self, section: &Section<'_>, payloads: &[&str], direction: &str) {
        let Section { head, lines, .. } = section;
        self.put(&format!("m={head} {}", payloads.join(" ")));
        for line in lines.iter().skip(1) {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let stays = match name {
                "a=rtpmap" | "a=fmtp" | "a=rtcp-fb" => {
                    let payload = value.split(' ').next().unwrap_or_default();
                    payload == "*" || payloads.contains(&payload)
                }
                "a=candidate" | "a=end-of-candidates" | "a=rid" | "a=simulcast" => false,
                _ => !is_direction(line),
            };
            if stays {
                self.put(line);
            }
        }
        self.put(&format!("a={direction}"));
    }
}

impl Purpose {
    /// The direction in the offer that leaves the one that is wanted.
    fn narrow(self, offered: &str) -> &str {
        match (self, offered) {
            (Self::Publish, "sendrecv") => "sendonly",
            (Self::Play, "sendrecv") => "recvonly",
            _ => offered,
        }
    }
}

/// One `m=` section.
struct Section<'a> {
    /// Kind, port and protocol.
    head: &'a str,
    kind: &'a str,
    payloads: Vec<&'a str>,
    lines: &'a [&'a str],
}

impl<'a> Section<'a> {
    fn parse(lines: &'a [&'a str]) -> Result<Self, InvalidOffer> {
        let line = lines.first().copied().unwrap_or_default();
        let malformed = || InvalidOffer::Section(line.chars().take(64).collect());
        let content = line.strip_prefix("m=").ok_or_else(malformed)?;
        let spaces: Vec<usize> = content.match_indices(' ').map(|(at, _)| at).collect();
        let [after_kind, _, after_protocol, ..] = spaces[..] else {
            return Err(malformed());
        };
        let payloads: Vec<&str> = content[after_protocol..].split_ascii_whitespace().collect();
        if payloads.is_empty() {
            return Err(malformed());
        }
        Ok(Self {
            head: &content[..after_protocol],
            kind: &content[..after_kind],
            payloads,
            lines,
        })
    }

    fn attributes(&self, name: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.lines
            .iter()
            .filter_map(move |line| line.strip_prefix("a=")?.strip_prefix(name))
            .filter_map(|rest| rest.strip_prefix(':')?.split_once(' '))
    }

    fn codecs(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.attributes("rtpmap")
            .filter_map(|(_, encoding)| encoding.split('/').next())
    }

    fn format(&self, payload: &str, parameter: &str) -> Option<&'a str> {
        let (_, format) = self.attributes("fmtp").find(|(pt, _)| *pt == payload)?;
        format.split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.eq_ignore_ascii_case(parameter).then_some(value)
        })
    }

    /// The payload types that are taken, and those of their retransmissions.
    fn usable_payloads(&self) -> Vec<&'a str> {
        let encoded_as = |wanted: &'static str| {
            let mapped = self.attributes("rtpmap");
            mapped.filter(move |(_, encoding)| encoding.eq_ignore_ascii_case(wanted))
        };
        let media: Vec<&str> = match self.kind {
            "audio" => encoded_as("opus/48000/2").map(|(pt, _)| pt).collect(),
            "video" => encoded_as("H264/90000")
                .map(|(pt, _)| pt)
                .filter(|pt| self.format(pt, "packetization-mode") == Some("1"))
                .collect(),
            _ => Vec::new(),
        };
        let media: Vec<&str> = media
            .into_iter()
            .filter(|pt| self.payloads.contains(pt))
            .take(MOST_PAYLOADS)
            .collect();
        let resent = encoded_as("rtx/90000")
            .map(|(pt, _)| pt)
            .filter(|pt| self.payloads.contains(pt))
            .filter(|pt| self.format(pt, "apt").is_some_and(|of| media.contains(&of)));
        let resent: Vec<&str> = resent.take(MOST_PAYLOADS).collect();
        // In the order of the offer, which is the client's preference.
        let both = |pt: &&str| media.contains(pt) || resent.contains(pt);
        self.payloads.iter().copied().filter(both).collect()
    }
}

fn is_direction(line: &str) -> bool {
    matches!(
        line,
        "a=sendrecv" | "a=sendonly" | "a=recvonly" | "a=inactive"
    )
}

fn direction<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let line = lines.iter().find(|line| is_direction(line))?;
    line.strip_prefix("a=")
}

#[cfg(test)]
#[path = "offer_tests.rs"]
mod tests;
