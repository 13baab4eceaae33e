//! Who may have what: the operator's list of denied countries, and playback tokens.

use std::borrow::Cow;

use weir_edge_abi::{Action, Class, Config, Plan, Request};
use weir_model::{
    Access, DeviceClass, RenditionId, VideoId,
    problem::Code,
    token::{self, Grace, Grant, Refusal, TokenError},
};

use crate::answer::deny;

/// What a viewer who was let in may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// The device class that the token names.
    pub device: Option<DeviceClass>,
    /// Most lines of video.
    pub max_height: Option<u16>,
    /// Whether the video needs a token, so that no cache but the viewer's own may keep it.
    pub protected: bool,
    /// The token's claims, if they were verified just now.
    remember: Option<Vec<u8>>,
}

/// How much of a rendition is known from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Height {
    /// `720p`, `720p-hevc`.
    Lines(u32),
    /// `source`, `source-2`: as the encoder sends it.
    AsSent,
    /// `audio`.
    None,
}

/// Why a viewer may not have something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    code: Code,
    detail: &'static str,
    /// As in [`Admission`]: a signature that was good is not to be verified again.
    remember: Option<Vec<u8>>,
}

/// Lets a viewer of `video` in, or says why not. Another edge that asks has done so, and says in the
/// query what its viewer may have.
pub fn admit(
    config: &Config,
    request: &Request<'_>,
    video: VideoId,
    grace: Grace,
) -> Result<Admission, Denial> {
    if request.by_edge {
        return Ok(Admission {
            max_height: asked_bound(request.query),
            protected: video.access() == Access::Protected,
            ..Admission::default()
        });
    }
    if request
        .country
        .is_some_and(|country| config.denied_countries.contains(&country))
    {
        let detail = "this edge plays nothing in your country";
        return Err(Denial::new(Code::CountryDenied, detail));
    }
    if video.access() == Access::Open {
        return Ok(Admission::default());
    }
    let refuse = |detail| Denial::new(Code::TokenRequired, detail);
    let (claims, fresh) = claims(config, request).map_err(refuse)?;
    let remember = || fresh.then(|| claims.to_vec());
    let checked = Grant::read(&claims)
        .ok_or("the token's claims cannot be read")
        .and_then(|grant| {
            let allowed = grant.allows(video, request.now, request.country, grace);
            allowed.map_err(refusal).map(|()| grant)
        });
    match checked {
        Ok(grant) => Ok(Admission {
            device: grant.device,
            max_height: grant.max_height,
            protected: true,
            remember: remember(),
        }),
        Err(detail) => Err(Denial {
            remember: remember(),
            ..refuse(detail)
        }),
    }
}

/// The claims of the request's token, and whether they were verified just now.
fn claims<'a>(
    config: &Config,
    request: &Request<'a>,
) -> Result<(Cow<'a, [u8]>, bool), &'static str> {
    let token = token::of_request(request.path, request.query, request.bearer);
    let token = token.ok_or("this video plays only under a playback token: /t/{token}/v/")?;
    if let Some(known) = request.claims.filter(|known| Grant::read(known).is_some()) {
        return Ok((Cow::Borrowed(known), false));
    }
    let verified = token::verify(token, &config.keys, &config.audience);
    verified
        .map(|claims| (Cow::Owned(claims.to_bytes()), true))
        .map_err(invalid)
}

impl Admission {
    /// A plan for the viewer.
    pub fn plan<'a>(self, class: Class, action: Action<'a>) -> Plan<'a> {
        Plan {
            remember: self.remember.map(Cow::Owned),
            ..Plan::new(class, action)
        }
    }

    /// The bound that the origin has to see to, of a rendition whose name does not tell its lines. An
    /// error is the refusal of one whose name tells that it has too many.
    pub fn bound_of(&self, rendition: RenditionId) -> Result<Option<u16>, Denial> {
        let Some(most) = self.max_height else {
            return Ok(None);
        };
        match height(rendition.as_str()) {
            Height::Lines(lines) if lines > u32::from(most) => {
                let detail = "the token is for fewer lines than this rendition has";
                Err(Denial {
                    remember: self.remember.clone(),
                    ..Denial::new(Code::AboveCeiling, detail)
                })
            }
            Height::AsSent => Ok(Some(most)),
            Height::Lines(_) | Height::None => Ok(None),
        }
    }
}

impl Denial {
    fn new(code: Code, detail: &'static str) -> Self {
        Self {
            code,
            detail,
            remember: None,
        }
    }

    /// Of what is wrong with a query.
    pub(crate) fn invalid_query(detail: &'static str) -> Self {
        Self::new(Code::InvalidQuery, detail)
    }

    /// The refusal as an answer.
    pub fn plan(self, class: Class) -> Plan<'static> {
        Plan {
            remember: self.remember.map(Cow::Owned),
            ..deny(class, self.code, self.detail)
        }
    }
}

/// What [`crate::media::bounded`] wrote.
fn asked_bound(query: &str) -> Option<u16> {
    let bound = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("max="))?;
    bound.parse().ok()
}

fn height(rendition: &str) -> Height {
    let digits = rendition.find(|c: char| !c.is_ascii_digit());
    let (lines, rest) = rendition.split_at(digits.unwrap_or(rendition.len()));
    match lines.parse() {
        Ok(lines) if rest.starts_with('p') => Height::Lines(lines),
        _ if rendition.starts_with("source") => Height::AsSent,
        _ => Height::None,
    }
}

fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotYet => "the token is not good yet",
        Refusal::Expired => "the token has expired",
        Refusal::OtherVideo => "the token is for another video",
        Refusal::OtherCountry => "the token is not for the country that you seem to be in",
    }
}

fn invalid(error: TokenError) -> &'static str {
    match error {
        TokenError::TooLong(_) => "the token is longer than any good one",
        TokenError::Malformed => "the token is no JSON Web Token",
        TokenError::Kind => "the token is of another type",
        TokenError::UnknownKey => "this edge does not know the token's key",
        TokenError::Algorithm => "the token names another algorithm than its key's",
        TokenError::Signature => "the token's signature is wrong",
        TokenError::Claims => "the token's claims are incomplete or malformed",
        TokenError::Audience => "the token is for another audience",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_heights() {
        for (name, expected) in [
            ("720p", Height::Lines(720)),
            ("1080p-hevc", Height::Lines(1080)),
            ("source", Height::AsSent),
            ("source-2", Height::AsSent),
            ("audio", Height::None),
            ("audio-aac", Height::None),
            ("2-source", Height::None),
        ] {
            assert_eq!(height(name), expected, "{name}");
        }
    }
}
