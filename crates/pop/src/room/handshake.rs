//! Who may open a socket, and how: RFC 6455 section 4.2.1, over HTTP/1.1.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
    request::Parts,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use weir_model::problem::Code;

/// Why a request opens no socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not ask for a WebSocket, or not over HTTP/1.1.
    NoUpgrade,
    /// It asks for another version of the protocol than 13.
    Version,
    /// Its key is not 16 bytes in base64.
    Key,
    /// The page that asks was served from somewhere else.
    ForeignPage,
}

impl Refusal {
    pub(super) fn code(self) -> Code {
        match self {
            Self::NoUpgrade | Self::Version => Code::UpgradeRequired,
            Self::Key => Code::InvalidQuery,
            Self::ForeignPage => Code::ForeignPage,
        }
    }

    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::NoUpgrade => "a room is a WebSocket: ask for one, over HTTP/1.1",
            Self::Version => "this is version 13 of WebSocket",
            Self::Key => "Sec-WebSocket-Key is not 16 bytes in base64",
            Self::ForeignPage => "pages of other sites may not open this room",
        }
    }
}

/// What to answer as `Sec-WebSocket-Accept`.
pub(super) fn check(request: &Parts, page_origins: &[String]) -> Result<HeaderValue, Refusal> {
    let headers = &request.headers;
    let asks = request.method == Method::GET
        && has_word(headers, &CONNECTION, "upgrade")
        && has_word(headers, &UPGRADE, "websocket");
    if !asks {
        return Err(Refusal::NoUpgrade);
    }
    if text(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Refusal::Version);
    }
    let key = text(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    let key = key.ok_or(Refusal::Key)?;
    if !may_open(headers, page_origins) {
        return Err(Refusal::ForeignPage);
    }
    HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| Refusal::Key)
}

/// Browsers name the page's origin (RFC 6454); what is no browser need not.
fn may_open(headers: &HeaderMap, page_origins: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let Some((origin, (scheme, page))) = origin
        .to_str()
        .ok()
        .and_then(|origin| Some((origin, origin.split_once("://")?)))
    else {
        return false;
    };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority: &str| {
        let authority = authority.to_ascii_lowercase();
        match authority.strip_suffix(default_port) {
            Some(bare) => bare.to_owned(),
            None => authority,
        }
    };
    let own = text(headers, &HOST).is_some_and(|host| bare(host) == bare(page));
    own || page_origins
        .iter()
        .any(|known| known.eq_ignore_ascii_case(origin))
}

/// 16 bytes are 22 digits of base64 and two of padding.
fn is_key(key: &str) -> bool {
    let digit = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    key.strip_suffix("==")
        .is_some_and(|digits| digits.len() == 22 && digits.bytes().all(digit))
}

fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(change: impl FnOnce(&mut HeaderMap)) -> Result<HeaderValue, Refusal> {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        for (name, value) in [
            (HOST, "weir.example:8080"),
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "WebSocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            parts.headers.insert(name, HeaderValue::from_static(value));
        }
        change(&mut parts.headers);
        check(&parts, &["https://pages.example".to_owned()])
    }

    fn with(name: HeaderName, value: &'static str) -> Result<HeaderValue, Refusal> {
        ask(|headers| {
            headers.insert(name, HeaderValue::from_static(value));
        })
    }

    #[test]
    fn the_example_of_the_standard_is_accepted() {
        // RFC 6455 section 1.3.
        let accepted = Ok(HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(ask(|_| {}), accepted);
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        assert_eq!(with(UPGRADE, "h2c"), Err(Refusal::NoUpgrade));
        assert_eq!(with(CONNECTION, "close"), Err(Refusal::NoUpgrade));
        assert_eq!(with(SEC_WEBSOCKET_VERSION, "8"), Err(Refusal::Version));
        for key in [
            "",
            "short==",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZ%==",
        ] {
            assert_eq!(with(SEC_WEBSOCKET_KEY, key), Err(Refusal::Key), "{key}");
        }
    }

    #[test]
    fn pages_of_other_sites_may_not() {
        let check = |origin, may: bool| {
            assert_eq!(with(ORIGIN, origin).is_ok(), may, "{origin}");
        };
        check("http://weir.example:8080", true);
        check("https://Weir.Example:8080", true);
        check("https://pages.example", true);
        check("http://weir.example", false);
        check("https://weir.example.evil:8080", false);
        check("https://evil.example", false);
        check("null", false);
        check("file://weir.example:8080", false);
        let default_port = ask(|headers| {
            headers.insert(HOST, HeaderValue::from_static("weir.example"));
            headers.insert(ORIGIN, HeaderValue::from_static("https://weir.example:443"));
        });
        assert!(default_port.is_ok());
    }
}
