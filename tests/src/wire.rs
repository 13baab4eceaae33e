//! A wire between two machines that a test can make slow, and cut.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// How a wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Bytes pass at once.
    Fair,
    /// What the server sends takes so long.
    Slow(Duration),
    /// Connections break, and new ones break at once.
    Cut,
}

/// A TCP proxy in front of a server. It ends when it is dropped.
#[derive(Debug)]
pub struct Wire {
    url: String,
    weather: watch::Sender<Weather>,
    carrying: JoinHandle<()>,
}

impl Wire {
    /// A wire to the server at `url`, such as `http://127.0.0.1:9000`.
    pub async fn to(url: &str) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a socket has an address");
        let (weather, seen) = watch::channel(Weather::Fair);
        let carrying = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), seen.clone()));
            }
        });
        Self {
            url: format!("http://{address}"),
            weather,
            carrying,
        }
    }

    /// Where the wire begins: what clients use instead of the server's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on it does so.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.weather.send_replace(Weather::Cut);
        self.carrying.abort();
    }
}

async fn carry(client: TcpStream, server: String, weather: watch::Receiver<Weather>) {
    let mut cut = weather.clone();
    let both_ways = async {
        if *weather.borrow() == Weather::Cut {
            return;
        }
        let Ok(server) = TcpStream::connect(server).await else {
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (_, fair) = watch::channel(Weather::Fair);
        // Whoever ends first ends both, as a connection does.
        tokio::select! {
            () = copy(from_client, to_server, fair) => {}
            () = copy(from_server, to_client, weather) => {}
        }
    };
    tokio::select! {
        () = both_ways => {}
        _ = cut.wait_for(|weather| *weather == Weather::Cut) => {}
    }
}

/// Copies until one side ends; bytes keep their distance when they are delayed.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    weather: watch::Receiver<Weather>,
) {
    let (send, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(4096);
    let read = async {
        let mut piece = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = from.read(&mut piece).await {
            let delay = match *weather.borrow() {
                Weather::Slow(delay) => delay,
                Weather::Fair | Weather::Cut => Duration::ZERO,
            };
            let due = Instant::now() + delay;
            if send.send((due, piece[..n].to_vec())).await.is_err() {
                break;
            }
        }
        drop(send);
    };
    let write = async {
        while let Some((due, piece)) = under_way.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
