//! The operator of `weir serve`: how its point of presence does, and its drain.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use weir_model::pop::Status;
use weir_tests::{Weir, WeirOptions, built};

#[tokio::test]
async fn the_point_of_presence_in_one_process_is_seen_and_drained() {
    let args = ["--ladder", "none"].map(str::to_owned);
    let mut weir = Weir::start_with(WeirOptions {
        args: args.into(),
        ..WeirOptions::default()
    })
    .await;
    weir.viewer().get("/api/v1/videos").await.expect_ok();
    let status: Status = weir.operator().get("/api/v1/pop").await.expect_ok().json();
    assert_eq!((&*status.name, status.draining), ("local", false));
    assert_eq!(status.requests.outcomes["miss"], 1);
    assert_eq!(status.upstream.peers[0].condition, "up");

    let mut print = Command::new(built::weir());
    print
        .args(["pop", "status", "--operator", weir.operator().base()])
        .arg("--token-file")
        .arg(weir.data().join("data/operator-token"));
    let printed = print.output().unwrap();
    let table = String::from_utf8(printed.stdout).unwrap();
    assert!(
        table.starts_with("pop            local, serving"),
        "{table}"
    );
    assert!(printed.status.success());

    let drained = weir.operator().post("/api/v1/pop/drain").await;
    assert_eq!(drained.status, 202, "{}", drained.text());
    assert!(drained.json::<Status>().draining);
    assert!(weir.wait_until_ended().success(), "{}", weir.log());
}
