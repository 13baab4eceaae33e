//! The same module file under Cloudflare's runtime: npm's `workerd` runs the shell in front of an
//! origin that counts.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use support::{
    cases,
    client::{Call, get},
    module,
    origin::{Origin, wait_until},
};
use tempfile::TempDir;

const SEGMENT: &str = "/v/oabcdefghijk/3/480p/12.m4s";

/// Runs until it is dropped.
struct Workerd {
    address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Workerd {
    fn start(origin: SocketAddr) -> Self {
        let shell = Path::new(env!("CARGO_MANIFEST_DIR")).join("cloudflare");
        let folder = assemble(&shell);
        let mut child = Command::new(installed(&shell, "@cloudflare", "workerd-", "bin/workerd"))
            .args([
                "serve",
                "workerd.capnp",
                "--socket-addr=http=127.0.0.1:0",
                "--control-fd=1",
            ])
            .current_dir(folder.path())
            .env("WEIR_ORIGIN", format!("http://{origin}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = events
            .find_map(|event| listening_port(&event.ok()?))
            .expect("a port");
        Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            child,
            _folder: folder,
        }
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `{"event":"listen","socket":"http","port":40000}` tells where a socket listens.
fn listening_port(event: &str) -> Option<u16> {
    let event: serde_json::Value = serde_json::from_str(event).ok()?;
    (event["event"] == "listen")
        .then(|| event["port"].as_u64()?.try_into().ok())
        .flatten()
}

/// Bundles the shell beside the module and the configuration.
fn assemble(shell: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["workerd.capnp", "local-cache.js"] {
        fs::copy(shell.join(file), folder.path().join(file)).unwrap();
    }
    fs::create_dir(folder.path().join("dist")).unwrap();
    fs::copy(module::path(), folder.path().join("dist/edge.wasm")).unwrap();
    let bundled = Command::new(installed(shell, "@esbuild", "", "bin/esbuild"))
        .args([
            "shell/main.ts",
            "--bundle",
            "--format=esm",
            "--target=es2024",
        ])
        .args(["--external:./edge.wasm", "--log-level=warning"])
        .arg(format!(
            "--outfile={}",
            folder.path().join("dist/shell.js").display()
        ))
        .current_dir(shell)
        .status()
        .unwrap();
    assert!(bundled.success());
    folder
}

/// A program for this platform, straight from its package: npm's own wrapper would need Node and
/// outlive a kill.
fn installed(shell: &Path, scope: &str, prefix: &str, program: &str) -> PathBuf {
    let packages = shell.join("node_modules").join(scope);
    let found = fs::read_dir(&packages).ok().and_then(|packages| {
        let mut programs = packages.filter_map(|package| {
            let package = package.ok()?;
            let named = package.file_name().to_str()?.starts_with(prefix);
            named
                .then(|| package.path().join(program))
                .filter(|program| program.is_file())
        });
        programs.next()
    });
    found.unwrap_or_else(|| {
        panic!(
            "no {program} in {}: run `npm ci` in {}",
            packages.display(),
            shell.display()
        )
    })
}

#[test]
fn every_case_is_answered() {
    let origin = Origin::echo();
    let edge = Workerd::start(origin.address);
    for case in cases::all() {
        case.check(&case.call().send(edge.address));
    }
    for asked in origin.asked() {
        assert_eq!(asked.field("weir-pop"), Some("workerd"));
        assert_eq!(asked.field("user-agent"), None, "{asked:?}");
    }
}

#[test]
fn a_cached_segment_asks_nobody() {
    let origin = Origin::echo();
    let edge = Workerd::start(origin.address);
    let first = get(edge.address, SEGMENT);
    assert_eq!(first.field("cache-status"), Some("weir; fwd=miss"));
    wait_until("the segment to be cached", || {
        let answer = get(edge.address, SEGMENT);
        assert_eq!((answer.status, answer.text()), (200, SEGMENT));
        answer.field("cache-status") == Some("weir; hit")
    });
    let asked = origin.asked_for(SEGMENT);
    let hit = get(edge.address, &format!("{SEGMENT}?CMCD=1"));
    assert_eq!(hit.field("cache-status"), Some("weir; hit"));
    assert_eq!(
        hit.field("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    assert_eq!(hit.text(), SEGMENT);
    let part = Call::new("GET", SEGMENT)
        .field("range", "bytes=1-2")
        .send(edge.address);
    assert_eq!((part.status, part.text()), (206, &SEGMENT[1..3]));
    let head = Call::new("HEAD", SEGMENT).send(edge.address);
    assert_eq!((head.status, head.text()), (200, ""));
    assert_eq!(origin.asked_for(SEGMENT), asked);
}

#[test]
fn bodies_are_bounded() {
    let origin = Origin::echo();
    let edge = Workerd::start(origin.address);
    let answer = Call::new("POST", "/api/v1/events")
        .field("content-type", "application/json")
        .body(&[b' '; 20_000])
        .send(edge.address);
    assert_eq!(answer.status, 413);
    assert!(origin.asked().is_empty());
}

#[test]
fn an_origin_that_is_away_is_told() {
    // No port that a test is given.
    let edge = Workerd::start("127.0.0.1:1".parse().unwrap());
    assert_eq!(get(edge.address, "/api/v1/videos").status, 502);
}
