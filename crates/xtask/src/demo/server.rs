//! `weir serve` and its operator's API.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use crate::{repo, run::Background, wasm};

const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_GRACE: Duration = Duration::from_secs(10);

/// A running server. Dropping it lets it drain, then ends it.
pub(crate) struct Server {
    process: Background,
    token: String,
    /// Where it listens.
    pub(crate) ready: Ready,
}

/// The line that `weir serve` prints when it takes connections.
#[derive(Deserialize)]
pub(crate) struct Ready {
    /// What viewers use.
    pub(crate) viewer: String,
    /// What the operator uses.
    pub(crate) operator: String,
    operator_token_file: PathBuf,
}

/// A video just created.
#[derive(Deserialize)]
pub(crate) struct Video {
    /// Its id.
    pub(crate) id: String,
    /// Path of its watch page.
    pub(crate) watch_url: String,
    /// Where to push, without the key.
    pub(crate) rtmp_url: String,
    /// The same over SRT.
    pub(crate) srt_url: String,
    /// Shown this once.
    pub(crate) stream_key: String,
}

impl Video {
    /// Where to push, with the key.
    pub(crate) fn push_url(&self) -> String {
        format!("{}/{}", self.rtmp_url, self.stream_key)
    }
}

impl Server {
    /// Starts it on `data` with a part profile and waits until it is ready: on the ports that the
    /// documentation names, or on free ones.
    pub(crate) fn start(data: &Path, parts: &str, free_ports: bool) -> Result<Self> {
        fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
        let mut command = Command::new(repo::target("debug/weir"));
        command.arg("serve").arg("--data").arg(data.join("data"));
        command.args(["--parts", parts]);
        command.arg("--edge-module").arg(wasm::edge_module());
        command.arg("--www").arg(repo::path("www/dist"));
        command
            .arg("--transcoder")
            .arg(repo::target("debug/weir-transcode"));
        if free_ports {
            for listener in ["--listen", "--rtmp", "--srt", "--webrtc", "--operator"] {
                command.args([listener, "127.0.0.1:0"]);
            }
        }
        let log = data.join("weir.log");
        let mut process = Background::start(command.stdout(Stdio::piped()), &log)?;
        let line = first_line(&mut process);
        let line = line.with_context(|| format!("weir did not start:\n{}", last_lines(&log)))?;
        let ready: Ready = serde_json::from_str(&line).with_context(|| line)?;
        let token = fs::read_to_string(&ready.operator_token_file)
            .with_context(|| format!("cannot read {}", ready.operator_token_file.display()))?;
        Ok(Self {
            process,
            token: token.trim().to_owned(),
            ready,
        })
    }

    /// Where the operator's token is.
    pub(crate) fn token_file(&self) -> String {
        self.ready.operator_token_file.display().to_string()
    }

    /// Creates an open video.
    pub(crate) fn create_video(&self, title: &str) -> Result<Video> {
        let url = format!("{}/api/v1/videos", self.ready.operator);
        let request = ureq::post(&url)
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", "application/json");
        let mut answer = request.send(json!({ "title": title }).to_string())?;
        Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
    }

    /// What a viewer gets for `path`.
    pub(crate) fn viewer_text(&self, path: &str) -> Result<String> {
        let mut answer = ureq::get(format!("{}{path}", self.ready.viewer)).call()?;
        Ok(answer.body_mut().read_to_string()?)
    }

    /// The same, in JSON.
    pub(crate) fn viewer_json<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        Ok(serde_json::from_str(&self.viewer_text(path)?)?)
    }

    /// The server's Prometheus samples.
    pub(crate) fn metrics(&self) -> Result<String> {
        let url = format!("{}/metrics", self.ready.operator);
        let request = ureq::get(&url).header("Authorization", format!("Bearer {}", self.token));
        Ok(request.call()?.body_mut().read_to_string()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.end(STOP_GRACE);
    }
}

/// The first line on the standard output; what follows is read and dropped.
fn first_line(process: &mut Background) -> Result<String> {
    let stdout = process.stdout().context("standard output is piped")?;
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody waits for the second line.
            let _ = send.send(line);
        }
    });
    receive
        .recv_timeout(START_DEADLINE)
        .context("no line on its standard output")
}

fn last_lines(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
