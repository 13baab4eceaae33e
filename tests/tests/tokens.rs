//! Playback tokens through the real binaries: what a protected video's bytes are worth without one,
//! what each claim bars, and keys that change while viewers watch.

#![allow(clippy::unwrap_used)]

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use hyper::Method;
use weir_model::{
    Code, VideoId, WallTime,
    key::Secret,
    ticket::{Ticket, TicketKey},
};
use weir_tests::{
    Answer, Encoder, Http, Weir, WeirOptions, browser, built, eventually,
    playlist::{MediaPlaylist, Segment},
    policy::{Policy, TICKET_KEY},
    wait::PATIENCE,
};

async fn weir_with(policy: PathBuf) -> Weir {
    let args = [
        "--edge-policy".to_owned(),
        policy.to_str().unwrap().to_owned(),
    ];
    let options = WeirOptions {
        args: args.into(),
        ..WeirOptions::default()
    };
    Weir::start_with(options).await
}

/// A segment that is listed under `token`.
async fn a_segment(http: &Http, video: VideoId, token: &str) -> Segment {
    let path = format!("/t/{token}/v/{video}/480p/index.m3u8");
    eventually("a segment under a token", PATIENCE, async || {
        let answer = http.get(&path).await;
        if answer.status != 200 {
            return None;
        }
        let playlist = MediaPlaylist::parse(&path, &answer).unwrap();
        playlist.segments().into_iter().find(|segment| !segment.gap)
    })
    .await
}

fn assert_denied(what: &str, answer: &Answer, detail: &str) {
    assert_eq!(answer.status, 403, "{what}: {}", answer.text());
    let problem = answer.problem();
    assert_eq!(problem.code, Code::TokenRequired, "{what}");
    assert!(
        problem.detail.contains(detail),
        "{what}: {}",
        problem.detail
    );
}

#[tokio::test]
async fn a_protected_video_plays_under_a_token_alone() {
    let policy = Policy::new();
    let (ours, shop) = (policy.key("ours", "hs256"), policy.key("shop", "eddsa"));
    policy.key("stranger", "hs256");
    let weir = weir_with(policy.write(&[&ours, &shop])).await;
    let created = weir.create_protected_video("protected").await;
    let (id, http) = (created.video.id, weir.viewer());
    let _encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);

    let token = policy.token("ours", id, &[]);
    let segment = a_segment(http, id, &token).await;
    let bytes = http.body(&segment.path).await;
    assert!(bytes.len() > 1000);
    let bare = segment.path.replace(&format!("/t/{token}"), "");
    assert!(bare.starts_with("/v/"), "{}", segment.path);

    // The bytes are in the cache now, and the way to them is barred all the same.
    assert_denied(
        "no token",
        &http.get(&bare).await,
        "only under a playback token",
    );
    let under = |token: &str| format!("/t/{token}{bare}");
    let signed_by_shop = policy.token("shop", id, &[]);
    assert_eq!(http.body(&under(&signed_by_shop)).await, bytes);
    let cached = http.get(&under(&signed_by_shop)).await;
    let status = cached.header("cache-status").unwrap_or_default();
    assert!(status.contains("hit"), "{status}");
    let control = cached.header("cache-control").unwrap_or_default();
    assert!(control.starts_with("private"), "{control}");

    for (what, token, detail) in [
        ("garbage", "a.b.c".to_owned(), "no JSON Web Token"),
        (
            "a stranger",
            policy.token("stranger", id, &[]),
            "does not know the token's key",
        ),
        (
            "a stranger under our name",
            policy.token("stranger", id, &["--kid", "ours"]),
            "signature is wrong",
        ),
        (
            "an end",
            policy.token("ours", id, &["--expires", "0s"]),
            "expired",
        ),
        (
            "a beginning",
            policy.token("ours", id, &["--begins", "1h"]),
            "not good yet",
        ),
        (
            "an audience",
            policy.token("ours", id, &["--audience", "others"]),
            "another audience",
        ),
        (
            "a video",
            policy.token("ours", "pabcdefghijk".parse().unwrap(), &[]),
            "another video",
        ),
        (
            "a country",
            policy.token("ours", id, &["--country", "DE"]),
            "country",
        ),
    ] {
        // An end bars media a minute later than playlists, which have no grace.
        let path = format!("/t/{token}/v/{id}/480p/index.m3u8");
        assert_denied(what, &http.get(&path).await, detail);
    }

    let german = policy.token("ours", id, &["--country", "DE"]);
    let path = format!("/t/{german}/v/{id}/480p/index.m3u8");
    http.get_with(&path, &[("x-country", "DE")])
        .await
        .expect_ok();
    let denied = http.get_with(&path, &[("x-country", "XX")]).await;
    assert_eq!(denied.problem().code, Code::CountryDenied);

    let low = policy.token("ours", id, &["--max-height", "360"]);
    let answer = http.get(&format!("/t/{low}/v/{id}/480p/index.m3u8")).await;
    assert_eq!(answer.problem().code, Code::AboveCeiling);

    // The API takes the token in two other places.
    let state = format!("/api/v1/videos/{id}");
    assert_denied(
        "no token",
        &http.get(&state).await,
        "only under a playback token",
    );
    http.get(&format!("{state}?token={token}"))
        .await
        .expect_ok();
    let http = Http::new(http.base()).with_bearer(&token);
    http.get(&state).await.expect_ok();
}

