//! HLS playlists and the DASH manifest.

use std::{sync::Arc, time::Duration};

use axum::http::HeaderValue;
use weir_media::{
    hls::{TARGET_DURATION_S, multivariant::Phase},
    live::PositionAnswer,
};
use weir_model::{Code, PlaylistPosition, RenditionId, Resource, Skip, VideoId};

use super::{Lasting, not_there, nothing_to_play, wait::wait};
use crate::{
    archive::Shelf,
    broadcast::Broadcast,
    http::{
        App,
        forms::{AsOf, Form, Kind, Rendered, Revision, Subject},
        problem::ApiError,
    },
    registry::Playable,
};

/// Longest wait for a playlist position: three target durations (draft-rfc8216bis section
/// 6.2.5.2).
const POSITION_WAIT: Duration = Duration::from_secs(3 * TARGET_DURATION_S);

const HLS: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
const DASH: HeaderValue = HeaderValue::from_static("application/dash+xml");

/// A video that lists are wanted of.
#[derive(Clone, Copy)]
pub(super) struct Lists<'a> {
    pub(super) app: &'a App,
    pub(super) video: VideoId,
    pub(super) playable: &'a Playable,
}

type Answer = Result<Arc<Form>, ApiError>;

impl Lists<'_> {
    /// `index.m3u8`: of the live video, or of its recording.
    pub(super) async fn multivariant(self, max_lines: Option<u32>) -> Answer {
        let form = match self.playable {
            Playable::OnAir(broadcast) if !self.shelf().is_complete() => {
                self.live_multivariant(broadcast, max_lines).await
            }
            _ => {
                self.stored_multivariant(Resource::Multivariant, Phase::Recorded, max_lines)
                    .await
            }
        };
        form.ok_or_else(|| nothing_to_play(self.video))
    }

    /// `dvr.m3u8`: everything stored so far, and of a video that has ended everything.
    pub(super) async fn dvr_multivariant(self, max_lines: Option<u32>) -> Answer {
        self.stored_multivariant(Resource::DvrMultivariant, Phase::Dvr, max_lines)
            .await
            .ok_or_else(|| nothing_to_play(self.video))
    }

    /// `manifest.mpd`.
    pub(super) async fn manifest(self, max_lines: Option<u32>) -> Answer {
        let part_target = match self.playable {
            Playable::OnAir(broadcast) => Some(broadcast.part_target_s()),
            Playable::Recorded(_) => None,
        };
        let render = |shelf: &Shelf| shelf.manifest(part_target, max_lines, self.app.steering);
        let (resource, kind) = (Resource::Manifest, Kind::Manifest);
        let form = self.stored(kind, resource, max_lines, DASH, render).await;
        form.ok_or_else(|| nothing_to_play(self.video))
    }

    /// `{rendition}/index.m3u8`.
    pub(super) async fn live(
        self,
        rendition: RenditionId,
        at: Option<PlaylistPosition>,
        skip: Skip,
    ) -> Answer {
        let Playable::OnAir(broadcast) = self.playable else {
            let detail = "the broadcast is over; the multivariant playlist leads to its recording";
            return Err(ApiError::new(Code::MediaNotFound, detail));
        };
        let reached = match at {
            Some(at) => reached(self.app, broadcast, rendition, at).await?,
            None => None,
        };
        let as_of = match reached {
            Some(position) => AsOf::Position(broadcast.epoch(), position),
            None => live_state(broadcast, *broadcast.changes().borrow()),
        };
        let lasting = match as_of {
            AsOf::Position(..) => Lasting::Position,
            AsOf::Live(..) | AsOf::Stored(_) => Lasting::Now,
        };
        let kind = match skip {
            Skip::No => Kind::Playlist,
            Skip::Yes => Kind::Delta,
        };
        let subject = Subject::List {
            video: self.video,
            resource: Resource::Live { rendition },
            skip,
            max_lines: None,
            as_of,
        };
        let render = || {
            let text = broadcast.playlist(rendition, skip)?;
            Some(list(text, HLS, lasting))
        };
        let form = self.app.forms.get(kind, subject, render).await;
        form.ok_or_else(|| unknown(rendition))
    }

    /// `{rendition}/recording.m3u8`.
    pub(super) async fn recording(self, rendition: RenditionId) -> Answer {
        if !self.shelf().is_complete() {
            let detail = format!("video {} is not a recording yet", self.video);
            return Err(ApiError::new(Code::MediaNotFound, detail));
        }
        let resource = Resource::Recording { rendition };
        self.media_playlist(resource, |shelf| shelf.recording(rendition))
            .await
    }

    /// `{rendition}/dvr.m3u8`.
    pub(super) async fn dvr(self, rendition: RenditionId) -> Answer {
        self.media_playlist(Resource::Dvr { rendition }, |shelf| shelf.dvr(rendition))
            .await
    }

    /// `{rendition}/iframes.m3u8`.
    pub(super) async fn i_frames(self, rendition: RenditionId) -> Answer {
        let resource = Resource::IFrames { rendition };
        self.media_playlist(resource, |shelf| shelf.i_frames(rendition))
            .await
    }

    async fn live_multivariant(
        self,
        broadcast: &Broadcast,
        max_lines: Option<u32>,
    ) -> Option<Arc<Form>> {
        let as_of = live_state(broadcast, broadcast.listed());
        let subject = self.subject(Resource::Multivariant, max_lines, as_of);
        let render = || {
            let text = broadcast.multivariant(max_lines)?;
            Some(list(text, HLS, Lasting::Second))
        };
        self.app
            .forms
            .get(Kind::Multivariant, subject, render)
            .await
    }

    async fn stored_multivariant(
        self,
        resource: Resource,
        phase: Phase,
        max_lines: Option<u32>,
    ) -> Option<Arc<Form>> {
        let steering = self.app.steering;
        let render = |shelf: &Shelf| shelf.multivariant(phase, max_lines, steering);
        self.stored(Kind::Multivariant, resource, max_lines, HLS, render)
            .await
    }

    async fn media_playlist(
        self,
        resource: Resource,
        render: impl FnOnce(&Shelf) -> Option<String>,
    ) -> Answer {
        let form = self.stored(Kind::Stored, resource, None, HLS, render).await;
        form.ok_or_else(not_there)
    }

    /// A list of what is stored, as it is.
    async fn stored(
        self,
        kind: Kind,
        resource: Resource,
        max_lines: Option<u32>,
        content_type: HeaderValue,
        render: impl FnOnce(&Shelf) -> Option<String>,
    ) -> Option<Arc<Form>> {
        let shelf = self.shelf();
        let as_of = AsOf::Stored(shelf.revision());
        let render = || {
            let lasting = match shelf.has_ended() {
                true => Lasting::Hour,
                false => Lasting::Second,
            };
            Some(list(render(shelf)?, content_type, lasting))
        };
        let subject = self.subject(resource, max_lines, as_of);
        self.app.forms.get(kind, subject, render).await
    }

    fn shelf(&self) -> &Arc<Shelf> {
        self.playable.shelf()
    }

    fn subject(&self, resource: Resource, max_lines: Option<u32>, as_of: AsOf) -> Subject {
        Subject::List {
            video: self.video,
            resource,
            skip: Skip::No,
            max_lines,
            as_of,
        }
    }
}

