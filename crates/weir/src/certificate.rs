//! The certificate of HTTPS and RTMPS: read from the operator's files, and again when they change,
//! so that a renewal needs no restart; or kept valid by an ACME server.

use std::{
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::{acme::Acme, cli::CertificateArgs};

/// The protocol that an ACME server asks for a proof by (RFC 8737 section 6.2).
const ACME_TLS: &[u8] = b"acme-tls/1";

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Where the certificate is.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// The chain in PEM, the server's own certificate first.
    pub(crate) chain: PathBuf,
    /// Its private key in PEM.
    pub(crate) key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub(crate) enum CertificateError {
    #[error("cannot read certificates from {}: {source}", path.display())]
    Chain { path: PathBuf, source: pem::Error },
    #[error("{} holds no certificate in PEM", path.display())]
    Empty { path: PathBuf },
    #[error("cannot read a private key from {}: {source}", path.display())]
    Key { path: PathBuf, source: pem::Error },
    #[error("{} and {} do not fit: {source}", files.chain.display(), files.key.display())]
    Unfit { files: Files, source: rustls::Error },
    #[error(
        "--acme-domain needs a listener: --https or --rtmps, to which port 443 of the name leads"
    )]
    NotShown,
    #[error("no protocol version of TLS can be offered: {0}")]
    Versions(rustls::Error),
}

/// The certificate of the moment.
pub(crate) struct Certificate {
    files: Files,
    provider: Arc<CryptoProvider>,
    /// None until an ACME server has issued the first one: until then no handshake succeeds.
    current: RwLock<Option<Arc<CertifiedKey>>>,
    /// Whether an ACME server may ask for proofs.
    proves: bool,
    /// What it is shown, by name.
    proofs: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl Certificate {
    /// The certificate that the command line names or has issued, if it does. It is followed, or
    /// kept valid, from now on. What an ACME server issues is kept in `folder` unless the command
    /// line says where. `shown` tells whether any listener is to show it.
    pub(crate) fn named(
        args: CertificateArgs,
        shown: bool,
        folder: &Path,
    ) -> Result<Option<Arc<Self>>, CertificateError> {
        if !args.acme.acme_domain.is_empty() {
            if !shown {
                return Err(CertificateError::NotShown);
            }
            let named = args.acme.acme_folder.clone();
            let acme = Acme::new(args.acme, named.unwrap_or_else(|| folder.join("acme")));
            let certificate = Self::awaited(acme.files());
            tokio::spawn(acme.keep(certificate.clone()));
            return Ok(Some(certificate));
        }
        let files = args.tls_certificate.zip(args.tls_key);
        let Some((chain, key)) = files else {
            return Ok(None);
        };
        let certificate = Self::load(Files { chain, key })?;
        tokio::spawn(certificate.clone().follow());
        Ok(Some(certificate))
    }

    /// Reads the files.
    pub(crate) fn load(files: Files) -> Result<Arc<Self>, CertificateError> {
        let certificate = Self::new(files, false);
        let read = read(&certificate.files, &certificate.provider)?;
        certificate.take(read);
        Ok(Arc::new(certificate))
    }

    /// Reads the files if they are there already.
    fn awaited(files: Files) -> Arc<Self> {
        let certificate = Self::new(files, true);
        if certificate.files.chain.exists() {
            certificate.reload();
        }
        Arc::new(certificate)
    }

    fn new(files: Files, proves: bool) -> Self {
        Self {
            files,
            provider: Arc::new(aws_lc_rs::default_provider()),
            current: RwLock::default(),
            proves,
            proofs: RwLock::default(),
        }
    }

    fn take(&self, certified: Arc<CertifiedKey>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(certified);
    }

    /// Reads the files anew. While they are not in order the certificate before stays.
    pub(crate) fn reload(&self) {
        match read(&self.files, &self.provider) {
            Ok(renewed) => {
                self.take(renewed);
                info!(chain = %self.files.chain.display(), "certificate renewed");
            }
            // Both files are seldom replaced at once: what does not fit now may at the next look.
            Err(error) => warn!(%error, "the certificate changed; the one before stays"),
        }
    }

    /// From now on an ACME server that asks for `name` is shown this.
    pub(crate) fn show_proof(
        &self,
        name: String,
        chain: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        let key = self.provider.key_provider.load_private_key(key)?;
        // Not checked against each other as others are: the proof is in a critical extension that
        // rustls does not know.
        let certified = CertifiedKey::new(vec![chain], key);
        let mut proofs = self.proofs.write().unwrap_or_else(PoisonError::into_inner);
        proofs.insert(name, Arc::new(certified));
        Ok(())
    }

    /// No proof is needed any more.
    pub(crate) fn withdraw_proofs(&self) {
        let mut proofs = self.proofs.write().unwrap_or_else(PoisonError::into_inner);
        proofs.clear();
    }

    /// What a listener of `protocols` (ALPN) is given.
    pub(crate) fn server_config(
        self: &Arc<Self>,
        protocols: &[&str],
    ) -> Result<Arc<ServerConfig>, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(CertificateError::Versions)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        if self.proves {
            config.alpn_protocols.push(ACME_TLS.to_vec());
        }
        Ok(Arc::new(config))
    }