#[tokio::test]
async fn keys_change_while_viewers_watch() {
    let policy = Policy::new();
    let (old, new) = (policy.key("old", "hs256"), policy.key("new", "eddsa"));
    let weir = weir_with(policy.write(&[&old])).await;
    let id = weir.create_protected_video("protected").await.video.id;
    let http = weir.viewer();
    // Nothing plays yet, so that a good token is answered by the origin with 404.
    let status = async |token: &str| {
        let answer = http.get(&format!("/t/{token}/v/{id}/index.m3u8")).await;
        answer.status.as_u16()
    };
    let (by_old, by_new) = (policy.token("old", id, &[]), policy.token("new", id, &[]));
    assert_eq!((status(&by_old).await, status(&by_new).await), (404, 403));

    policy.write(&[&old, &new]);
    eventually("the new key counts", PATIENCE, async || {
        (status(&by_new).await == 404).then_some(())
    })
    .await;
    assert_eq!(
        status(&by_old).await,
        404,
        "both count while tokens are exchanged"
    );

    policy.write(&[&new]);
    eventually("the old key counts no more", PATIENCE, async || {
        (status(&by_old).await == 403).then_some(())
    })
    .await;
    assert_eq!(status(&by_new).await, 404);

    // A policy with a mistake in it changes nothing.
    policy.write(&["keys = 7\n"]);
    eventually("the mistake is told", PATIENCE, async || {
        weir.log().contains("the policy before stays").then_some(())
    })
    .await;
    assert_eq!((status(&by_old).await, status(&by_new).await), (403, 404));
}

#[tokio::test]
async fn the_edge_signs_sessions() {
    let policy = Policy::new();
    let key = policy.key("ours", "hs256");
    let weir = weir_with(policy.write(&[&key])).await;
    let id = weir.create_protected_video("protected").await.video.id;
    let begin = async |token: &str| {
        let path = format!("/api/v1/videos/{id}/sessions?token={token}");
        let fields = [("x-country", "IS")];
        weir.viewer()
            .send(Method::POST, &path, &fields, Bytes::new())
            .await
    };
    assert_denied("no token", &begin("").await, "only under a playback token");
    let answer = begin(&policy.token("ours", id, &[])).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let session: serde_json::Value = answer.json();
    let text = session["ticket"].as_str().unwrap();
    let expires = WallTime(session["expires_at"].as_u64().unwrap());
    let key = TicketKey::new(Secret(TICKET_KEY.to_vec()));
    let keys = key.into_iter().collect();
    let ticket = Ticket::verify(text, &keys, WallTime(expires.0 - 1000)).unwrap();
    assert_eq!(session["session"], ticket.session.as_str());
    assert_eq!((ticket.video, ticket.expires()), (id, expires));
    assert_eq!(
        ticket.country.map(|country| country.to_string()),
        Some("IS".to_owned())
    );
    let again: serde_json::Value = begin(&policy.token("ours", id, &[])).await.json();
    assert_ne!(again["session"], session["session"]);
}

#[test]
fn the_player_renews_its_token() {
    let seen: serde_json::Value = browser::run("renewal", &(), Duration::from_secs(120));
    let expected = serde_json::json!({
        "early": [0, "first"],
        "renewed": [1, "second"],
        "kept": true,
        "elsewhere": true,
        "refused": [2, "third"],
        "again": [3, 4, "fourth"],
        "stopped": 4,
        "ends": [true, null, null],
    });
    assert_eq!(seen, expected);
}
