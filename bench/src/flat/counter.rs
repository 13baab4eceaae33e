//! A proxy that counts what is asked for, by method and target.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use hyper::{Request, Response, Uri, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, task::JoinHandle};

type Counts = HashMap<String, u64>;

/// A running proxy; it ends when it is dropped.
pub(super) struct Counter {
    address: SocketAddr,
    counts: Arc<Mutex<Counts>>,
    task: JoinHandle<()>,
}

impl Counter {
    /// Starts one in front of `server`, a URL of scheme and authority.
    pub(super) async fn start(server: &str) -> Result<Self> {
        let authority: Uri = server.parse()?;
        let authority = authority.authority().context("an authority")?.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let counts: Arc<Mutex<Counts>> = Arc::default();
        let client: Client<HttpConnector, Incoming> =
            Client::builder(TokioExecutor::new()).build_http();
        let task = tokio::spawn({
            let counts = counts.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    let (client, counts) = (client.clone(), counts.clone());
                    let authority = authority.to_string();
                    let service = service_fn(move |request| {
                        let (client, counts) = (client.clone(), counts.clone());
                        pass(request, authority.clone(), client, counts)
                    });
                    let serving =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    tokio::spawn(async move {
                        // What breaks is the servers' to see.
                        let _ = serving.await;
                    });
                }
            }
        });
        Ok(Self {
            address,
            counts,
            task,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forgets what was counted.
    pub(super) fn reset(&self) {
        lock(&self.counts).clear();
    }

    /// How often each was asked for.
    pub(super) fn counts(&self) -> Counts {
        lock(&self.counts).clone()
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(counts: &Mutex<Counts>) -> std::sync::MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass(
    mut request: Request<Incoming>,
    authority: String,
    client: Client<HttpConnector, Incoming>,
    counts: Arc<Mutex<Counts>>,
) -> Result<Response<Incoming>> {
    let target = request.uri().path_and_query().map_or("/", |t| t.as_str());
    // Of each encoding there is one answer.
    let encoding = request.headers().get("accept-encoding");
    let encoding = encoding.and_then(|value| value.to_str().ok());
    // The directory and the health of an origin are asked for by time, not by viewers.
    if !target.starts_with("/edge/") && target != "/healthz" {
        let name = format!(
            "{} {target} {}",
            request.method(),
            encoding.unwrap_or_default()
        );
        *lock(&counts).entry(name).or_default() += 1;
    }
    *request.uri_mut() = format!("http://{authority}{target}").parse()?;
    Ok(client.request(request).await?)
}
