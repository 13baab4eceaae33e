//! Certificates from an ACME server (RFC 8555), Let's Encrypt's unless another one is named: asked
//! for at the start, renewed when a third of their life is left, kept in a folder.
//!
//! A name is proved by TLS-ALPN-01 (RFC 8737) on the listeners for HTTPS and RTMPS themselves, so
//! that no other port is needed: the server connects to port 443 of the name, which has to lead to one.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use thiserror::Error;
use tracing::{info, warn};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use crate::{
    certificate::{Certificate, Files},
    cli::AcmeArgs,
};

/// Wait after the first failure; each further one doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// Longest wait after a failure. Let's Encrypt allows five failed validations an hour.
const LONGEST_RETRY: Duration = Duration::from_secs(6 * 3600);
/// How long the server may take to look at a proof, and to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));
/// A certificate's expiry is looked at this often, so that a clock that was set is noticed.
const LOOK: Duration = Duration::from_secs(3600);

/// Why there is no certificate, or no new one.
#[derive(Debug, Error)]
pub(crate) enum AcmeError {
    #[error("the ACME server or the way to it: {0}")]
    Server(#[from] instant_acme::Error),
    #[error("the ACME server does not let {name} be proved by TLS-ALPN-01")]
    NoChallenge { name: String },
    #[error(
        "{name} was not proved: {reason}; port 443 of every --acme-domain has to lead to --https or --rtmps"
    )]
    NotProved { name: String, reason: String },
    #[error("the order became {status:?} and not ready")]
    Order { status: OrderStatus },
    #[error("a proof for {name} cannot be made: {source}")]
    Proof { name: String, source: rcgen::Error },
    #[error("a proof cannot be shown: {0}")]
    Show(#[from] rustls::Error),
    #[error("{}: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("{} holds no account: {source}", path.display())]
    Account {
        path: PathBuf,
        source: serde_json::Error,
    },
}

/// What is asked for, from whom, and where it is kept.
#[derive(Debug)]
pub(crate) struct Acme {
    args: AcmeArgs,
    folder: PathBuf,
}

impl Acme {
    /// What the command line asks for; `folder` is where it is kept.
    pub(crate) fn new(args: AcmeArgs, folder: PathBuf) -> Self {
        Self { args, folder }
    }

    /// Where the certificate is, once there is one.
    pub(crate) fn files(&self) -> Files {
        Files {
            chain: self.folder.join("chain.pem"),
            key: self.folder.join("key.pem"),
        }
    }

    /// Has `certificate` be one that is valid, for ever.
    pub(crate) async fn keep(self, certificate: Arc<Certificate>) {
        let mut retry = FIRST_RETRY;
        loop {
            let left = self.until_renewal(SystemTime::now());
            if !left.is_zero() {
                tokio::time::sleep(left.min(LOOK)).await;
                continue;
            }
            let outcome = self.renew(&certificate).await;
            certificate.withdraw_proofs();
            match outcome {
                Ok(()) => {
                    retry = FIRST_RETRY;
                    let until = self.until_renewal(SystemTime::now());
                    let (domains, days) =
                        (self.args.acme_domain.join(", "), until.as_secs() / 86_400);
                    info!(domains, renewed_in_days = days, "certificate issued");
                    // One that is due at once would be asked for without end.
                    tokio::time::sleep(FIRST_RETRY).await;
                }
                Err(error) => {
                    warn!(%error, retry_in_s = retry.as_secs(), "no certificate from the ACME server");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(LONGEST_RETRY);
                }
            }
        }
    }

    /// How long the certificate that is there will do. Zero if there is none for these names.
    fn until_renewal(&self, now: SystemTime) -> Duration {
        let chain = self.files().chain;
        let renewal = CertificateDer::from_pem_file(chain)
            .ok()
            .and_then(|leaf| renewal(&leaf, &self.args.acme_domain));
        renewal
            .and_then(|at| at.duration_since(now).ok())
            .unwrap_or_default()
    }

    async fn renew(&self, certificate: &Certificate) -> Result<(), AcmeError> {
        let account = self.account().await?;
        let names = self.args.acme_domain.iter().cloned();
        let names: Vec<_> = names.map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        prove(&mut order, certificate).await?;
        let unready = match order.poll_ready(&PATIENCE).await {
            Ok(OrderStatus::Ready | OrderStatus::Valid) => None,
            Ok(status) => Some(AcmeError::Order { status }),
            Err(error) => Some(error.into()),
        };
        if let Some(unready) = unready {
            return Err(not_proved(&mut order).await.unwrap_or(unready));
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&PATIENCE).await?;
        let files = self.files();
        self.write(&files.key, key.as_bytes())?;
        self.write(&files.chain, chain.as_bytes())?;
        certificate.reload();
        Ok(())
    }

