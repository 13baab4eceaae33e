//! Whether a request comes from a viewer or from another PoP, for which this one is a shield.

use http::{HeaderMap, HeaderValue};
use thiserror::Error;
use tracing::debug;
use weir_model::{
    Country,
    edge::{COUNTRY_HEADER, EDGE_HEADER, Hops, InvalidHops, MAX_HOPS, POP_HEADER, Signed},
};

use super::{
    Upstream,
    transport::{Transport, unix_time},
};

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Anyone. What it says of points of presence and countries counts for nothing.
    Viewer,
    /// A PoP that shares a secret with this one.
    Edge {
        /// Through which PoPs the request came.
        hops: Hops,
        /// Where its viewer is, as the first of them believes.
        country: Option<Country>,
    },
}

/// The request came through this PoP before, or through too many: status 508.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the request came through this point of presence before, or through more than {MAX_HOPS}")]
pub(crate) struct LoopDetected;

impl Upstream {
    /// Who sent the request with this method, target and head.
    pub(crate) fn sender(
        &self,
        method: &str,
        target: &str,
        head: &HeaderMap,
    ) -> Result<Sender, LoopDetected> {
        sender(&self.0.transport, method, target, head)
    }
}

fn sender(
    transport: &Transport,
    method: &str,
    target: &str,
    head: &HeaderMap,
) -> Result<Sender, LoopDetected> {
    let value = |name: &str| {
        let value: &HeaderValue = head.get(name)?;
        value.to_str().ok()
    };
    let Some(pop) = value(POP_HEADER) else {
        return Ok(Sender::Viewer);
    };
    // Whoever makes this up harms only himself.
    let hops = match Hops::parse(pop) {
        Ok(hops) if hops.contains(transport.pop_name()) => return Err(LoopDetected),
        Ok(hops) if hops.through(transport.pop_name()).is_err() => return Err(LoopDetected),
        Ok(hops) => hops,
        Err(InvalidHops::TooMany) => return Err(LoopDetected),
        Err(InvalidHops::Name) => return Ok(Sender::Viewer),
    };
    let Some(secrets) = transport.secrets() else {
        return Ok(Sender::Viewer);
    };
    let country = value(COUNTRY_HEADER).unwrap_or_default();
    let signed = Signed {
        method,
        target,
        pop,
        country,
    };
    match secrets.verify(&signed, value(EDGE_HEADER), unix_time()) {
        Ok(()) => {
            let country = country.as_bytes().try_into().ok().and_then(Country::new);
            Ok(Sender::Edge { hops, country })
        }
        Err(error) => {
            debug!(%error, pop, "not taken for a point of presence");
            Ok(Sender::Viewer)
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use weir_model::edge::EdgeSecrets;

    use super::*;
    use crate::upstream::{Settings, transport::Call};

    fn transport(name: &str, secret: Option<&str>) -> Transport {
        let secrets = secret.map(|text| watch::channel(EdgeSecrets::parse(text).unwrap()).1);
        let origin = "http://127.0.0.1:1".parse().unwrap();
        let settings = Settings {
            secrets,
            ..Settings::of_origin(origin)
        };
        Transport::new(settings, name).unwrap()
    }

    const SECRET: Option<&str> = Some("a secret of at least 32 characters");

    /// What `to` makes of a request that `from` sends for one that came through `hops`.
    fn seen(from: &Transport, to: &Transport, hops: &[&str]) -> Result<Sender, LoopDetected> {
        let mut call = Call::get("/v/oabcdefghijk/index.m3u8".into());
        for hop in hops {
            call.hops = call.hops.through(hop).unwrap();
        }
        call.country = Country::new(*b"FR");
        let request = from.request(0, &call).unwrap();
        sender(to, "GET", "/v/oabcdefghijk/index.m3u8", request.headers())
    }

    #[test]
    fn only_who_shares_the_secret_is_an_edge() {
        let (paris, shield) = (transport("paris", SECRET), transport("eu", SECRET));
        let hops = Hops::parse("paris").unwrap();
        let country = Country::new(*b"FR");
        assert_eq!(
            seen(&paris, &shield, &[]),
            Ok(Sender::Edge { hops, country })
        );
        let stranger = transport("paris", Some("another secret of 32 characters or more"));
        assert_eq!(seen(&stranger, &shield, &[]), Ok(Sender::Viewer));
        let silent = transport("paris", None);
        assert_eq!(seen(&silent, &shield, &[]), Ok(Sender::Viewer));
        assert_eq!(
            seen(&paris, &silent, &[]),
            Err(LoopDetected),
            "its own name"
        );
        let open = transport("eu", None);
        assert_eq!(
            seen(&paris, &open, &[]),
            Ok(Sender::Viewer),
            "nobody can prove anything to it"
        );
    }

    #[test]
    fn a_request_that_comes_back_is_refused() {
        let (paris, shield) = (transport("paris", SECRET), transport("eu", SECRET));
        assert_eq!(seen(&paris, &shield, &["eu"]), Err(LoopDetected));
        assert!(seen(&paris, &shield, &["a", "b"]).is_ok());
        assert_eq!(
            seen(&paris, &shield, &["a", "b", "c"]),
            Err(LoopDetected),
            "too long a way"
        );
    }

    #[test]
    fn names_made_up_by_viewers_are_nothing() {
        let mut head = HeaderMap::new();
        head.insert(POP_HEADER, HeaderValue::from_static("Not A Name"));
        head.insert(COUNTRY_HEADER, HeaderValue::from_static("FR"));
        let shield = transport("eu", SECRET);
        assert_eq!(sender(&shield, "GET", "/", &head), Ok(Sender::Viewer));
    }
}
