//! What may stand behind a path: delivery directives, a device class, a ceiling.

use weir_model::{
    Code, DeviceClass, PlaylistPosition, RenditionId, Skip,
    device::UnknownDevice,
    path::{InvalidDirective, delivery_directives},
};

use crate::{http::problem::ApiError, registry::Playable};

/// The query of a request; unknown parameters are ignored.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    text: &'a str,
    /// `device=`, by which the edge routes.
    device: DeviceClass,
    /// `max=`: most lines, by which it bounds what a token is good for.
    max: Option<u32>,
}

impl<'a> Query<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, ApiError> {
        let value = |name: &str| {
            let mut pairs = text.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(known, _)| *known == name).map(|(_, v)| v)
        };
        let device = value("device").map_or(Ok(DeviceClass::default()), |class| {
            class.parse().map_err(|unknown: UnknownDevice| {
                ApiError::new(Code::InvalidQuery, unknown.to_string())
            })
        })?;
        let lines = |max: &str| {
            max.parse().map_err(|_| {
                ApiError::new(Code::InvalidQuery, format!("max is in lines, not {max:?}"))
            })
        };
        Ok(Self {
            text,
            device,
            max: value("max").map(lines).transpose()?,
        })
    }

    /// Which state of a live playlist is asked for.
    pub(super) fn directives(&self) -> Result<(Option<PlaylistPosition>, Skip), ApiError> {
        delivery_directives(self.text).map_err(malformed)
    }

    /// Most lines of what is listed.
    pub(super) fn max_lines(&self) -> Option<u32> {
        self.device.max_lines().into_iter().chain(self.max).min()
    }

    /// Whether playlists and media of a rendition are for whoever asks. What a device has no use for
    /// may be asked for all the same.
    pub(super) fn check(
        &self,
        playable: &Playable,
        rendition: RenditionId,
    ) -> Result<(), ApiError> {
        match self.max {
            Some(max) if playable.shelf().exceeds(rendition, max) => Err(ApiError::new(
                Code::AboveCeiling,
                format!("rendition {rendition} has more than {max} lines"),
            )),
            _ => Ok(()),
        }
    }
}

fn malformed(directive: InvalidDirective) -> ApiError {
    let detail = match directive {
        InvalidDirective::NotANumber => "_HLS_msn and _HLS_part are decimal numbers, given once",
        InvalidDirective::PartWithoutMsn => "_HLS_part needs _HLS_msn",
        InvalidDirective::UnknownSkip => "_HLS_skip is YES or v2",
    };
    ApiError::new(Code::InvalidQuery, detail)
}