    /// The account at this server: the one that is kept, or a new one.
    async fn account(&self) -> Result<Account, AcmeError> {
        let builder = || match &self.args.acme_root {
            Some(root) => Account::builder_with_root(root),
            None => Account::builder(),
        };
        let path = self.account_file();
        match fs::read(&path) {
            Ok(kept) => {
                let kept: AccountCredentials = serde_json::from_slice(&kept)
                    .map_err(|source| AcmeError::Account { path, source })?;
                Ok(builder()?.from_credentials(kept).await?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let contact = self.args.acme_contact.iter();
                let contact: Vec<_> = contact.map(|mail| format!("mailto:{mail}")).collect();
                let contact: Vec<_> = contact.iter().map(String::as_str).collect();
                let new = NewAccount {
                    contact: &contact,
                    terms_of_service_agreed: true,
                    only_return_existing: false,
                };
                let directory = self.args.acme_directory.clone();
                let (account, credentials) = builder()?.create(&new, directory, None).await?;
                let credentials = serde_json::to_vec(&credentials).map_err(|source| {
                    let path = path.clone();
                    AcmeError::Account { path, source }
                })?;
                self.write(&path, &credentials)?;
                Ok(account)
            }
            Err(source) => Err(AcmeError::Folder { path, source }),
        }
    }

    /// An account belongs to the server that it was made at.
    fn account_file(&self) -> PathBuf {
        let server = self.args.acme_directory.trim_start_matches("https://");
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        };
        let server: String = server.chars().map(safe).collect();
        self.folder.join(format!("account-{server}.json"))
    }

    /// Writes a secret so that it is whole or not there.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), AcmeError> {
        let partial = path.with_extension("partial");
        let written = fs::create_dir_all(&self.folder).and_then(|()| {
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&partial)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&partial, path)
        });
        let path = path.to_path_buf();
        written.map_err(|source| AcmeError::Folder { path, source })
    }
}

/// Shows a proof for every name that needs one, and says so.
async fn prove(order: &mut Order, certificate: &Certificate) -> Result<(), AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let name = authorization.identifier().to_string();
        match authorization.status {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid => continue,
            status => {
                let reason = format!("its authorization is {status:?}");
                return Err(AcmeError::NotProved { name, reason });
            }
        }
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(AcmeError::NoChallenge { name });
        };
        let digest = challenge.key_authorization().digest();
        let (chain, key) = proof(&name, digest.as_ref()).map_err(|source| {
            let name = name.clone();
            AcmeError::Proof { name, source }
        })?;
        certificate.show_proof(name, chain, key)?;
        challenge.set_ready().await?;
    }
    Ok(())
}

/// The name whose proof the server refused, and its reason.
async fn not_proved(order: &mut Order) -> Option<AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let mut refusals = authorization.challenges.iter().map(|c| c.error.as_ref());
        if let Some(reason) = refusals.find_map(|problem| problem?.detail.clone()) {
            return Some(AcmeError::NotProved { name, reason });
        }
    }
    None
}

/// The self-signed certificate of RFC 8737 section 3.
fn proof(
    name: &str,
    digest: &[u8],
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((certificate.der().clone(), key.into()))
}

/// When a third of its life is left; none if it is not for exactly these names.
fn renewal(leaf: &CertificateDer<'_>, names: &[String]) -> Option<SystemTime> {
    let (_, leaf) = parse_x509_certificate(leaf).ok()?;
    let alternatives = leaf.subject_alternative_name().ok()??;
    let mut here: Vec<_> = alternatives
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(*name),
            _ => None,
        })
        .collect();
    let mut wanted: Vec<_> = names.iter().map(String::as_str).collect();
    here.sort_unstable();
    wanted.sort_unstable();
    wanted.dedup();
    if here != wanted {
        return None;
    }
    let seconds = |at: x509_parser::time::ASN1Time| u64::try_from(at.timestamp()).ok();
    let from = seconds(leaf.validity().not_before)?;
    let to = seconds(leaf.validity().not_after)?;
    let at = to - to.saturating_sub(from) / 3;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_life_is_left() {
        let mut params =
            CertificateParams::new(vec!["a.example".into(), "b.example".into()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 3, 31);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let at = renewal(certificate.der(), &["b.example".into(), "a.example".into()]).unwrap();
        let expected = SystemTime::from(rcgen::date_time_ymd(2026, 3, 1));
        assert!(at.duration_since(expected).unwrap() < Duration::from_secs(86_400));
        for names in [&["a.example"][..], &["a.example", "c.example"], &[]] {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(renewal(certificate.der(), &names), None, "{names:?}");
        }
    }

    #[test]
    fn a_proof_holds_the_digest_in_a_critical_extension() {
        let digest = [7; 32];
        let (certificate, _) = proof("a.example", &digest).unwrap();
        let (_, parsed) = parse_x509_certificate(&certificate).unwrap();
        let identifier = parsed
            .extensions()
            .iter()
            .find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31")
            .unwrap();
        assert!(identifier.critical);
        assert!(identifier.value.ends_with(&digest));
    }
}
