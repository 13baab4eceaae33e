//! What lies behind the link: the players' pages and libraries, the film, and the broadcast's server.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::{Body, Bytes, Incoming},
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::film;

/// What each name that ends so is, and whether it is worth compressing.
const TYPES: &[(&str, &str, bool)] = &[
    ("html", "text/html; charset=utf-8", true),
    ("js", "text/javascript; charset=utf-8", true),
    ("css", "text/css; charset=utf-8", true),
    ("wasm", "application/wasm", true),
    ("m3u8", "application/vnd.apple.mpegurl", true),
    ("mpd", "application/dash+xml", true),
    ("mp4", "video/mp4", false),
    ("m4s", "video/mp4", false),
];

/// Files in memory and on disk, and perhaps a server for everything else.
pub(super) struct Stage {
    files: BTreeMap<String, Asset>,
    film: PathBuf,
    server: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A file as it is sent.
#[derive(Clone)]
struct Asset {
    content_type: &'static str,
    plain: Bytes,
    /// By Brotli, where it is worth it.
    compressed: Option<Bytes>,
}

/// An answer's head, and what comes of its body.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Source,
}

/// A body that is there, or that comes from the server.
pub(super) enum Source {
    Whole(Bytes),
    Coming(Incoming),
}

impl Source {
    /// In bytes, where it is known.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Coming(body) => body.size_hint().exact(),
        }
    }
}

impl Stage {
    /// With the film that lies in a folder.
    pub(super) fn new(film: PathBuf) -> Self {
        Self {
            files: BTreeMap::new(),
            film,
            server: None,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Has a server, by its URL, answer what nothing else does.
    pub(super) fn set_server(&mut self, url: &str) {
        self.server = Some(url.to_owned());
    }

    /// Takes in the page at `/`.
    pub(super) fn put_page(&mut self, html: String) -> Result<()> {
        let asset = Asset::new("page.html", html.into())?;
        self.files.insert("/".to_owned(), asset);
        Ok(())
    }

    /// Takes in a file that `path` is to be answered with.
    pub(super) fn put_file(&mut self, path: &str, file: &Path) -> Result<()> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        self.files
            .insert(path.to_owned(), Asset::new(path, bytes.into())?);
        Ok(())
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Answer> {
        let path = request.uri().path();
        if let Some(asset) = self.files.get(path) {
            return Ok(asset.answer(request.headers()));
        }
        if let Some(name) = path.strip_prefix(film::PATH) {
            return self.film(name, request.headers()).await;
        }
        match &self.server {
            Some(server) => self.pass_on(server, request).await,
            None => Ok(refusal()),
        }
    }

    async fn film(&self, name: &str, asked: &HeaderMap) -> Result<Answer> {
        if name.split('/').any(|piece| piece == "..") {
            return Ok(refusal());
        }
        match tokio::fs::read(self.film.join(name)).await {
            Ok(bytes) => Ok(Asset::new(name, bytes.into())?.answer(asked)),
            Err(_) => Ok(refusal()),
        }
    }

    async fn pass_on(&self, server: &str, request: Request<Incoming>) -> Result<Answer> {
        let (head, body) = request.into_parts();
        let target = head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let mut onward = Request::builder()
            .method(head.method)
            .uri(format!("{server}{target}"));
        for name in [header::ACCEPT_ENCODING, header::CONTENT_TYPE, header::RANGE] {
            if let Some(value) = head.headers.get(&name) {
                onward = onward.header(name, value);
            }
        }
        let body = Full::new(body.collect().await?.to_bytes());
        let answer = self.client.request(onward.body(body)?).await?;
        let (head, body) = answer.into_parts();
        let mut headers = isolated();
        let kept = [
            header::CONTENT_TYPE,
            header::CONTENT_LENGTH,
            header::CONTENT_ENCODING,
            header::CACHE_CONTROL,
            header::CONTENT_RANGE,
            header::DATE,
        ];
        for name in kept {
            if let Some(value) = head.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        Ok(Answer {
            status: head.status,
            headers,
            body: Source::Coming(body),
        })
    }
}

impl Asset {
    fn new(path: &str, plain: Bytes) -> Result<Self> {
        let extension = path.rsplit('.').next().unwrap_or_default();
        let known = TYPES.iter().find(|(ending, ..)| *ending == extension);
        let (_, content_type, worth_it) =
            known.with_context(|| format!("{path} is of no type that players are given"))?;
        let compressed = if *worth_it {
            Some(compress(&plain)?)
        } else {
            None
        };
        Ok(Self {
            content_type,
            plain,
            compressed,
        })
    }

    fn answer(&self, asked: &HeaderMap) -> Answer {
        let accepts = asked.get(header::ACCEPT_ENCODING);
        let accepts = accepts
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let takes_brotli = accepts.split(',').any(|name| name.trim() == "br");
        let mut headers = isolated();
        let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, self.content_type);
        set(header::CACHE_CONTROL, "public, max-age=3600");
        let body = match &self.compressed {
            Some(compressed) if takes_brotli => {
                set(header::CONTENT_ENCODING, "br");
                compressed.clone()
            }
            _ => self.plain.clone(),
        };
        headers.insert(header::CONTENT_LENGTH, body.len().into());
        Answer {
            status: StatusCode::OK,
            headers,
            body: Source::Whole(body),
        }
    }
}

/// What lets a page measure its memory.
fn isolated() -> HeaderMap {
    let names = [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    let headers = names.map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    HeaderMap::from_iter(headers)
}

fn refusal() -> Answer {
    let mut headers = isolated();
    headers.insert(header::CONTENT_LENGTH, 0.into());
    Answer {
        status: StatusCode::NOT_FOUND,
        headers,
        body: Source::Whole(Bytes::new()),
    }
}

fn compress(plain: &[u8]) -> Result<Bytes> {
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: plain.len(),
        ..BrotliEncoderParams::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*plain, &mut compressed, &parameters)?;
    Ok(compressed.into())
}
