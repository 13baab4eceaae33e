//! A PoP with all its doors, and clients for each.

#![allow(unreachable_pub, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty, combinators::UnsyncBoxBody};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prometheus_client::registry::Registry;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    },
};
use weir_pop::{Config, Http3, Operator, Pop, Tls};

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
pub const TOKEN: &str = "only-the-operator-knows-this-token";

/// Serves until it is told to end.
pub struct House {
    pub plain: SocketAddr,
    /// Over TCP and over UDP.
    pub secure: SocketAddr,
    pub operator: SocketAddr,
    roots: Arc<RootCertStore>,
    shutdown: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl House {
    pub async fn open(config: Config) -> Self {
        let any = (Ipv4Addr::LOCALHOST, 0);
        let mut registry = Registry::default();
        let pop = Pop::load(config, &mut registry).unwrap();
        let plain = TcpListener::bind(any).await.unwrap();
        let secure = TcpListener::bind(any).await.unwrap();
        let operators = TcpListener::bind(any).await.unwrap();
        let (tls, roots) = certificate();
        let secure_address = secure.local_addr().unwrap();
        let http3 = Http3::open(UdpSocket::bind(secure_address).unwrap(), &tls).unwrap();
        let tls = Tls {
            config: tls,
            http3_port: Some(secure_address.port()),
        };

        let operator = Operator::new(pop.clone(), registry, |token| token == TOKEN);
        let (shutdown, asked) = oneshot::channel::<()>();
        let asked = {
            let operator = operator.clone();
            async move {
                tokio::select! {
                    _ = asked => {}
                    () = operator.drain_asked() => {}
                }
            }
        };
        let asked = asked.shared();
        let (plain_address, operator_address) =
            (plain.local_addr().unwrap(), operators.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (drained, until_drained) = oneshot::channel::<()>();
            let viewers = async {
                tokio::join!(
                    pop.serve(plain, None, asked.clone()),
                    pop.serve(secure, Some(tls), asked.clone()),
                    pop.serve_http3(http3, asked.clone()),
                );
                drop(drained);
            };
            tokio::join!(
                viewers,
                operator.serve(operators, until_drained.map(|_| ()))
            );
        });
        Self {
            plain: plain_address,
            secure: secure_address,
            operator: operator_address,
            roots,
            shutdown: Some(shutdown),
            serving,
        }
    }

    pub fn begin_shutdown(&mut self) {
        drop(self.shutdown.take());
    }

    /// Waits until all have left.
    pub async fn empty(mut self) {
        self.begin_shutdown();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap();
    }

    /// What a counter reads at the operator's listener.
    pub async fn counter(&self, name: &str) -> f64 {
        let text = self.ask_operator("GET", "/metrics", "").await.1;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
            .parse()
            .unwrap()
    }

    pub async fn connections(&self, protocol: &str) -> f64 {
        self.counter(&format!("weir_pop_connections{{protocol=\"{protocol}\"}}"))
            .await
    }

    pub async fn bound_hit(&self, bound: &str) -> f64 {
        self.counter(&format!("weir_pop_bounds_hit_total{{bound=\"{bound}\"}}"))
            .await
    }

    /// Status and body of an answer at the operator's listener.
    pub async fn ask_operator(&self, method: &str, path: &str, token: &str) -> (u16, String) {
        let stream = TcpStream::connect(self.operator).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .body(Empty::<Bytes>::new())
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// A connection over TLS that speaks `protocol`.
    pub async fn tls(&self, protocol: &str) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.secure).await.unwrap();
        let connector = TlsConnector::from(Arc::new(self.client_config(protocol)));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        assert_eq!(
            stream.get_ref().1.alpn_protocol(),
            Some(protocol.as_bytes())
        );
        stream
    }

    pub fn client_config(&self, protocol: &str) -> ClientConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        config
    }

    /// A client that speaks HTTP/2, and what ends with its connection.
    pub async fn http2(&self) -> (Http2, JoinHandle<hyper::Result<()>>) {
        let stream = self.tls("h2").await;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        (Http2(sender), tokio::spawn(connection))
    }

    /// A QUIC connection for HTTP/3.
    pub async fn quic(&self, transport: quinn::TransportConfig) -> quinn::Connection {
        let tls = quinn::crypto::rustls::QuicClientConfig::try_from(self.client_config("h3"));
        let mut config = quinn::ClientConfig::new(Arc::new(tls.unwrap()));
        config.transport_config(Arc::new(transport));
        let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let connecting = endpoint.connect_with(config, self.secure, "localhost");
        timeout(PATIENCE, connecting.unwrap())
            .await
            .unwrap()
            .unwrap()
    }

    /// A client that speaks HTTP/3, and what ends with its connection.
    pub async fn http3(&self) -> (Http3Client, JoinHandle<h3::error::ConnectionError>) {
        self.http3_over(&self.quic(quinn::TransportConfig::default()).await)
            .await
    }

    pub async fn http3_over(
        &self,
        connection: &quinn::Connection,
    ) -> (Http3Client, JoinHandle<h3::error::ConnectionError>) {
        let quic = h3_quinn::Connection::new(connection.clone());
        let (mut driver, sender) = h3::client::new(quic).await.unwrap();
        let ended =
            tokio::spawn(async move { std::future::poll_fn(|cx| driver.poll_close(cx)).await });
        (Http3Client(sender), ended)
    }
}

pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

pub fn uri(path: &str) -> Uri {
    format!("https://localhost{path}").parse().unwrap()
}

pub fn ask(path: &str) -> Request<()> {
    Request::get(uri(path)).body(()).unwrap()
}

#[derive(Clone)]
pub struct Http2(http2::SendRequest<Body>);

impl Http2 {
    pub async fn send(&mut self, request: Request<Bytes>) -> hyper::Result<Response<Bytes>> {
        let request = request.map(|body| {
            http_body_util::Full::new(body)
                .map_err(|never: Infallible| match never {})
                .boxed_unsync()
        });
        let (head, body) = self.0.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    pub async fn get(&mut self, path: &str) -> hyper::Result<Response<Bytes>> {
        self.send(ask(path).map(|()| Bytes::new())).await
    }
}

pub struct Http3Client(h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>);

pub type Http3Stream = h3::client::RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

impl Http3Client {
    pub async fn begin(
        &mut self,
        request: Request<()>,
    ) -> Result<Http3Stream, h3::error::StreamError> {
        self.0.send_request(request).await
    }

    pub async fn send(
        &mut self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, h3::error::StreamError> {
        let (head, body) = request.into_parts();
        let mut stream = self.0.send_request(Request::from_parts(head, ())).await?;
        if !body.is_empty() {
            stream.send_data(body).await?;
        }
        stream.finish().await?;
        finish(stream).await
    }

    pub async fn get(&mut self, path: &str) -> Result<Response<Bytes>, h3::error::StreamError> {
        self.send(ask(path).map(|()| Bytes::new())).await
    }
}

/// The whole answer.
pub async fn finish(mut stream: Http3Stream) -> Result<Response<Bytes>, h3::error::StreamError> {
    let (head, ()) = stream.recv_response().await?.into_parts();
    let mut body = Vec::new();
    while let Some(mut piece) = stream.recv_data().await? {
        body.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
    }
    Ok(Response::from_parts(head, Bytes::from(body)))
}

/// Waits for a condition.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A certificate for `localhost`, and who trusts it.
fn certificate() -> (Arc<ServerConfig>, Arc<RootCertStore>) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![cert.der().clone()];
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (Arc::new(config), Arc::new(roots))
}
