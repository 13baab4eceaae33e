//! Playlists and media under `/v/`.

use std::{borrow::Cow, fmt::Write};

use weir_edge_abi::{Action, Class, Config, Plan, Request, Serve};
use weir_model::{
    Access, DeviceClass, MediaPath, PlaylistPosition, Resource, Skip, WhepPath,
    path::{InvalidDirective, delivery_directives},
    problem::Code,
};

use crate::{
    answer::{Methods, OPEN, deny},
    device, webrtc,
};

/// `Cache-Control` of what never gets other bytes.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// How long the PoP holds such a thing, if it has the room: 30 days, in milliseconds.
pub const IMMUTABLE_MS: u32 = 30 * 24 * 3600 * 1000;
/// How long errors are kept, in milliseconds.
pub const ERROR_MS: u32 = 1000;
/// The same for what is about to come into being: a player asks again soon.
const LIVE_ERROR_MS: u32 = 250;
/// How long a live playlist at no position is shared, at most: a part of the profile `fast`.
const LIVE_FRESH_MS: u32 = 200;
/// How long an old answer may stand in for one that does not change much: an hour.
pub const STALE_MS: u32 = 3600 * 1000;
/// How long the origin may take for what it has, in milliseconds.
pub const WAIT_MS: u32 = 8000;

pub(crate) fn decide<'a>(config: &Config, request: &Request<'a>) -> Plan<'a> {
    if let Some(whep) = WhepPath::parse(request.path) {
        return webrtc::play(request, &whep);
    }
    let Some(parsed) = MediaPath::parse(request.path) else {
        return deny(Class::Web, Code::NotFound, "the path names no media");
    };
    let class = class(parsed.resource);
    if let Some(answer) = Methods::Read.answer(class, request.method) {
        return answer;
    }
    if let Some(denial) = deny_protected(class, parsed.video.access(), parsed.token) {
        return denial;
    }
    let prefix = parsed.token.map_or(0, |token| "/t/".len() + token.len());
    let path = request.path.get(prefix..).unwrap_or_default();
    let kept_for_ever = Serve {
        target: Cow::Borrowed(path),
        cache_control: IMMUTABLE,
        fields: OPEN,
        fresh_ms: IMMUTABLE_MS,
        error_ms: ERROR_MS,
        stale_ms: 0,
        wait_ms: WAIT_MS,
        held: false,
    };
    let serve = match parsed.resource {
        Resource::Live { .. } => match delivery_directives(request.query) {
            Ok((position, skip)) => live_playlist(config, path, position, skip),
            Err(invalid) => return deny(class, Code::InvalidQuery, detail(invalid)),
        },
        Resource::Multivariant | Resource::DvrMultivariant => Serve {
            target: for_device(path, device::of(request)).into(),
            stale_ms: STALE_MS,
            ..kept_for_a_second(path)
        },
        // An old manifest would have players ask for what is long there, or will never be.
        Resource::Manifest => Serve {
            target: for_device(path, device::of(request)).into(),
            ..kept_for_a_second(path)
        },
        Resource::Dvr { .. } | Resource::IFrames { .. } => kept_for_a_second(path),
        Resource::Recording { .. } => Serve {
            cache_control: "public, max-age=10",
            fresh_ms: 10_000,
            stale_ms: STALE_MS,
            ..kept_for_ever
        },
        Resource::Part { .. } | Resource::GrowingSegment { .. } => Serve {
            // Whoever follows a preload hint, or the clock, asks before there is anything.
            held: true,
            wait_ms: config.target_duration_ms.saturating_mul(3),
            error_ms: LIVE_ERROR_MS,
            ..kept_for_ever
        },
        Resource::Segment { .. } => Serve {
            error_ms: LIVE_ERROR_MS,
            ..kept_for_ever
        },
        Resource::Init { .. } | Resource::Span { .. } => kept_for_ever,
    };
    Plan {
        class,
        action: Action::Serve(serve),
    }
}

/// The refusal of a protected video: nobody's token is taken yet.
pub(crate) fn deny_protected(
    class: Class,
    access: Access,
    token: Option<&str>,
) -> Option<Plan<'static>> {
    let detail = match (access, token) {
        (Access::Open, _) => return None,
        (Access::Protected, None) => "this video plays only under a playback token: /t/{token}/v/",
        (Access::Protected, Some(_)) => "this edge does not take playback tokens",
    };
    Some(deny(class, Code::TokenRequired, detail))
}

fn class(resource: Resource) -> Class {
    match resource {
        Resource::Multivariant | Resource::DvrMultivariant | Resource::Manifest => {
            Class::Multivariant
        }
        Resource::Live { .. }
        | Resource::Recording { .. }
        | Resource::Dvr { .. }
        | Resource::IFrames { .. } => Class::Playlist,
        Resource::Init { .. } => Class::Init,
        Resource::Segment { .. } | Resource::GrowingSegment { .. } => Class::Segment,
        Resource::Part { .. } => Class::Part,
        Resource::Span { .. } => Class::Span,
    }
}

/// What lists a live video's segments as they come to be.
fn kept_for_a_second(path: &str) -> Serve<'_> {
    Serve {
        target: Cow::Borrowed(path),
        cache_control: "public, max-age=1",
        fields: OPEN,
        fresh_ms: 1000,
        error_ms: ERROR_MS,
        stale_ms: 0,
        wait_ms: WAIT_MS,
        held: false,
    }
}

/// A position is rendered once, so whoever asks for it within the life of the playlist window
/// gets the same answer; what stands at no position is news for less than a part.
fn live_playlist<'a>(
    config: &Config,
    path: &'a str,
    position: Option<PlaylistPosition>,
    skip: Skip,
) -> Serve<'a> {
    let common = Serve {
        target: playlist_target(path, position, skip),
        cache_control: "no-cache",
        fields: OPEN,
        fresh_ms: config.part_target_ms.min(LIVE_FRESH_MS),
        error_ms: LIVE_ERROR_MS,
        stale_ms: 0,
        wait_ms: WAIT_MS,
        held: false,
    };
    if position.is_none() {
        return common;
    }
    Serve {
        cache_control: "public, max-age=24",
        fresh_ms: config.target_duration_ms.saturating_mul(6),
        wait_ms: config.target_duration_ms.saturating_mul(3),
        held: true,
        ..common
    }
}

fn playlist_target(path: &str, position: Option<PlaylistPosition>, skip: Skip) -> Cow<'_, str> {
    if position.is_none() && skip == Skip::No {
        return Cow::Borrowed(path);
    }
    let mut target = String::with_capacity(path.len() + 64);
    target.push_str(path);
    let mut separator = '?';
    // Writing to a string cannot fail.
    if let Some(PlaylistPosition { msn, part }) = position {
        let _ = write!(target, "{separator}_HLS_msn={msn}");
        separator = '&';
        if let Some(part) = part {
            let _ = write!(target, "&_HLS_part={part}");
        }
    }
    if skip == Skip::Yes {
        let _ = write!(target, "{separator}_HLS_skip=YES");
    }
    target.into()
}

fn for_device(path: &str, device: DeviceClass) -> String {
    format!("{path}?device={}", device.as_str())
}

fn detail(invalid: InvalidDirective) -> &'static str {
    match invalid {
        InvalidDirective::NotANumber => {
            "_HLS_msn and _HLS_part are decimal numbers, each given once"
        }
        InvalidDirective::PartWithoutMsn => "_HLS_part needs _HLS_msn",
        InvalidDirective::UnknownSkip => "_HLS_skip is YES or v2",
    }
}
