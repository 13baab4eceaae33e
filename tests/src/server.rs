//! A `weir serve` of the test's own.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use tempfile::TempDir;
use weir_model::{
    VideoId,
    api::{CreateVideo, CreatedVideo, Video, VideoState},
};

use crate::{
    Http, PointOfPresence, PopOptions, built, eventually,
    playlist::MediaPlaylist,
    process::{self, Process},
    wait::PATIENCE,
};

/// What a test may choose of its server.
#[derive(Clone, Debug)]
pub struct WeirOptions {
    /// How long the server waits for an encoder that went away.
    pub reconnect_window: Duration,
    /// Further arguments of `weir serve`.
    pub args: Vec<String>,
    /// Whether origin and point of presence are processes of their own.
    pub apart: bool,
}

impl Default for WeirOptions {
    fn default() -> Self {
        Self {
            reconnect_window: Duration::from_secs(30),
            args: Vec::new(),
            apart: false,
        }
    }
}

/// A running `weir serve` on free ports and a data folder of its own. It and its children end
/// when it is dropped; the data folder goes too.
#[derive(Debug)]
pub struct Weir {
    process: Process,
    pop: Option<PointOfPresence>,
    ready: Ready,
    options: WeirOptions,
    viewer: Http,
    operator: Http,
    data: TempDir,
}

/// The line that `weir serve` prints when it takes connections.
#[derive(Clone, Debug, Deserialize)]
struct Ready {
    viewer: String,
    operator: String,
    viewer_https: Option<String>,
    rtmp: String,
    rtmps: Option<String>,
    srt: String,
    operator_token_file: PathBuf,
}

impl Weir {
    /// Starts a server with the default options and waits until it is ready.
    pub async fn start() -> Self {
        Self::start_with(WeirOptions::default()).await
    }

