//! A protected live video through a shield: the token counts where the viewer comes in, signatures
//! from there on, and no log has a token.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{fs, time::Duration};

use weir_model::Code;
use weir_tests::{
    Answer, Encoder, PointOfPresence, PopOptions, Weir, WeirOptions, built, eventually,
    playlist::MediaPlaylist, policy::Policy,
};

const LONG: Duration = Duration::from_secs(90);
const SECRET: &str = "a secret of at least 32 characters";

fn assert_denied(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 403, "{what}: {}", answer.text());
    assert_eq!(answer.problem().code, Code::TokenRequired, "{what}");
}

#[tokio::test]
async fn a_protected_video_plays_through_a_shield() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let secret = ["--edge-secret-file", secret.to_str().unwrap()].map(str::to_owned);
    let origin = Weir::start_with(WeirOptions {
        args: [&["--ladder".to_owned(), "none".to_owned()], &secret[..]].concat(),
        apart: true,
        ..WeirOptions::default()
    })
    .await;
    let created = origin.create_protected_video("shielded").await;
    let id = created.video.id;
    let _encoder = Encoder::ffmpeg_looped(&built::film(), origin.rtmp_url(), &created.stream_key);

    let policy = Policy::new();
    let key = policy.key("ours", "eddsa");
    policy.key("stranger", "eddsa");
    let policy_file = policy.write(&[&key]).display().to_string();
    let edge = async |name: &str, shields: Vec<String>, args: &[String]| {
        // Every request is logged.
        let logging = ["--trace-rate".to_owned(), "1".to_owned()];
        PointOfPresence::start(PopOptions {
            name: Some(name.to_owned()),
            origins: vec![origin.origin_url().unwrap().to_owned()],
            shields,
            args: [&secret[..], &logging, args].concat(),
        })
        .await
    };
    let shield = edge("eu", Vec::new(), &[]).await;
    let shields = vec![shield.url().to_owned()];
    let pop = edge("paris", shields, &["--edge-policy".to_owned(), policy_file]).await;

    let token = policy.token("ours", id, &[]);
    let path = format!("/t/{token}/v/{id}/source/index.m3u8");
    let segment = eventually("a segment under a token", LONG, async || {
        let answer = pop.viewer().get(&path).await;
        if answer.status != 200 {
            return None;
        }
        let playlist = MediaPlaylist::parse(&path, &answer).unwrap();
        playlist.segments().into_iter().find(|segment| !segment.gap)
    })
    .await;
    let bytes = pop.viewer().body(&segment.path).await;
    assert!(bytes.len() > 1000);
    let bare = segment.path.replace(&format!("/t/{token}"), "");
    assert!(bare.starts_with("/v/"), "{}", segment.path);

    // It is in the caches of both by now.
    let forged = policy.token("stranger", id, &["--kid", "ours"]);
    let expired = policy.token("ours", id, &["--expires", "0s"]);
    assert_denied("no token", &pop.viewer().get(&bare).await);
    let under = |token: &str, path: &str| format!("/t/{token}{path}");
    assert_denied("forged", &pop.viewer().get(&under(&forged, &bare)).await);
    let list = format!("/v/{id}/source/index.m3u8");
    assert_denied("expired", &pop.viewer().get(&under(&expired, &list)).await);
    assert_denied("the shield", &shield.viewer().get(&bare).await);
    assert_denied("its own key", &shield.viewer().get(&segment.path).await);

    let of_shield = [("role", "shield")];
    let shielded = pop.metric("weir_pop_peer_answers_total", &of_shield).await;
    assert!(shielded > 0.0, "the shield was asked");
    let redacted = format!("/t/…/v/{id}");
    assert!(pop.log().contains(&redacted), "requests are logged");
    for log in [pop.log(), shield.log(), origin.log()] {
        assert!(!log.contains(&token), "a token is in a log");
    }
}
