//! The Worker's entry point: finds the room, and lets only the origin post to it.

use weir_model::VideoId;
use worker::{Context, Env, Method, Request, Response, Result, event};

/// Name of the secret that the origin shows as a bearer token.
const SECRET: &str = "ROOMS_SECRET";

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let path = request.path();
    let mut pieces = path.strip_prefix("/rooms/").unwrap_or_default().split('/');
    let (video, call, rest) = (pieces.next(), pieces.next(), pieces.next());
    let Some(Ok(video)) = video.map(str::parse::<VideoId>) else {
        return Response::error("no such room", 404);
    };
    match (request.method(), call, rest) {
        (Method::Get, Some("socket"), None) => {}
        (Method::Post, Some("messages"), None) if shows_secret(&request, &env)? => {}
        (Method::Post, Some("messages"), None) => return Response::error("not the origin", 401),
        _ => return Response::error("no such call", 404),
    }
    env.durable_object("ROOMS")?
        .get_by_name(video.as_str())?
        .fetch_with_request(request)
        .await
}

fn shows_secret(request: &Request, env: &Env) -> Result<bool> {
    let secret = env.secret(SECRET)?.to_string();
    let shown = request.headers().get("authorization")?.unwrap_or_default();
    let shown = shown.strip_prefix("Bearer ").unwrap_or_default();
    Ok(!secret.is_empty() && equal_in_constant_time(shown.as_bytes(), secret.as_bytes()))
}

/// Tells a guesser no more than the secret's length.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |differing, (a, b)| differing | (a ^ b))
            == 0
}
