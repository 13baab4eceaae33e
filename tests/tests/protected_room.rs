//! The room of a protected video on the watch page, in browsers.

#![allow(clippy::unwrap_used)]

use std::{collections::HashMap, time::Duration};

use serde::Deserialize;
use serde_json::json;
use weir_tests::{Weir, WeirOptions, browser, policy::Policy};

#[derive(Debug, Deserialize)]
struct Answer {
    watching: String,
    comments: Vec<String>,
    /// Requests for pages of comments while the socket stood.
    polls: u32,
    claps: String,
    /// Paths of the sockets that a page opened.
    sockets: Vec<String>,
    /// What who came without a token is told.
    title: String,
    /// What it asked for after that.
    knocks: u32,
    /// What stands behind the address of a page whose token was renewed.
    renewed: HashMap<String, String>,
    errors: Vec<String>,
}

#[tokio::test]
async fn who_has_a_token_talks_in_a_protected_room() {
    let policy = Policy::new();
    let key = policy.key("ours", "hs256");
    let policy_file = policy.write(&[&key]).display().to_string();
    // Every request is logged.
    let args = ["--edge-policy", &policy_file, "--trace-rate", "1"].map(str::to_owned);
    let weir = Weir::start_with(WeirOptions {
        args: args.into(),
        ..WeirOptions::default()
    })
    .await;
    let created = weir.create_protected_video("protected").await;
    let token = policy.token("ours", created.video.id, &[]);
    let input = json!({
        "page": weir.viewer().url(&created.video.watch_url),
        "token": token,
        "ending": policy.token("ours", created.video.id, &["--expires", "30s"]),
    });
    let answer: Answer = browser::run("protected_room", &input, Duration::from_secs(300));
    assert_eq!(answer.watching, "2 watching");
    assert_eq!(answer.comments, ["Among ourselves"]);
    assert_eq!(answer.polls, 0, "the socket brings everything");
    assert_eq!(answer.claps, "1");
    let room = format!("/api/v1/videos/{}/room", created.video.id);
    let expected = format!("/t/{token}{room}");
    assert!(answer.sockets.iter().all(|path| *path == expected));
    assert!(!answer.sockets.is_empty());
    assert_eq!((answer.title.contains("good"), answer.knocks), (true, 0));
    assert_eq!(answer.renewed["token"], token);
    assert_eq!(answer.renewed["token-url"], "/my/renew?for=me");
    assert_eq!(answer.errors, [""; 0]);

    let log = weir.log();
    assert!(log.contains(&format!("/t/…{room}")), "requests are logged");
    assert!(!log.contains(&token), "a token is in the log");
}
