//! Connections to peers, and requests as they go out.

use std::{
    error::Error,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Uri,
    header::ACCEPT_ENCODING,
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::sync::watch;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use tracing::warn;
use weir_model::{
    Country,
    edge::{COUNTRY_HEADER, EDGE_HEADER, EdgeSecrets, Hops, POP_HEADER, Signed, is_pop_name},
};

use super::{FetchError, PeerId, Settings, SettingsError};

/// How long a connection to a peer may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection on which an answer is waited for is looked after: so long of silence, and so much
/// between questions whether the peer is still there, of which it may leave three unanswered.
const KEEPALIVE: Duration = Duration::from_secs(2);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEPALIVE_RETRIES: u32 = 3;

/// A request before it is known to whom it goes.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) target: Arc<str>,
    /// Through which PoPs it came here.
    pub(super) hops: Hops,
    pub(super) country: Option<Country>,
    pub(super) head: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn get(target: Arc<str>) -> Self {
        Self {
            method: Method::GET,
            target,
            hops: Hops::default(),
            country: None,
            head: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

/// Sends requests, over connections that are kept for the next one.
pub(super) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    peers: Vec<(Scheme, Authority)>,
    pop_name: String,
    secrets: Option<watch::Receiver<EdgeSecrets>>,
}

impl Transport {
    pub(super) fn new(settings: Settings, pop_name: &str) -> Result<Self, SettingsError> {
        if !is_pop_name(pop_name) {
            return Err(SettingsError::Name(pop_name.to_owned()));
        }
        let peer = |uri: &Uri| {
            let peer = uri.scheme().cloned().zip(uri.authority().cloned());
            peer.ok_or_else(|| SettingsError::Peer(uri.clone()))
        };
        let peers: Vec<_> = settings.addresses().map(peer).collect::<Result<_, _>>()?;
        let secure = peers.iter().any(|(scheme, _)| *scheme == Scheme::HTTPS);

        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(settings.ca.as_deref(), secure)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Ok(Self {
            client,
            peers,
            pop_name: pop_name.to_owned(),
            secrets: settings.secrets,
        })
    }

    /// The peer's address, for people.
    pub(super) fn name(&self, peer: PeerId) -> &str {
        self.peers
            .get(peer)
            .map_or("", |(_, authority)| authority.as_str())
    }

    /// What this PoP is called.
    pub(super) fn pop_name(&self) -> &str {
        &self.pop_name
    }

    /// The secrets of the moment.
    pub(super) fn secrets(&self) -> Option<EdgeSecrets> {
        self.secrets
            .as_ref()
            .map(|secrets| secrets.borrow().clone())
    }

    /// `call` for `peer`. Nothing of the viewer's own request goes there but what is in the call.
    pub(super) fn request(
        &self,
        peer: PeerId,
        call: &Call,
    ) -> Result<Request<Full<Bytes>>, FetchError> {
        let (scheme, authority) = self
            .peers
            .get(peer)
            .cloned()
            .ok_or(FetchError::Unreachable)?;
        let target =
            PathAndQuery::try_from(&*call.target).map_err(|_| FetchError::InvalidTarget)?;
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(target)
            .build()
            .map_err(|_| FetchError::InvalidTarget)?;
        // Who comes through too many is refused at the door.
        let hops = call
            .hops
            .through(&self.pop_name)
            .map_err(|_| FetchError::InvalidTarget)?;
        let pop = hops.to_string();
        let country = call.country.as_ref().map_or("", Country::as_str);

        let mut head = call.head.clone();
        head.entry(ACCEPT_ENCODING)
            .or_insert(HeaderValue::from_static("identity"));
        let mut put = |name, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|_| FetchError::InvalidTarget)?;
            head.insert(name, value);
            Ok(())
        };
        put(POP_HEADER, &pop)?;
        if !country.is_empty() {
            put(COUNTRY_HEADER, country)?;
        }
        if let Some(secrets) = self.secrets() {
            let signed = Signed {
                method: call.method.as_str(),
                target: &call.target,
                pop: &pop,
                country,
            };
            put(EDGE_HEADER, &secrets.sign(&signed, unix_time()))?;
        }
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = head;
        Ok(request)
    }

    /// Sends a request and waits for the answer's head.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, FetchError> {
        let answer = self.client.request(request).await;
        answer.map_err(|error| {
            if error.is_connect() {
                // A certificate that is not trusted looks like a machine that is not there.
                warn!(reason = innermost(&error), "no connection to a peer");
            }
            FetchError::Unreachable
        })
    }
}

/// What an error comes down to.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The time in Unix seconds.
pub(super) fn unix_time() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs()
}

/// What peers' certificates are checked against; nothing, if none of them shows one.
fn tls(ca: Option<&Path>, secure: bool) -> Result<ClientConfig, SettingsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        _ if !secure => {}
        Some(path) => {
            let authority = |source| SettingsError::Authority {
                path: path.to_owned(),
                source,
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(authority)? {
                roots.add(certificate.map_err(authority)?)?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if let (true, Some(error)) = (roots.is_empty(), found.errors.into_iter().next()) {
                return Err(SettingsError::SystemAuthorities(std::io::Error::other(
                    error,
                )));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
