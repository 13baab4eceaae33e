//! A certificate from an ACME server: Pebble, Let's Encrypt's own for tests, which checks the proof
//! as the real one does.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use weir_tests::{Weir, WeirOptions, eventually, process::Process, wait::PATIENCE};

/// Pebble with a certificate of its own, and the ports that it and Weir agree on.
struct Pebble {
    folder: TempDir,
    api: SocketAddr,
    /// Where it looks for proofs.
    https: SocketAddr,
}

impl Pebble {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        fs::write(folder.path().join("pebble.pem"), cert.pem()).unwrap();
        fs::write(
            folder.path().join("pebble.key"),
            signing_key.serialize_pem(),
        )
        .unwrap();
        let [api, https] = free_ports();
        Self { folder, api, https }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn start(&self) -> Process {
        let config = json!({ "pebble": {
            "listenAddress": self.api,
            "managementListenAddress": "",
            "certificate": self.path("pebble.pem"),
            "privateKey": self.path("pebble.key"),
            "httpPort": 1,
            "tlsPort": self.https.port(),
        }});
        fs::write(self.path("pebble.json"), config.to_string()).unwrap();
        let mut pebble = Command::new("pebble");
        pebble.arg("-config").arg(self.path("pebble.json"));
        pebble.envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0")]);
        let pebble = Process::start("pebble", &mut pebble, &self.path("pebble.log"));
        eventually("pebble listens", PATIENCE, async || {
            TcpStream::connect(self.api).await.ok().map(drop)
        })
        .await;
        pebble
    }

    /// Weir's, where Pebble looks for it.
    fn options(&self, folder: &Path) -> WeirOptions {
        self.options_at(self.https, folder)
    }

    fn options_at(&self, https: SocketAddr, folder: &Path) -> WeirOptions {
        let args = [
            ("--https", https.to_string()),
            ("--acme-domain", "localhost".to_owned()),
            ("--acme-contact", "operator@example.org".to_owned()),
            ("--acme-directory", format!("https://{}/dir", self.api)),
            ("--acme-root", self.path("pebble.pem").display().to_string()),
            ("--acme-folder", folder.display().to_string()),
        ];
        let args = args.into_iter();
        WeirOptions {
            args: args
                .flat_map(|(option, value)| [option.to_owned(), value])
                .collect(),
            ..WeirOptions::default()
        }
    }
}

/// Two ports that are free and that stay so until they are used: nobody is given one of these by
/// asking for any port, and each test here looks elsewhere.
fn free_ports() -> [SocketAddr; 2] {
    static TESTS: AtomicU16 = AtomicU16::new(0);
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    let first = 10_000 + (std::process::id() % 100) as u16 * 100 + test * 10;
    let ports = (first..).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let mut free = ports.filter(|address| TcpListener::bind(address).is_ok());
    [(); 2].map(|()| free.next().unwrap())
}

/// The chain that is shown to a client that trusts `trusted` alone, if the handshake succeeds.
async fn shown(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
) -> Option<Vec<CertificateDer<'static>>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let connected = connector.connect(name, stream).await.ok()?;
    let (_, session) = connected.get_ref();
    session.peer_certificates().map(|chain| {
        let owned = chain.iter().cloned().map(CertificateDer::into_owned);
        owned.collect()
    })
}

#[tokio::test]
async fn a_certificate_is_issued_kept_and_not_asked_for_twice() {
    let pebble = Pebble::new();
    let acme = tempfile::tempdir().unwrap();
    let folder = acme.path().join("acme");
    let mut running = pebble.start().await;
    let options = pebble.options(&folder);
    let weir = Weir::start_with(options.clone()).await;
    let chain = folder.join("chain.pem");
    eventually("a certificate", PATIENCE, async || {
        chain.exists().then_some(())
    })
    .await;
    let issued: Vec<_> = CertificateDer::pem_file_iter(&chain)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    // Pebble's chain is the certificate and the intermediate that signed it.
    let intermediate = &issued[1];
    let seen = eventually("it is shown", PATIENCE, async || {
        shown(pebble.https, intermediate).await
    })
    .await;
    assert_eq!(seen, issued);
    for entry in fs::read_dir(&folder).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "secrets are the operator's alone");
    }

    // Another life needs no ACME server.
    drop(weir);
    running.kill();
    let weir = Weir::start_with(options).await;
    assert_eq!(shown(pebble.https, intermediate).await, Some(issued));
    assert!(!weir.log().contains("no certificate"), "{}", weir.log());
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_told() {
    let pebble = Pebble::new();
    let acme = tempfile::tempdir().unwrap();
    let _running = pebble.start().await;
    let elsewhere = "127.0.0.1:0".parse().unwrap();
    let weir = Weir::start_with(pebble.options_at(elsewhere, acme.path())).await;
    eventually("a warning", PATIENCE, async || {
        let told = weir.log().contains("localhost was not proved");
        told.then_some(())
    })
    .await;
    assert!(!acme.path().join("chain.pem").exists());
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_and_harms_nothing() {
    let pebble = Pebble::new();
    let acme = tempfile::tempdir().unwrap();
    let weir = Weir::start_with(pebble.options(acme.path())).await;
    eventually("a warning", PATIENCE, async || {
        let told = weir.log().contains("no certificate from the ACME server");
        told.then_some(())
    })
    .await;
    let certificate = CertificateDer::from_pem_file(pebble.path("pebble.pem")).unwrap();
    assert_eq!(shown(pebble.https, &certificate).await, None);
    let created = weir.create_video("in the clear").await;
    assert_eq!(weir.video(created.video.id).await.id, created.video.id);
}
