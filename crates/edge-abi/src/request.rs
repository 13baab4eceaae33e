//! What a guest decides about: a request and what the host knows of it.

use weir_model::WallTime;

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

/// An ISO 3166-1 alpha-2 country code in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// The country with this code; `None` unless it is two capital letters.
    pub fn new(code: [u8; 2]) -> Option<Self> {
        code.iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(code))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn encode(country: Option<Self>, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.raw(&country.map_or([0, 0], |country| country.0))
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        match reader.array()? {
            [0, 0] => Ok(None),
            code => Self::new(code).map(Some).ok_or(DecodeError::UnknownValue {
                field: "country",
                value: code[0],
            }),
        }
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
        Country::encode(self.country, &mut writer)?;
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
            country: Country::decode(&mut reader)?,
        };
        reader.end()?;
        Ok(request)
    }
}
