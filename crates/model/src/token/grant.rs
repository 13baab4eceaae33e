//! Verified claims as bytes, and what each request is checked against.

use super::{Claims, Videos};
use crate::{Country, DeviceClass, VideoId, WallTime};

/// Version of the bytes; others are not read.
const VERSION: u8 = 1;
/// In the place of a number of videos: every one.
const ANY: u8 = u8::MAX;
/// How long after a token's end media that a player has listed still comes.
const MEDIA_GRACE_MS: u64 = 60_000;

/// Why claims don't allow a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They are not good yet.
    NotYet,
    /// They are not good any more.
    Expired,
    /// They are for other videos.
    OtherVideo,
    /// They are for other countries, or it is not known where the viewer is.
    OtherCountry,
}

/// How an end is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// To the second: playlists, sessions, calls.
    None,
    /// A minute longer: media that a playlist from before the end has listed.
    Media,
}

impl Claims {
    /// The form in which verified claims are remembered: version, begin and end (Unix ms, `u64`),
    /// most lines `u16` (0: no bound), device `u8` (0: none), number of videos `u8` (255: any) and of
    /// countries `u8`, videos, countries. Little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (count, videos) = match &self.videos {
            Videos::Any => (ANY, [].as_slice()),
            Videos::These(videos) => (videos.len().min(ANY.into()) as u8, videos.as_slice()),
        };
        let mut bytes = vec![VERSION];
        bytes.extend(self.not_before.unwrap_or_default().0.to_le_bytes());
        bytes.extend(self.expires.0.to_le_bytes());
        bytes.extend(self.max_height.unwrap_or_default().to_le_bytes());
        bytes.push(self.device.map_or(0, |device| device as u8 + 1));
        bytes.push(count);
        bytes.push(self.countries.len().min(u8::MAX.into()) as u8);
        for video in videos {
            bytes.extend(video.as_str().as_bytes());
        }
        for country in &self.countries {
            bytes.extend(country.code());
        }
        bytes
    }
}

/// Claims read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    not_before: u64,
    expires: u64,
    /// `None` is any.
    videos: Option<&'a [[u8; VideoId::LEN]]>,
    countries: &'a [[u8; 2]],
    /// The device class whose renditions are listed.
    pub device: Option<DeviceClass>,
    /// Most lines of video.
    pub max_height: Option<u16>,
}

impl<'a> Grant<'a> {
    /// Reads what [`Claims::to_bytes`] wrote; `None` if these bytes are something else.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&[version], rest) = bytes.split_first_chunk()?;
        let (not_before, rest) = rest.split_first_chunk()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (max_height, rest) = rest.split_first_chunk()?;
        let (&[device, videos, countries], rest) = rest.split_first_chunk()?;
        let any = videos == ANY;
        let count = if any { 0 } else { usize::from(videos) };
        let (videos, rest) = rest.split_at_checked(count * VideoId::LEN)?;
        if version != VERSION || rest.len() != 2 * usize::from(countries) {
            return None;
        }
        let device = match device {
            0 => None,
            number => Some(*DeviceClass::ALL.get(usize::from(number) - 1)?),
        };
        Some(Self {
            not_before: u64::from_le_bytes(*not_before),
            expires: u64::from_le_bytes(*expires),
            videos: (!any).then_some(videos.as_chunks().0),
            countries: rest.as_chunks().0,
            device,
            max_height: Some(u16::from_le_bytes(*max_height)).filter(|lines| *lines > 0),
        })
    }

    /// Whether it is good for `video`, at this time and there.
    pub fn allows(
        &self,
        video: VideoId,
        now: WallTime,
        country: Option<Country>,
        grace: Grace,
    ) -> Result<(), Refusal> {
        let end = match grace {
            Grace::None => self.expires,
            Grace::Media => self.expires.saturating_add(MEDIA_GRACE_MS),
        };
        let here = country.map(Country::code);
        let id = video.as_str().as_bytes();
        if now.0 < self.not_before {
            Err(Refusal::NotYet)
        } else if now.0 >= end {
            Err(Refusal::Expired)
        } else if self
            .videos
            .is_some_and(|videos| !videos.iter().any(|video| video == id))
        {
            Err(Refusal::OtherVideo)
        } else if !self.countries.is_empty()
            && here.is_none_or(|here| !self.countries.contains(&here))
        {
            Err(Refusal::OtherCountry)
        } else {
            Ok(())
        }
    }
}
