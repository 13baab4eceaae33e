//! HTTP over the link: connections that stay open, answers cut into packets that wait for their turn, and
//! a log of who asked for what when.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use anyhow::Result;
use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
    time::{Instant, sleep, sleep_until},
};

use super::{
    link::Link,
    stage::{Answer, Source, Stage},
};

/// What asking for it ends the log: nothing that passes later counts.
pub(super) const END: &str = "/end-of-the-log";

/// Payload of a TCP segment on Ethernet.
const PACKET: usize = 1448;
/// What an answer's head weighs on the link.
const HEAD: usize = 300;
/// Pieces that are on their way from a server to the link.
const QUEUE: usize = 256;

/// A proxy in front of a stage. It ends when it is dropped.
pub(super) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// A request and what has come of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Transfer {
    pub(super) path: String,
    /// When the request came, by the link's clock, in ms.
    pub(super) asked_ms: f64,
    /// When its last byte so far was through.
    pub(super) until_ms: f64,
    /// Bytes of its body that were sent.
    pub(super) bytes: u64,
    /// Bytes of the body, where they are known.
    pub(super) size: Option<u64>,
}

struct Shared {
    stage: Stage,
    link: Mutex<Link>,
    /// When the first request came, which is when the link begins.
    began: OnceLock<Instant>,
    log: Mutex<Vec<Transfer>>,
    ended: AtomicBool,
}

impl Proxy {
    /// Listens on a free port.
    pub(super) async fn start(link: Link, stage: Stage) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            stage,
            link: Mutex::new(link),
            began: OnceLock::new(),
            log: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked for until the log ended, in order.
    pub(super) fn log(&self) -> Vec<Transfer> {
        lock(&self.shared.log).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, shared.clone()));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Packets are as large as they are meant to be.
    let _ = stream.set_nodelay(true);
    let is_fresh = AtomicBool::new(true);
    let service = service_fn(|request| {
        // The handshake that the loopback interface has spared the browser.
        let trips = if is_fresh.swap(false, Ordering::Relaxed) {
            1.5
        } else {
            0.5
        };
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(shared.answer(request, trips).await) }
    });
    // A browser closes connections as it likes.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Shared {
    async fn answer(self: Arc<Self>, request: Request<Incoming>, trips: f64) -> Response<Passing> {
        let path = request.uri().path().to_owned();
        if path == END {
            self.ended.store(true, Ordering::Relaxed);
            return Passing::nothing(StatusCode::NO_CONTENT);
        }
        let now = self.now();
        let entry = self.note(&request, now);
        let round_trip = lock(&self.link).round_trip(now);
        sleep(round_trip.mul_f64(trips)).await;
        let Ok(Answer {
            status,
            headers,
            body,
        }) = self.stage.answer(request).await
        else {
            return Passing::nothing(StatusCode::BAD_GATEWAY);
        };
        self.set_size(entry, body.size());
        sleep(round_trip / 2).await;
        self.pass(HEAD).await;
        let (to_browser, packets) = mpsc::channel(1);
        let passing = tokio::spawn(self.send(entry, body, round_trip / 2, to_browser));
        let mut response = Response::new(Passing {
            packets,
            passing: Some(passing.abort_handle()),
        });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// Passes a body on, packet by packet.
    async fn send(
        self: Arc<Self>,
        entry: Option<usize>,
        body: Source,
        delay: Duration,
        to_browser: mpsc::Sender<Bytes>,
    ) {
        match body {
            Source::Whole(bytes) => {
                self.send_piece(entry, bytes, &to_browser).await;
            }
            Source::Coming(body) => {
                let mut pieces = delayed(body, delay);
                while let Some((due, piece)) = pieces.recv().await {
                    sleep_until(due).await;
                    if !self.send_piece(entry, piece, &to_browser).await {
                        return;
                    }
                }
            }
        }
    }

    /// Answers whether the browser still listens.
    async fn send_piece(
        &self,
        entry: Option<usize>,
        mut piece: Bytes,
        to_browser: &mpsc::Sender<Bytes>,
    ) -> bool {
        while !piece.is_empty() {
            let packet = piece.split_to(piece.len().min(PACKET));
            self.pass(packet.len()).await;
            self.count(entry, packet.len());
            if to_browser.send(packet).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Returns once bytes that are put in line now are through.
    async fn pass(&self, bytes: usize) {
        let now = self.now();
        let through = lock(&self.link).pass(now, bytes);
        if through > now {
            sleep(through - now).await;
        }
    }

    /// Time since the link began, which this may let it.
    fn now(&self) -> Duration {
        self.began.get_or_init(Instant::now).elapsed()
    }

    fn note(&self, request: &Request<Incoming>, now: Duration) -> Option<usize> {
        if self.ended.load(Ordering::Relaxed) {
            return None;
        }
        let target = request.uri().path_and_query();
        let mut log = lock(&self.log);
        log.push(Transfer {
            path: target.map_or_else(String::new, ToString::to_string),
            asked_ms: now.as_secs_f64() * 1000.0,
            until_ms: now.as_secs_f64() * 1000.0,
            bytes: 0,
            size: None,
        });
        Some(log.len() - 1)
    }

    fn set_size(&self, entry: Option<usize>, size: Option<u64>) {
        if let Some(entry) = entry {
            lock(&self.log)[entry].size = size;
        }
    }

    fn count(&self, entry: Option<usize>, bytes: usize) {
        let Some(entry) = entry else { return };
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        let now_ms = self.now().as_secs_f64() * 1000.0;
        let transfer = &mut lock(&self.log)[entry];
        transfer.bytes += bytes as u64;
        transfer.until_ms = now_ms;
    }
}

/// Has the pieces of a body come so much later, at the distance that they have.
fn delayed(mut body: Incoming, delay: Duration) -> mpsc::Receiver<(Instant, Bytes)> {
    let (send, pieces) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            let due = Instant::now() + delay;
            if let Ok(piece) = frame.into_data()
                && send.send((due, piece)).await.is_err()
            {
                return;
            }
        }
    });
    pieces
}