/// Waits until a position is reached: its one spelling, or `None` for the playlist as it is.
async fn reached(
    app: &App,
    broadcast: &Broadcast,
    rendition: RenditionId,
    at: PlaylistPosition,
) -> Result<Option<PlaylistPosition>, ApiError> {
    let answer = wait(app, broadcast, POSITION_WAIT, || {
        match broadcast.reaches(rendition, at) {
            PositionAnswer::Wait => None,
            answer => Some(answer),
        }
    });
    match answer.await {
        Some(PositionAnswer::Reached(position)) => Ok(Some(position)),
        Some(PositionAnswer::Passed) => Ok(None),
        Some(PositionAnswer::TooFarAhead) => Err(ApiError::new(
            Code::PositionTooFarAhead,
            "the position is more than two segments ahead of the playlist",
        )),
        Some(PositionAnswer::Unknown) => Err(unknown(rendition)),
        Some(PositionAnswer::Wait) | None => Err(ApiError::new(
            Code::PositionTimeout,
            "the position did not come in time; the broadcast may have stopped",
        )),
    }
}

/// A broadcast after so many changes of what is wanted of it.
fn live_state(broadcast: &Broadcast, changes: u64) -> AsOf {
    let state = *broadcast.state().borrow();
    AsOf::Live(broadcast.epoch(), Revision { changes, state })
}

fn unknown(rendition: RenditionId) -> ApiError {
    ApiError::new(
        Code::MediaNotFound,
        format!("there is no rendition {rendition}"),
    )
}

fn list(text: String, content_type: HeaderValue, lasting: Lasting) -> Rendered {
    Rendered {
        body: text.into(),
        content_type,
        cache_control: lasting.cache_control(),
    }
}
