//! The rules of HLS and DASH, each looked at live, after a discontinuity, in the playlists for
//! rewinding and in the recording. The outcome is `docs/conformance.md`: with `WEIR_WRITE_DOCS` set
//! it is written, else it has to be as it stands there.
//!
//! - [`reading`]: what a viewer gets in one of these states
//! - [`hls`], [`dash`]: the rules
//! - [`players`]: who plays it
//! - [`table`]: the document

// Rules unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod dash;
mod hls;
mod players;
mod reading;
mod table;

use std::time::Duration;

use weir_model::{VideoId, api::VideoState};
use weir_tests::{Encoder, Weir, built, eventually, playlist::MediaPlaylist, wait::PATIENCE};

use reading::{Reading, State};

/// Where a rule is written down, what it says, and what is wrong by it; `None` where it does not
/// apply.
struct Rule {
    source: &'static str,
    says: &'static str,
    check: fn(&Reading) -> Option<Vec<String>>,
}

const RENDITIONS: [&str; 3] = ["source", "480p", "audio"];

/// How far into a segment of two seconds the encoder is killed: the other one has the rest of it to come.
const INTO_SEGMENT: Duration = Duration::from_millis(500);

/// Attempts at a break without a GAP.
const MOST_BREAKS: u32 = 5;

#[tokio::test]
async fn every_rule_holds() {
    let weir = Weir::start().await;
    let created = weir.create_video("conformance").await;
    let id = created.video.id;
    let push = || Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);

    let mut encoder = push();
    weir.wait_until_live(id, &RENDITIONS, 8).await;
    let live = Reading::take(&weir, id, State::Live).await;

    let known = break_stream(&weir, id, 0, &mut encoder, push).await;
    let mut after = Reading::take(&weir, id, State::AfterDiscontinuity).await;
    for browser in players::BROWSERS.chunks(1).skip(1) {
        break_stream(&weir, id, known, &mut encoder, push).await;
        let state = State::AfterDiscontinuity;
        let plays = players::play(&weir, id, state, "index.m3u8", browser).await;
        after.plays.extend(plays);
    }
    let dvr = Reading::take(&weir, id, State::Dvr).await;

    encoder.kill();
    weir.end_video(id).await;
    eventually("a recording", PATIENCE, async || {
        let recorded = weir.video(id).await.state == VideoState::Recorded;
        let multivariant = weir
            .viewer()
            .get(&format!("/v/{id}/index.m3u8"))
            .await
            .text();
        (recorded && multivariant.contains("/recording.m3u8")).then_some(())
    })
    .await;
    let recording = Reading::take(&weir, id, State::Recording).await;

    let readings = [live, after, dvr, recording];
    let chapters = [
        ("HLS", hls::RULES),
        ("DASH", dash::RULES),
        ("Players", players::RULES),
    ];
    let table = table::Table::of(&readings, &chapters);
    assert!(table.breaches.is_empty(), "{}", table.breaches.join("\n"));
    table.compare_or_write(&built::root().join("docs/conformance.md"));
}

/// Another encoder takes the first one's place, in the middle of a segment: a break without a GAP, which
/// is a rule of its own. Answers when the media after it begins: Unix ms.
async fn break_stream(
    weir: &Weir,
    id: VideoId,
    known_ms: i64,
    encoder: &mut Encoder,
    push: impl Fn() -> Encoder,
) -> i64 {
    let mut known_ms = known_ms;
    // On a busy machine the other one may come when the segment should be over.
    for _ in 0..MOST_BREAKS {
        let newest = newest_of(weir, id).await;
        eventually("a segment begins", PATIENCE, async || {
            (newest_of(weir, id).await > newest).then_some(())
        })
        .await;
        tokio::time::sleep(INTO_SEGMENT).await;
        encoder.kill();
        *encoder = push();
        known_ms = wait_for_break(weir, id, known_ms).await;
        if !has_gap(weir, id).await {
            break;
        }
    }
    known_ms
}

async fn newest_of(weir: &Weir, id: VideoId) -> u64 {
    let source = MediaPlaylist::live(weir.viewer(), id, "source").await;
    source.segments().last().map_or(0, |segment| segment.msn)
}

/// Whether a GAP stands before the source's last discontinuity: in the other renditions there is one, too.
async fn has_gap(weir: &Weir, id: VideoId) -> bool {
    let source = MediaPlaylist::live(weir.viewer(), id, "source").await;
    let segments = source.segments();
    let broken = segments.iter().rposition(|segment| segment.discontinuity);
    let around = &segments[broken.unwrap_or(0).saturating_sub(2)..];
    around.iter().any(|segment| segment.gap)
}

/// Waits for three segments after a discontinuity in every rendition, one that is later than
/// `known_ms`. Answers when the media after it begins: Unix ms.
async fn wait_for_break(weir: &Weir, id: VideoId, known_ms: i64) -> i64 {
    let mut begins = 0;
    for rendition in RENDITIONS {
        begins = eventually("segments after a discontinuity", PATIENCE * 2, async || {
            let playlist = MediaPlaylist::live(weir.viewer(), id, rendition).await;
            let (_, begins) = players::last_break(&playlist)?;
            let segments = playlist.segments();
            let broken = segments.iter().rposition(|segment| segment.discontinuity)?;
            // Of one break the renditions tell times that lie some milliseconds apart.
            (begins > known_ms + 1000 && segments.len() >= broken + 4).then_some(begins)
        })
        .await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    begins
}
