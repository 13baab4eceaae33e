//! What is behind the servers: bodies of the sizes of live media, under the names that Weir gives
//! them, and playlist positions that are held until they are told to be there.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch};

const VIDEO: &str = "/v/oabcdefghijk";

/// Something that is asked for.
#[derive(Clone, Copy)]
pub(super) enum Thing {
    Playlist,
    Part,
    Segment,
    LargeSegment,
}

impl Thing {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Playlist => 1 << 10,
            Self::Part => 40 << 10,
            Self::Segment => 300 << 10,
            Self::LargeSegment => 2 << 20,
        }
    }

    pub(super) fn target(self) -> String {
        match self {
            Self::Playlist => format!("{VIDEO}/480p/index.m3u8?_HLS_msn=7&_HLS_part=2"),
            Self::Part => format!("{VIDEO}/1/480p/7.2.m4s"),
            Self::Segment => format!("{VIDEO}/1/480p/7.m4s"),
            Self::LargeSegment => format!("{VIDEO}/1/1080p/7.m4s"),
        }
    }

    /// What a path names: whoever asks for it.
    fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        match name.split('.').count() {
            _ if name.ends_with(".m3u8") => Self::Playlist,
            3 => Self::Part,
            _ if path.contains("/1080p/") => Self::LargeSegment,
            _ => Self::Segment,
        }
    }
}

/// The origin.
pub(super) struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// Positions of the rendition `held` are there up to this media sequence number.
    there: watch::Sender<u64>,
    asked: AtomicU64,
    cold: AtomicU64,
    body: Bytes,
}

impl Origin {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            there: watch::Sender::new(0),
            asked: AtomicU64::new(0),
            cold: AtomicU64::new(0),
            body: Bytes::from(vec![b'w'; Thing::LargeSegment.len()]),
        });
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                // The answer's head and body are written at once.
                let _ = stream.set_nodelay(true);
                tokio::spawn(async move {
                    let service = service_fn(|request| shared.answer(request));
                    // Servers close connections as they like.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self { address, shared })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests for positions so far. Others are no answer to a viewer who waits: a check of health, or
    /// what is left of a load that has ended.
    pub(super) fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }

    /// A position that is not there, and what lets it be there.
    pub(super) fn next_position(&self) -> (String, impl FnOnce() + use<'_>) {
        let msn = *self.shared.there.borrow() + 1;
        let target = format!("{VIDEO}/held/index.m3u8?_HLS_msn={msn}&_HLS_part=0");
        (target, move || {
            self.shared.there.send_replace(msn);
        })
    }

    /// A script for wrk that asks for parts which nobody asked for before.
    pub(super) fn cold_script(&self) -> String {
        const APART: u64 = 10_000_000;
        let first = self.shared.cold.fetch_add(APART, Ordering::Relaxed);
        format!(
            "local n = {first}\n\
             request = function()\n\
               n = n + 1\n\
               return wrk.format(\"GET\", \"{VIDEO}/1/480p/\" .. n .. \".0.m4s\")\n\
             end\n"
        )
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let path = request.uri().path();
        if path.contains("/held/") {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let query = request.uri().query().unwrap_or_default();
            let msn = query.split(['=', '&']).nth(1);
            let msn: u64 = msn.unwrap_or_default().parse()?;
            self.there
                .subscribe()
                .wait_for(|there| *there >= msn)
                .await?;
        }
        let thing = Thing::of(path);
        let content_type = match thing {
            Thing::Playlist => "application/vnd.apple.mpegurl",
            _ => "video/mp4",
        };
        Ok(Response::builder()
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CACHE_CONTROL, "public, max-age=3600")
            .header(header::ETAG, "\"0123456789abcdef\"")
            .body(Full::new(self.body.slice(..thing.len())))?)
    }
}
