//! The web app's files.

use std::path::Path;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    middleware::{Next, from_fn},
    response::Response,
    routing::get_service,
};
use tower_http::services::{ServeDir, ServeFile};

use super::problem;

/// What the pages may do: run what is served from here, Wasm among it, and play what a script
/// feeds them.
macro_rules! content_security_policy {
    (framed by $ancestors:literal) => {
        concat!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; ",
            "img-src 'self' data:; font-src 'self'; media-src 'self' blob:; ",
            "worker-src 'self' blob:; connect-src 'self'; manifest-src 'self'; ",
            "base-uri 'none'; form-action 'self'; frame-ancestors ",
            $ancestors
        )
    };
}

/// A click on a page may mean something, so that nobody frames it,
const PAGE_POLICY: &str = content_security_policy!(framed by "'none'");
/// except the one that is made for frames.
const EMBED_POLICY: &str = content_security_policy!(framed by "*");

/// Adds the pages in `www` behind `api`; without them, everything else is a 404 problem.
pub fn add_to(api: Router, www: Option<&Path>) -> Router {
    let Some(www) = www else {
        return api.fallback(problem::not_found);
    };
    let missing = Router::new().fallback(problem::not_found);
    let files = ServeDir::new(www).fallback(missing);
    let pages = Router::new()
        .route(
            "/watch/{video}",
            get_service(ServeFile::new(www.join("watch.html"))),
        )
        .route(
            "/embed/{video}",
            get_service(ServeFile::new(www.join("embed.html"))),
        )
        .fallback_service(files)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn(add_headers));
    api.merge(pages)
}

async fn add_headers(request: Request, next: Next) -> Response {
    // Names under /assets/ carry a hash of their contents.
    let path = request.uri().path();
    let hashed = path.starts_with("/assets/");
    let policy = match path.starts_with("/embed/") || path == "/embed.html" {
        true => EMBED_POLICY,
        false => PAGE_POLICY,
    };
    let mut response = next.run(request).await;
    let lasting = match hashed && response.status().is_success() {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let headers = response.headers_mut();
    let add = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in add {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static(lasting));
    response
}
