//! What a guest decides about: a request and what the host knows of it.

use weir_model::{Country, WallTime};

use crate::{
    DecodeError, Overflow,
    wire::{Reader, Writer},
};

/// An HTTP request method (RFC 9110 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Method {
    /// `GET`.
    Get = 0,
    /// `HEAD`.
    Head = 1,
    /// `OPTIONS`.
    Options = 2,
    /// `POST`.
    Post = 3,
    /// Any other; none of them goes with any path.
    Other = 4,
    /// `PATCH` (RFC 5789).
    Patch = 5,
    /// `DELETE`.
    Delete = 6,
}

impl Method {
    /// The method that a request line names.
    pub fn from_name(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "OPTIONS" => Self::Options,
            "POST" => Self::Post,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }

    fn decode(value: u8) -> Result<Self, DecodeError> {
        Ok(match value {
            0 => Self::Get,
            1 => Self::Head,
            2 => Self::Options,
            3 => Self::Post,
            4 => Self::Other,
            5 => Self::Patch,
            6 => Self::Delete,
            value => {
                return Err(DecodeError::UnknownValue {
                    field: "method",
                    value,
                });
            }
        })
    }
}

/// Country codes are two bytes; zeros stand for none.
pub(crate) fn encode_country(
    country: Option<Country>,
    writer: &mut Writer<'_>,
) -> Result<(), Overflow> {
    writer.raw(&country.map_or([0, 0], Country::code))
}

pub(crate) fn decode_country(reader: &mut Reader<'_>) -> Result<Option<Country>, DecodeError> {
    match reader.array()? {
        [0, 0] => Ok(None),
        code => Country::new(code)
            .map(Some)
            .ok_or(DecodeError::UnknownValue {
                field: "country",
                value: code[0],
            }),
    }
}

/// A request and the host's facts about it. Only these headers reach a guest; what a client says
/// about its address, its country or the host name is never believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// When the request came.
    pub now: WallTime,
    /// Its method.
    pub method: Method,
    /// Path of its target, not percent-decoded.
    pub path: &'a str,
    /// Query of its target without the question mark; empty if there is none.
    pub query: &'a str,
    /// `User-Agent`, or empty.
    pub user_agent: &'a str,
    /// `Content-Type`, or empty.
    pub content_type: &'a str,
    /// Whether `Sec-CH-UA-Mobile` said `?1`.
    pub mobile: bool,
    /// Where the host believes the viewer to be.
    pub country: Option<Country>,
    /// `Accept-Encoding`, or empty.
    pub accept_encoding: &'a str,
    /// What follows `Bearer` in `Authorization`, or empty.
    pub bearer: &'a str,
    /// What an earlier plan told the host to remember of this request's token
    /// ([`crate::Plan::remember`]), under the configuration that is in force.
    pub claims: Option<&'a [u8]>,
    /// Random, of each request its own; zeros if the request's answer cannot need it.
    pub nonce: [u8; 16],
    /// How well each of [`crate::Config::pathways`] is, in their order: 0 (gone) to 100. What is
    /// missing is well.
    pub pathway_health: &'a [u8],
    /// Values of the `CMCD-*` fields (CTA-5004), joined by commas; empty if there are none. The
    /// query's CMCD the guest finds itself.
    pub cmcd: &'a str,
    /// What the header that the operator trusts says about the device, or empty.
    pub device: &'a str,
    /// Whether it comes from a point of presence that has proved to be one: it has let the viewer
    /// in, and says in the target what the viewer may have.
    pub by_edge: bool,
}

impl<'a> Request<'a> {
    /// A request for `path` about which nothing else is known.
    pub fn new(method: Method, path: &'a str, query: &'a str) -> Self {
        Self {
            now: WallTime(0),
            method,
            path,
            query,
            user_agent: "",
            content_type: "",
            mobile: false,
            country: None,
            accept_encoding: "",
            bearer: "",
            claims: None,
            nonce: [0; 16],
            pathway_health: &[],
            cmcd: "",
            device: "",
            by_edge: false,
        }
    }

    /// Writes it to the start of `buffer`; gives the length.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, Overflow> {
        let mut writer = Writer::new(buffer)?;
        writer.u64(self.now.0)?;
        writer.u8(self.method as u8)?;
        writer.text(self.path)?;
        writer.text(self.query)?;
        writer.text(self.user_agent)?;
        writer.text(self.content_type)?;
        writer.u8(u8::from(self.mobile))?;
        encode_country(self.country, &mut writer)?;
        writer.text(self.accept_encoding)?;
        writer.text(self.bearer)?;
        writer.bytes(self.claims.unwrap_or_default())?;
        writer.raw(&self.nonce)?;
        writer.bytes(self.pathway_health)?;
        writer.text(self.cmcd)?;
        writer.text(self.device)?;
        writer.u8(u8::from(self.by_edge))?;
        Ok(writer.len())
    }

    /// Reads a whole message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message)?;
        let request = Self {
            now: WallTime(reader.u64()?),
            method: Method::decode(reader.u8()?)?,
            path: reader.text()?,
            query: reader.text()?,
            user_agent: reader.text()?,
            content_type: reader.text()?,
            mobile: reader.flag("mobile hint")?,
            country: decode_country(&mut reader)?,
            accept_encoding: reader.text()?,
            bearer: reader.text()?,
            claims: Some(reader.bytes()?).filter(|claims| !claims.is_empty()),
            nonce: reader.array()?,
            pathway_health: reader.bytes()?,
            cmcd: reader.text()?,
            device: reader.text()?,
            by_edge: reader.flag("by edge")?,
        };
        reader.end()?;
        Ok(request)
    }
}
