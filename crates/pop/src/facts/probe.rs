//! Asking pathways whether they are alive.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Uri;
use http_body_util::Empty;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tracing::warn;

use super::Facts;

/// Between one round and the next.
const PAUSE: Duration = Duration::from_secs(5);
/// What takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(2);

type Prober = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Asks every pathway of the moment now and then, for ever.
pub(crate) async fn watch(facts: &Facts) {
    let mut prober = None;
    loop {
        let pathways = facts.pathways();
        for (index, probe) in pathways.probes().enumerate() {
            // Most PoPs have no pathways, and the system's authorities take a moment to read.
            let prober = prober.get_or_insert_with(prober_of_system);
            let Ok(prober) = prober else {
                continue;
            };
            pathways.answered(index, is_well(prober, &probe).await);
        }
        sleep(PAUSE).await;
    }
}

async fn is_well(prober: &Prober, probe: &str) -> bool {
    let Ok(uri) = probe.parse::<Uri>() else {
        return false;
    };
    let answer = timeout(PATIENCE, prober.get(uri)).await;
    matches!(answer, Ok(Ok(answer)) if answer.status().is_success())
}

fn prober_of_system() -> Result<Prober, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .inspect_err(|error| warn!(%error, "pathways cannot be asked; they count as well"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(PATIENCE));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}
