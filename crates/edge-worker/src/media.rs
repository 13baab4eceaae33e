//! Playlists and media under `/v/`.

use std::borrow::Cow;

use weir_edge_abi::{Action, Class, Config, Encoding, Plan, Position, Request, Serve};
use weir_model::{
    Cmcd, MediaPath, PartIndex, PlaylistPosition, RenditionId, Resource, Skip, VideoId, WhepPath,
    path::{InvalidDirective, delivery_directives},
    problem::Code,
    token::Grace,
};

use crate::{
    admission::{Admission, Denial, admit},
    answer::{Methods, OPEN, deny},
    device, encoding, steering, webrtc,
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
        return webrtc::play(config, request, &whep);
    }
    if let Some(video) = steering::video_of(request.path) {
        return steering::decide(config, request, video);
    }
    let Some(parsed) = MediaPath::parse(request.path) else {
        return deny(Class::Web, Code::NotFound, "the path names no media");
    };
    let class = class(parsed.resource);
    if let Some(answer) = Methods::Read.answer(class, request.method) {
        return answer;
    }
    let decided = admit(config, request, parsed.video, grace(class)).and_then(|admission| {
        let serve = serve(config, request, &parsed, class, &admission)?;
        Ok(admission.plan(class, Action::Serve(serve)))
    });
    Plan {
        cmcd: Cmcd::of_request(request.cmcd, request.query),
        ..decided.unwrap_or_else(|denial| denial.plan(class))
    }
}

/// How an answer is kept and where it comes from; or the refusal of what is asked for.
fn serve<'a>(
    config: &Config,
    request: &Request<'a>,
    parsed: &MediaPath<'a>,
    class: Class,
    admission: &Admission,
) -> Result<Serve<'a>, Denial> {
    let bound = match parsed.resource.rendition() {
        Some(rendition) => admission.bound_of(rendition)?,
        None => admission.max_height,
    };
    let prefix = parsed.token.map_or(0, |token| "/t/".len() + token.len());
    let path = request.path.get(prefix..).unwrap_or_default();
    let for_device = || {
        format!(
            "{path}?device={}",
            device::of(request, admission.device).as_str()
        )
    };
    let serve = match parsed.resource {
        Resource::Live { .. } => {
            let directives = delivery_directives(request.query);
            let (position, skip) =
                directives.map_err(|invalid| Denial::invalid_query(detail(invalid)))?;
            live_playlist(config, path, position, skip)
        }
        Resource::Multivariant | Resource::DvrMultivariant => Serve {
            target: for_device().into(),
            stale_ms: STALE_MS,
            ..kept_for_a_second(path)
        },
        // An old manifest would have players ask for what is long there, or will never be.
        Resource::Manifest => Serve {
            target: for_device().into(),
            ..kept_for_a_second(path)
        },
        Resource::Dvr { .. } | Resource::IFrames { .. } => kept_for_a_second(path),
        Resource::Recording { .. } => Serve {
            cache_control: "public, max-age=10",
            fresh_ms: 10_000,
            stale_ms: STALE_MS,
            ..kept_for_ever(path)
        },
        Resource::Part {
            rendition,
            msn,
            part,
            ..
        } => Serve {
            position: Some(position(parsed.video, rendition, msn.0, Some(part))),
            ..asked_for_early(config, path)
        },
        Resource::GrowingSegment { rendition, msn, .. } => Serve {
            position: Some(position(parsed.video, rendition, msn.0, None)),
            ..asked_for_early(config, path)
        },
        Resource::Segment { rendition, msn, .. } => Serve {
            error_ms: LIVE_ERROR_MS,
            position: Some(position(parsed.video, rendition, msn.0, None)),
            ..kept_for_ever(path)
        },
        Resource::Init { .. } | Resource::Span { .. } => kept_for_ever(path),
    };
    let coded = matches!(class, Class::Playlist | Class::Multivariant);
    Ok(Serve {
        target: bounded(serve.target, bound),
        cache_control: match admission.protected {
            true => for_one_viewer(serve.cache_control),
            false => serve.cache_control,
        },
        fields: OPEN,
        encoding: match coded {
            true => encoding::best(request.accept_encoding),
            false => Encoding::Identity,
        },
        ..serve
    })
}