    /// Reads the files anew whenever they change, for ever.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut seen = self.files.modified().ok();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let Ok(modified) = self.files.modified() else {
                continue;
            };
            if seen.replace(modified) == Some(modified) {
                continue;
            }
            self.reload();
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut protocols = hello.alpn().into_iter().flatten();
        if protocols.any(|protocol| protocol == ACME_TLS) {
            let proofs = self.proofs.read().unwrap_or_else(PoisonError::into_inner);
            return proofs.get(hello.server_name()?).cloned();
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Files {
    fn modified(&self) -> io::Result<[SystemTime; 2]> {
        Ok([
            fs::metadata(&self.chain)?.modified()?,
            fs::metadata(&self.key)?.modified()?,
        ])
    }
}

fn read(files: &Files, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, CertificateError> {
    let path = || files.chain.clone();
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect)
        .map_err(|source| CertificateError::Chain {
            path: path(),
            source,
        })?;
    if chain.is_empty() {
        return Err(CertificateError::Empty { path: path() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| CertificateError::Key {
        path: files.key.clone(),
        source,
    })?;
    let certified = CertifiedKey::from_der(chain, key, provider);
    certified
        .map(Arc::new)
        .map_err(|source| CertificateError::Unfit {
            files: files.clone(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Generated, generate_simple_self_signed};

    use super::*;

    /// A certificate of its own in a folder of its own.
    fn files() -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            chain: folder.path().join("chain.pem"),
            key: folder.path().join("key.pem"),
        };
        write(&files);
        (folder, files)
    }

    fn write(files: &Files) {
        let Generated { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(&files.chain, cert.pem()).unwrap();
        fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    }

    fn served(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
        certificate
            .current
            .read()
            .unwrap()
            .as_ref()
            .unwrap()
            .cert
            .clone()
    }

    #[test]
    fn what_is_wrong_is_said() {
        let (folder, files) = files();
        assert!(Certificate::load(files.clone()).is_ok());
        let (_other, others) = self::files();

        let error = |files: Files| Certificate::load(files).unwrap_err().to_string();
        let mixed = Files {
            key: others.key,
            ..files.clone()
        };
        assert!(error(mixed).contains("do not fit"));
        let swapped = Files {
            chain: files.key.clone(),
            key: files.key.clone(),
        };
        assert!(error(swapped).contains("holds no certificate"));
        let no_key = Files {
            key: files.chain.clone(),
            ..files.clone()
        };
        assert!(error(no_key).contains("cannot read a private key"));
        let missing = Files {
            chain: folder.path().join("none.pem"),
            ..files
        };
        assert!(error(missing).contains("none.pem"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_is_taken_up_and_a_broken_one_is_not() {
        let (_folder, files) = files();
        let certificate = Certificate::load(files.clone()).unwrap();
        let first = served(&certificate);
        let following = tokio::spawn(certificate.clone().follow());
        tokio::time::sleep(2 * LOOK).await;
        assert_eq!(served(&certificate), first);

        let later = |seconds| SystemTime::now() + Duration::from_secs(seconds);
        let touch = |path: &PathBuf, seconds| {
            let file = fs::File::options().append(true).open(path).unwrap();
            file.set_modified(later(seconds)).unwrap();
        };
        fs::write(&files.chain, "not a certificate").unwrap();
        touch(&files.chain, 10);
        tokio::time::sleep(2 * LOOK).await;
        assert_eq!(served(&certificate), first);

        write(&files);
        touch(&files.chain, 20);
        tokio::time::sleep(2 * LOOK).await;
        assert_ne!(served(&certificate), first);
        following.abort();
    }
}
