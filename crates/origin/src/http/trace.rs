//! Requests that a point of presence follows through the logs (W3C Trace Context).

use std::time::Instant;

use axum::{extract::Request, middleware::Next, response::Response};
use tracing::{Instrument, info, info_span};
use weir_model::{
    TraceParent,
    trace::{TRACEPARENT, redacted},
};

/// Logs a request whose trace is recorded, and has all that is logged of it tell the trace.
pub async fn follow(request: Request, next: Next) -> Response {
    let place = request.headers().get(TRACEPARENT).and_then(|field| {
        let place: TraceParent = field.to_str().ok()?.parse().ok()?;
        place.sampled.then_some(place)
    });
    let Some(place) = place else {
        return next.run(request).await;
    };
    let span = info_span!("edge", trace = %place.trace_id());
    let answering = async {
        let began = Instant::now();
        let method = request.method().clone();
        let path = redacted(request.uri().path());
        let response = next.run(request).await;
        info!(
            %method,
            path,
            status = response.status().as_u16(),
            ms = began.elapsed().as_millis() as u64,
            "answered"
        );
        response
    };
    answering.instrument(span).await
}