/// Packets that have passed the link.
struct Passing {
    packets: mpsc::Receiver<Bytes>,
    passing: Option<AbortHandle>,
}

impl Passing {
    fn nothing(status: StatusCode) -> Response<Self> {
        let (_, packets) = mpsc::channel(1);
        let mut response = Response::new(Self {
            packets,
            passing: None,
        });
        *response.status_mut() = status;
        response
    }
}

impl Drop for Passing {
    /// What the browser does not wait for any more takes no more of the link.
    fn drop(&mut self) {
        if let Some(passing) = &self.passing {
            passing.abort();
        }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.packets
            .poll_recv(context)
            .map(|packet| packet.map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;
    use weir_tests::Http;

    use super::*;
    use crate::abr::trace::Trace;

    #[tokio::test]
    async fn what_is_asked_for_comes_and_is_counted_until_the_end() {
        let folder = TempDir::new().unwrap();
        let segment: Vec<u8> = (0..20_000_u32).map(|n| n as u8).collect();
        fs::create_dir(folder.path().join("360p")).unwrap();
        fs::write(folder.path().join("360p/1.m4s"), &segment).unwrap();
        let rows = "duration_ms,bandwidth_kbps,latency_ms\n1000,100000,2\n";
        let link = Link::new(Trace::parse("made", "up", rows).unwrap());
        let stage = Stage::new(folder.path().to_owned());
        let proxy = Proxy::start(link, stage).await.unwrap();
        let browser = Http::new(&proxy.url());

        let answer = browser.get("/film/360p/1.m4s").await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (StatusCode::OK, &segment[..])
        );
        assert_eq!(
            browser.get("/film/../1.m4s").await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            browser.get("/elsewhere").await.status,
            StatusCode::NOT_FOUND
        );
        browser.get(END).await;
        browser.get("/film/360p/1.m4s").await;

        let log = proxy.log();
        let told: Vec<_> = log
            .iter()
            .map(|transfer| (transfer.path.as_str(), transfer.bytes, transfer.size))
            .collect();
        let expected = [
            ("/film/360p/1.m4s", 20_000, Some(20_000)),
            ("/film/../1.m4s", 0, Some(0)),
            ("/elsewhere", 0, Some(0)),
        ];
        assert_eq!(told, expected);
        assert!(log[0].until_ms >= log[0].asked_ms);
    }
}
