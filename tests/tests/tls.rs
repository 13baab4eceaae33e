//! HTTPS for viewers and RTMPS for encoders, with the operator's certificate.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName},
    },
};
use weir_tests::{Encoder, Weir, WeirOptions, built, eventually, wait::PATIENCE};

/// An operator's certificate files.
struct Files {
    folder: TempDir,
    certificate: CertificateDer<'static>,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = write(&folder);
        Self {
            folder,
            certificate,
        }
    }

    /// Another certificate in the same files.
    fn renew(&mut self) {
        self.certificate = write(&self.folder);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self) -> WeirOptions {
        let path = |name| self.path(name).display().to_string();
        let any = "127.0.0.1:0".to_owned();
        WeirOptions {
            args: [
                ("--https", any.clone()),
                ("--rtmps", any),
                ("--tls-certificate", path("chain.pem")),
                ("--tls-key", path("key.pem")),
            ]
            .into_iter()
            .flat_map(|(option, value)| [option.to_owned(), value])
            .collect(),
            ..WeirOptions::default()
        }
    }
}

fn write(folder: &TempDir) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
    fs::write(folder.path().join("chain.pem"), cert.pem()).unwrap();
    cert.der().clone()
}

fn authority(url: &str) -> String {
    let rest = url.split("://").nth(1).unwrap();
    rest.split('/').next().unwrap().to_owned()
}

/// Connects as a browser would that trusts `trusted` alone.
async fn connect(
    url: &str,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(authority(url)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

async fn get(url: &str, path: &str, trusted: &CertificateDer<'static>) -> (u16, String) {
    let stream = connect(url, trusted).await.unwrap();
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let serving = tokio::spawn(connection);
    let request = Request::get(path).header(HOST, "localhost");
    let request = request.body(Empty::<&[u8]>::new()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    serving.abort();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn an_encoder_pushes_over_rtmps_and_viewers_watch_over_https() {
    let files = Files::new();
    let weir = Weir::start_with(files.options()).await;
    let created = weir.create_video("secure").await;
    let id = created.video.id;
    let rtmps = weir.rtmps_url().unwrap().to_owned();
    assert_eq!(created.rtmps_url.as_ref(), Some(&rtmps));
    let https = weir.https_url().unwrap().to_owned();

    let mut encoder = Encoder::ffmpeg_looped(&built::film(), &rtmps, &created.stream_key);
    weir.wait_until_live(id, &["source", "audio"], 2).await;
    let path = format!("/v/{id}/source/index.m3u8");
    let (status, playlist) = get(&https, &path, &files.certificate).await;
    assert_eq!(status, 200, "{playlist}");
    assert!(playlist.contains("#EXT-X-PART:"), "{playlist}");

    // The same key in the clear is the same video: one publisher.
    let mut second = Encoder::ffmpeg(&built::film(), weir.rtmp_url(), &created.stream_key);
    assert!(!second.finish(PATIENCE).await.success(), "{}", second.log());
    encoder.stop();
}

#[tokio::test]
async fn noise_at_the_tls_ports_harms_nobody() {
    let files = Files::new();
    let weir = Weir::start_with(files.options()).await;
    let urls = [weir.rtmps_url().unwrap(), weir.https_url().unwrap()];
    for url in urls {
        let mut noise = TcpStream::connect(authority(url)).await.unwrap();
        noise.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        // An alert, then the end.
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, noise.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{url} does not close");
        // Half a handshake is waited for beside others.
        let mut half = TcpStream::connect(authority(url)).await.unwrap();
        half.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
        assert!(connect(url, &files.certificate).await.is_ok());
        let stranger = Files::new();
        assert!(connect(url, &stranger.certificate).await.is_err());
    }
    eventually("a log line about the handshake", PATIENCE, async || {
        weir.log()
            .contains("TLS handshake on the RTMPS port failed")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let mut files = Files::new();
    let weir = Weir::start_with(files.options()).await;
    let url = weir.https_url().unwrap();
    let before = connect(url, &files.certificate).await.unwrap();
    files.renew();
    eventually("the new certificate", Duration::from_secs(30), async || {
        connect(url, &files.certificate).await.ok().map(drop)
    })
    .await;
    // Who is connected stays so.
    assert!(before.get_ref().0.peer_addr().is_ok());
}

#[tokio::test]
async fn tls_without_a_certificate_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("weir.log");
    let mut command = std::process::Command::new(built::weir());
    command.args(["serve", "--https", "127.0.0.1:0", "--data"]);
    let mut weir =
        weir_tests::process::Process::start("weir", command.arg(folder.path().join("data")), &log);
    let status = weir.wait(PATIENCE);
    assert!(!status.success());
    assert!(weir.log().contains("--tls-certificate"), "{}", weir.log());
}
