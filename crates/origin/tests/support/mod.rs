//! An origin of the test's own, an HTTP client for it, and an encoder that makes media up.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its share")]
#![allow(
    clippy::unwrap_used,
    reason = "these are tests, outside of #[test] functions"
)]

pub mod encoder;

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use weir_model::{Lane, VideoId};
use weir_origin::{
    origin::{Config, Listeners, Origin},
    rtmp::{FromEncoder, Publishers},
};

/// Nothing takes longer than this unless something is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct TestOrigin {
    pub origin: Origin,
    pub data: TempDir,
    token: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is a problem with the given status and code.
    pub fn assert_problem(&self, status: u16, code: &str) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{text}"
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{text}");
        assert_eq!(problem["status"], status, "{text}");
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{text}"
        );
    }
}

impl TestOrigin {
    pub async fn start() -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), Duration::from_secs(30)).await
    }

    pub async fn start_on(data: TempDir, reconnect_window: Duration) -> Self {
        let config = Config {
            reconnect_window,
            ..Config::new(data.path().to_owned())
        };
        Self::start_with(data, config).await
    }

    /// An origin that is told so, of a folder to be kept as long.
    pub async fn start_with(data: TempDir, config: Config) -> Self {
        let listeners = Listeners::bind(&config).await.unwrap();
        let origin = Origin::start(config, listeners, Registry::default())
            .await
            .unwrap();
        let token = fs::read_to_string(origin.operator_token_file())
            .unwrap()
            .trim()
            .to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            origin,
            data,
            token,
            client,
        }
    }

    /// What a SIGKILL at this moment would leave behind.
    pub fn crash_image(&self) -> TempDir {
        let image = tempfile::tempdir().unwrap();
        copy_folder(self.data.path(), image.path());
        image
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.origin.viewer_address(), Method::GET, path, None, &[])
            .await
    }

    pub async fn send(
        &self,
        to: SocketAddr,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{to}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some((content_type, body)) => {
                request = request.header("content-type", content_type);
                Full::new(Bytes::from(body))
            }
            None => Full::default(),
        };
        let response = self.client.request(request.body(body).unwrap());
        let response = tokio::time::timeout(PATIENCE, response)
            .await
            .expect(path)
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// From the viewer plane, in this encoding.
    pub async fn get_as(&self, path: &str, encoding: &str) -> Answer {
        let accept = [("accept-encoding", encoding)];
        let viewer = self.origin.viewer_address();
        self.send(viewer, Method::GET, path, None, &accept).await
    }

    /// How often such a form was rendered (`identity`) or compressed, as `/metrics` says.
    pub async fn renders(&self, form: &str, encoding: &str) -> u64 {
        let operator = self.origin.operator_address();
        let metrics = self
            .send(operator, Method::GET, "/metrics", None, &[])
            .await;
        let name = format!("weir_origin_renders_total{{form=\"{form}\",encoding=\"{encoding}\"}} ");
        let mut lines = metrics.text().lines();
        let count = lines.find_map(|line| line.strip_prefix(&*name));
        count.map_or(0, |count| count.parse().unwrap())
    }

    /// To the operator plane, with the token.
    pub async fn operate(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        self.send(self.origin.operator_address(), method, path, body, &headers)
            .await
    }

    /// Creates an open video; answers its id and stream key.
    pub async fn create_video(&self) -> (VideoId, String) {
        let body = json!({ "title": "Test" });
        let created = self
            .operate(Method::POST, "/api/v1/videos", Some(body))
            .await;
        assert_eq!(created.status, 201, "{}", created.text());
        let created = created.json();
        let id = created["id"].as_str().unwrap().parse().unwrap();
        (id, created["stream_key"].as_str().unwrap().to_owned())
    }

    /// Where an encoder of the video sends.
    pub async fn publish(&self, video: VideoId) -> mpsc::Sender<FromEncoder> {
        self.origin
            .registry()
            .publish(video, Lane::Primary)
            .await
            .unwrap()
    }

    pub async fn end(&self, video: VideoId) {
        let path = format!("/api/v1/videos/{video}/end");
        let ended = self.operate(Method::POST, &path, None).await;
        assert_eq!(ended.status, 200, "{}", ended.text());
    }

    /// Gets `path` until the answer is as wanted.
    pub async fn get_until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            let text = String::from_utf8_lossy(&answer.body);
            assert!(
                tokio::time::Instant::now() < deadline,
                "{path}: {} {text}",
                answer.status
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the video is a complete recording.
    pub async fn wait_until_recorded(&self, video: VideoId) {
        let path = format!("/v/{video}/index.m3u8");
        self.get_until(&path, |answer| {
            answer.status == 200 && answer.text().contains("recording.m3u8")
        })
        .await;
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else if let Err(e) = fs::copy(entry.path(), &target) {
            // A file of the spool may have moved into a span meanwhile.
            assert_eq!(e.kind(), std::io::ErrorKind::NotFound, "{e}");
        }
    }
}

/// The addresses that a media playlist lists, resolved against its own path.
pub fn listed(playlist_path: &str, playlist: &str) -> Vec<String> {
    let base: Vec<&str> = playlist_path.split('/').collect();
    let rendition_folder = &base[..base.len() - 1];
    playlist
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|address| match address.strip_prefix("../") {
            Some(rest) => {
                format!(
                    "{}/{rest}",
                    rendition_folder[..rendition_folder.len() - 1].join("/")
                )
            }
            None => format!("{}/{address}", rendition_folder.join("/")),
        })
        .collect()
}
