//! The Worker's entry point: finds the objects that hold a room, and lets only the origin post to
//! them. Nothing reaches it but the gateway's service binding, and that sends viewers here whose
//! tokens it has checked, and posts as they came.

use futures_util::future::try_join_all;
use weir_model::{
    VideoId,
    room::{MAX_FRAME, Report},
};
use worker::{
    Context, Env, Method, Request, RequestInit, Response, Result, Stub, event,
    wasm_bindgen::JsValue,
};

use crate::shard;

/// Name of the secret that the origin shows as a bearer token.
const SECRET: &str = "ROOMS_SECRET";
/// Name of the variable that says by how many objects a room is held.
const SHARDS: &str = "ROOM_SHARDS";

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let path = request.path();
    let mut pieces = path.strip_prefix("/rooms/").unwrap_or_default().split('/');
    let (video, call, rest) = (pieces.next(), pieces.next(), pieces.next());
    let Some(Ok(video)) = video.map(str::parse::<VideoId>) else {
        return Response::error("no such room", 404);
    };
    match (request.method(), call, rest) {
        (Method::Get, Some("socket"), None) => join(request, &env, video).await,
        (Method::Post, Some("frames"), None) if shows_secret(&request, &env)? => {
            post(request, &env, video).await
        }
        (Method::Post, Some("frames"), None) => Response::error("not the origin", 401),
        _ => Response::error("no such call", 404),
    }
}

/// A viewer belongs to one of the room's objects.
async fn join(request: Request, env: &Env, video: VideoId) -> Result<Response> {
    // Every handshake has another key (RFC 6455 section 4.1).
    let key = request.headers().get("sec-websocket-key")?;
    let shard = shard::of(key.unwrap_or_default().as_bytes(), shards(env));
    object(env, video, shard)?.fetch_with_request(request).await
}

/// What the origin posts goes to all of them; the answer is how many viewers they hold.
async fn post(mut request: Request, env: &Env, video: VideoId) -> Result<Response> {
    let frame = request.text().await?;
    if frame.len() > MAX_FRAME {
        return Response::error("the frame is too long", 413);
    }
    let answers = try_join_all((0..shards(env)).map(|shard| {
        let frame = JsValue::from_str(&frame);
        async move {
            let mut init = RequestInit::new();
            init.with_method(Method::Post).with_body(Some(frame));
            let request = Request::new_with_init("https://room.invalid/frames", &init)?;
            object(env, video, shard)?.fetch_with_request(request).await
        }
    }))
    .await?;
    let mut viewers = 0;
    for mut answer in answers {
        if answer.status_code() != 200 {
            return Ok(answer);
        }
        viewers += answer.json::<Report>().await?.viewers;
    }
    Response::from_json(&Report { viewers })
}

fn object(env: &Env, video: VideoId, shard: u32) -> Result<Stub> {
    let name = format!("{}/{shard}", video.as_str());
    env.durable_object("ROOMS")?.get_by_name(&name)
}

fn shards(env: &Env) -> u32 {
    let shards = env.var(SHARDS).map(|shards| shards.to_string());
    shard::count(shards.as_deref().unwrap_or_default())
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
