//! From a request to a plan: which rules a path comes under.

use weir_edge_abi::{Class, Config, MAX_PATH, Plan, Request};
use weir_model::{problem::Code, token};

use crate::{answer::deny, api, media, web};

/// What the host is to do with `request`. Depends on nothing but its arguments, and never panics.
pub fn decide<'a>(config: &Config, request: &Request<'a>) -> Plan<'a> {
    let path = request.path;
    if path.len() > MAX_PATH {
        return deny(Class::Web, Code::TooLarge, "the path is longer than 2 KiB");
    }
    let bare = token::bare(path);
    match bare.strip_prefix("/api/v1/") {
        // Of the API, what is a video's may stand under its token.
        Some(call) if bare.len() == path.len() || call.starts_with("videos/") => {
            api::decide(config, request, call)
        }
        _ if path.starts_with("/v/") || path.starts_with("/t/") => media::decide(config, request),
        _ => web::decide(request),
    }
}