/// A player that was let in may finish what its last playlist listed.
fn grace(class: Class) -> Grace {
    match class {
        Class::Init | Class::Segment | Class::Part | Class::Span => Grace::Media,
        _ => Grace::None,
    }
}

/// `target` for viewers who may have no more lines than `bound`.
pub(crate) fn bounded(target: Cow<'_, str>, bound: Option<u16>) -> Cow<'_, str> {
    let Some(lines) = bound else {
        return target;
    };
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}max={lines}").into()
}

/// The same for no cache but the viewer's own: others don't know when a token ends.
fn for_one_viewer(cache_control: &str) -> &str {
    match cache_control {
        IMMUTABLE => "private, max-age=31536000, immutable",
        "public, max-age=24" => "private, max-age=24",
        "public, max-age=10" => "private, max-age=10",
        "public, max-age=1" => "private, max-age=1",
        other => other,
    }
}

fn position<'a>(
    video: VideoId,
    rendition: RenditionId,
    msn: u64,
    part: Option<PartIndex>,
) -> Position<'a> {
    let (video, rendition) = (video.as_str(), rendition.as_str());
    Position {
        stream: [video, "/", rendition].concat().into(),
        msn,
        part: part.map(|part| part.0),
    }
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

/// What never gets other bytes.
fn kept_for_ever(path: &str) -> Serve<'_> {
    Serve {
        target: Cow::Borrowed(path),
        cache_control: IMMUTABLE,
        fields: OPEN,
        fresh_ms: IMMUTABLE_MS,
        error_ms: ERROR_MS,
        stale_ms: 0,
        wait_ms: WAIT_MS,
        held: false,
        encoding: Encoding::Identity,
        position: None,
    }
}

/// The same that players ask for before there is anything: by a preload hint, or by the clock.
fn asked_for_early<'a>(config: &Config, path: &'a str) -> Serve<'a> {
    Serve {
        held: true,
        wait_ms: config.target_duration_ms.saturating_mul(3),
        error_ms: LIVE_ERROR_MS,
        ..kept_for_ever(path)
    }
}

/// What lists a live video's segments as they come to be.
fn kept_for_a_second(path: &str) -> Serve<'_> {
    Serve {
        cache_control: "public, max-age=1",
        fresh_ms: 1000,
        ..kept_for_ever(path)
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
        fresh_ms: config.part_target_ms.min(LIVE_FRESH_MS),
        error_ms: LIVE_ERROR_MS,
        ..kept_for_ever(path)
    };
    let Some(position) = position else {
        return common;
    };
    let stream = path
        .trim_start_matches("/v/")
        .trim_end_matches("/index.m3u8");
    Serve {
        cache_control: "public, max-age=24",
        fresh_ms: config.target_duration_ms.saturating_mul(6),
        wait_ms: config.target_duration_ms.saturating_mul(3),
        held: true,
        position: Some(Position {
            stream: Cow::Borrowed(stream),
            msn: position.msn.0,
            part: position.part.map(|part| part.0),
        }),
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
    // Every request for a live playlist comes by here, and formatting would be half of its plan.
    let mut number = itoa::Buffer::new();
    if let Some(PlaylistPosition { msn, part }) = position {
        target.push_str("?_HLS_msn=");
        target.push_str(number.format(msn.0));
        separator = '&';
        if let Some(part) = part {
            target.push_str("&_HLS_part=");
            target.push_str(number.format(part.0));
        }
    }
    if skip == Skip::Yes {
        target.push(separator);
        target.push_str("_HLS_skip=YES");
    }
    target.into()
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
