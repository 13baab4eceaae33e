//! The servers under measurement. Each is started with an empty folder and ended on drop.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    pin::Pin,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, header};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    time::Instant,
};

/// Stream keys to come.
pub(crate) type StreamKeys<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>>> + 'a>>;

/// Something that takes RTMP and makes HLS.
pub(crate) trait Server {
    /// Where it takes RTMP.
    fn rtmp(&self) -> SocketAddr;
    /// The process at the root of its tree.
    fn pid(&self) -> u32;
    /// Makes `count` stream keys valid and returns them.
    fn stream_keys(&mut self, count: usize) -> StreamKeys<'_>;
}

const START_DEADLINE: Duration = Duration::from_secs(20);

/// `weir origin`.
pub(crate) struct Weir {
    child: tokio::process::Child,
    ready: Ready,
    _data: TempDir,
}

#[derive(Deserialize)]
struct Ready {
    viewer: String,
    operator: String,
    rtmp: String,
    operator_token_file: String,
}

/// A video, and how to push to it.
#[derive(Deserialize)]
pub(crate) struct Created {
    pub(crate) id: String,
    pub(crate) stream_key: String,
}

impl Weir {
    /// Starts the release build on free ports, without a ladder.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with_ladder(Path::new("none")).await
    }

    /// The same, with a ladder file.
    pub(crate) async fn start_with_ladder(ladder: &Path) -> Result<Self> {
        let ladder = ladder.to_string_lossy();
        Self::start_as("origin", &["--ladder", &ladder]).await
    }

    /// In any of its roles, with further arguments.
    pub(crate) async fn start_as(role: &str, args: &[&str]) -> Result<Self> {
        let data = TempDir::new()?;
        let mut child = tokio::process::Command::new("target/release/weir")
            .arg(role)
            .args(args)
            .arg("--data")
            .arg(data.path())
            .args([
                "--rtmp",
                "127.0.0.1:0",
                "--srt",
                "127.0.0.1:0",
                "--webrtc",
                "127.0.0.1:0",
                "--operator",
                "127.0.0.1:0",
                "--listen",
                "127.0.0.1:0",
            ])
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("start target/release/weir")?;
        let stdout = child.stdout.take().context("weir has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(START_DEADLINE, lines.next_line())
            .await
            .context("weir start-up")??;
        let ready = serde_json::from_str(&line.context("weir ended before it was ready")?)?;
        Ok(Self {
            child,
            ready,
            _data: data,
        })
    }

    /// Where viewers connect, as a URL.
    pub(crate) fn viewer(&self) -> &str {
        &self.ready.viewer
    }

    /// Makes a video.
    pub(crate) async fn create_video(&self) -> Result<Created> {
        let token = std::fs::read_to_string(&self.ready.operator_token_file)?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/api/v1/videos", self.ready.operator))
            .header(header::AUTHORIZATION, format!("Bearer {}", token.trim()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(b"{}")))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let body = client
            .request(request)
            .await?
            .into_body()
            .collect()
            .await?
            .to_bytes();
        serde_json::from_slice(&body)
            .with_context(|| format!("create a video: {}", String::from_utf8_lossy(&body)))
    }
}

impl Server for Weir {
    fn rtmp(&self) -> SocketAddr {
        let authority = self
            .ready
            .rtmp
            .trim_start_matches("rtmp://")
            .split('/')
            .next();
        authority
            .and_then(|a| a.parse().ok())
            .expect("weir prints a socket address")
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("weir runs")
    }

    fn stream_keys(&mut self, count: usize) -> StreamKeys<'_> {
        Box::pin(async move {
            let mut keys = Vec::with_capacity(count);
            for _ in 0..count {
                keys.push(self.create_video().await?.stream_key);
            }
            Ok(keys)
        })
    }
}

/// nginx with libnginx-mod-rtmp: HLS in fragments of 2 s, a playlist of 60 s, as Weir's.
pub(crate) struct Nginx {
    child: Child,
    rtmp: SocketAddr,
    folder: TempDir,
}

impl Nginx {
    /// The playlist that it keeps of a stream.
    pub(crate) fn playlist(&self, stream_key: &str) -> PathBuf {
        self.folder.path().join(format!("hls/{stream_key}.m3u8"))
    }

    /// Starts one worker on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let rtmp = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, nginx_conf(folder.path(), rtmp))?;
        let child = Command::new("/usr/sbin/nginx")
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start nginx (packages nginx-light and libnginx-mod-rtmp)")?;
        let server = Self {
            child,
            rtmp,
            folder,
        };
        let deadline = Instant::now() + START_DEADLINE;
        while TcpStream::connect(rtmp).await.is_err() {
            ensure!(Instant::now() < deadline, "nginx did not open {rtmp}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }
}

fn nginx_conf(folder: &Path, rtmp: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
user root;
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 4096; }}
rtmp {{
  access_log off;
  server {{
    listen {rtmp};
    chunk_size 4096;
    application live {{
      live on;
      hls on;
      hls_path {folder}/hls;
      hls_fragment 2s;
      hls_playlist_length 60s;
    }}
  }}
}}
"
    )
}

impl Server for Nginx {
    fn rtmp(&self) -> SocketAddr {
        self.rtmp
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn stream_keys(&mut self, count: usize) -> StreamKeys<'_> {
        Box::pin(async move { Ok((0..count).map(|n| format!("stream{n}")).collect()) })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // On SIGTERM the master ends its worker; SIGKILL would orphan it.
        let pid = self.child.id().to_string();
        let quit = Command::new("kill").args(["-TERM", &pid]).status();
        if quit.is_ok_and(|status| status.success()) {
            let _ = self.child.wait();
        }
    }
}