    /// Starts a server and waits until it is ready.
    ///
    /// # Panics
    /// If it is not within [`PATIENCE`].
    pub async fn start_with(options: WeirOptions) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let any = "127.0.0.1:0".to_owned();
        let (process, ready) = launch(&data, &options, [any.clone(), any.clone(), any]).await;
        let operator = operator(&ready);
        let (pop, viewer) = match options.apart {
            true => {
                let pop = PointOfPresence::start(PopOptions::of_origin(&ready.viewer)).await;
                let viewer = pop.viewer().clone();
                (Some(pop), viewer)
            }
            false => (None, Http::new(&ready.viewer)),
        };
        Self {
            process,
            pop,
            ready,
            options,
            viewer,
            operator,
            data,
        }
    }

    /// SIGKILL, as a crash would be: nothing is flushed, nobody is told.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM's gentler sister: SIGINT, and waits for the drain to end.
    pub fn stop(&mut self) {
        self.process.interrupt();
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it has not within [`PATIENCE`].
    pub fn wait_until_ended(&mut self) -> ExitStatus {
        self.process.wait(PATIENCE)
    }

    /// Starts a killed or stopped server again, on the same data and the same ports.
    pub async fn restart(&mut self) {
        let authority = |url: &str| {
            let url = url.split("://").last().unwrap_or_default();
            url.split('/').next().unwrap_or_default().to_owned()
        };
        let Ready {
            viewer,
            rtmp,
            operator,
            ..
        } = &self.ready;
        let addresses = [authority(viewer), authority(rtmp), authority(operator)];
        let (process, ready) = launch(&self.data, &self.options, addresses).await;
        self.process = process;
        self.ready = ready;
        self.operator = self::operator(&self.ready);
    }

    /// What viewers use: the PoP.
    pub fn viewer(&self) -> &Http {
        &self.viewer
    }

    /// What the operator uses, with the operator's token.
    pub fn operator(&self) -> &Http {
        &self.operator
    }

    /// Address to push to, without the stream key: `rtmp://127.0.0.1:port/live`.
    pub fn rtmp_url(&self) -> &str {
        &self.ready.rtmp
    }

    /// What viewers use over HTTPS, if the options ask for it: `https://127.0.0.1:port`.
    pub fn https_url(&self) -> Option<&str> {
        self.ready.viewer_https.as_deref()
    }

    /// As [`rtmp_url`](Self::rtmp_url) over TLS, if the options ask for it.
    pub fn rtmps_url(&self) -> Option<&str> {
        self.ready.rtmps.as_deref()
    }

    /// Address to call over SRT: `srt://127.0.0.1:port`.
    pub fn srt_url(&self) -> &str {
        &self.ready.srt
    }

    /// What points of presence use, if it is an origin apart: `http://127.0.0.1:port`.
    pub fn origin_url(&self) -> Option<&str> {
        self.options.apart.then_some(&*self.ready.viewer)
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Everything the server has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The process id of the point of presence, if it has one of its own.
    pub fn pop_pid(&self) -> Option<u32> {
        self.pop.as_ref().map(PointOfPresence::pid)
    }

    /// Process ids of the transcoder's children.
    pub fn transcoders(&self) -> Vec<u32> {
        process::children_named(self.pid(), "weir-transcode")
    }

    /// Creates an open video.
    pub async fn create_video(&self, title: &str) -> CreatedVideo {
        self.create(title, false).await
    }

    /// Creates a video that plays only under a token.
    pub async fn create_protected_video(&self, title: &str) -> CreatedVideo {
        self.create(title, true).await
    }

    async fn create(&self, title: &str, protected: bool) -> CreatedVideo {
        let video = CreateVideo {
            title: title.to_owned(),
            protected,
        };
        let answer = self.operator.post_json("/api/v1/videos", &video).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// The video as the operator sees it.
    pub async fn video(&self, id: VideoId) -> Video {
        self.operator
            .get(&format!("/api/v1/videos/{id}"))
            .await
            .expect_ok()
            .json()
    }

    /// Ends a broadcast.
    pub async fn end_video(&self, id: VideoId) {
        let answer = self
            .operator
            .post(&format!("/api/v1/videos/{id}/end"))
            .await;
        assert!(
            answer.status.is_success(),
            "{}: {}",
            answer.status,
            answer.text()
        );
    }

    /// Waits until the multivariant playlist lists all that is expected of a healthy broadcast:
    /// `renditions` of video, each with a playlist that has at least `segments` segments with media.
    /// One that a busy machine has shed is waited for.
    pub async fn wait_until_live(&self, id: VideoId, renditions: &[&str], segments: usize) {
        for rendition in renditions {
            let path = format!("/v/{id}/{rendition}/index.m3u8");
            let what = format!("{segments} segments in {path}");
            eventually(&what, PATIENCE, async || {
                let answer = self.viewer.get(&path).await;
                let playlist = MediaPlaylist::parse(&path, &answer).ok()?;
                let listed = playlist.segments();
                let media = listed.iter().filter(|segment| !segment.gap).count();
                (media >= segments).then_some(())
            })
            .await;
        }
    }

    /// Waits until all that an encoder sent before it left has been taken, and it is missed.
    pub async fn wait_until_away(&self, id: VideoId) {
        eventually("the encoder is missed", PATIENCE, async || {
            (self.video(id).await.state == VideoState::Away).then_some(())
        })
        .await;
    }

    /// The value of the Prometheus sample on the operator plane whose name is `name` and whose
    /// labels include all of `labels`; several such samples are added up, none is 0.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.operator.get("/metrics").await.expect_ok().text();
        text.lines()
            .filter_map(|line| sample(line, name, labels))
            .sum()
    }
}

/// The value in a line of Prometheus's text, if it is such a sample.
pub(crate) fn sample(line: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let (series, value) = line.rsplit_once(' ')?;
    let (series_name, series_labels) = series.split_once('{').unwrap_or((series, ""));
    let has = |(key, value): &(&str, &str)| series_labels.contains(&format!("{key}=\"{value}\""));
    (series_name == name && labels.iter().all(has))
        .then(|| value.parse().ok())
        .flatten()
}

fn operator(ready: &Ready) -> Http {
    let token = std::fs::read_to_string(&ready.operator_token_file)
        .unwrap_or_else(|error| panic!("{}: {error}", ready.operator_token_file.display()));
    Http::new(&ready.operator).with_bearer(token.trim())
}

/// Unless a test asks for another one: few tests are about ladders, and several run at once.
const LADDER: &str = "
[[rung]]
height = 480
bitrate_kbps = 1200
encoder = \"libx264\"
preset = \"ultrafast\"
";

/// `addresses` are those of the viewer plane, RTMP and the operator plane.
async fn launch(
    data: &TempDir,
    options: &WeirOptions,
    [viewer, rtmp, operator]: [String; 3],
) -> (Process, Ready) {
    let mut command = Command::new(built::weir());
    match options.apart {
        true => command.arg("origin"),
        false => command
            .arg("serve")
            .arg("--edge-module")
            .arg(built::edge_module()),
    };
    command
        .arg("--data")
        .arg(data.path().join("data"))
        .args([
            "--listen",
            &viewer,
            "--rtmp",
            &rtmp,
            "--operator",
            &operator,
            "--srt",
            "127.0.0.1:0",
            "--webrtc",
            "127.0.0.1:0",
        ])
        .arg("--www")
        .arg(built::www())
        .arg("--reconnect-window")
        .arg(format!("{}s", options.reconnect_window.as_secs()))
        .args(&options.args);
    let chosen = |option: &str| options.args.iter().any(|arg| arg == option);
    if !chosen("--transcoder") {
        command.arg("--transcoder").arg(built::transcoder());
    }
    if !chosen("--ladder") {
        let ladder = data.path().join("ladder.toml");
        std::fs::write(&ladder, LADDER).expect("the data folder can be written to");
        command.arg("--ladder").arg(ladder);
    }
    until_ready("weir", &mut command, &data.path().join("weir.log")).await
}

/// Starts `command` and reads the JSON line that it prints when it takes connections.
pub(crate) async fn until_ready<T: DeserializeOwned>(
    name: &'static str,
    command: &mut Command,
    log: &Path,
) -> (Process, T) {
    let (process, line) = Process::start_and_read_line(name, command, log);
    let line = tokio::time::timeout(PATIENCE, line).await;
    let line = line.unwrap_or_else(|_| panic!("{name} is not ready within {PATIENCE:?}"));
    let line = line.unwrap_or_else(|_| panic!("{name} ended before it was ready"));
    let ready = serde_json::from_str(&line);
    (
        process,
        ready.unwrap_or_else(|error| panic!("no ready line: {error}: {line}")),
    )
}
