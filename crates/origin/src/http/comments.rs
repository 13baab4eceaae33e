//! `/api/v1/videos/{id}/comments`: comments under a video.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, HeaderName},
    },
    routing::get,
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use weir_model::{
    Code, Problem,
    api::{Comment, CommentPage, PostComment},
};

use super::problem::{ApiError, JsonBody, QueryParams, VideoPath, method_not_allowed};
use crate::{
    clock::Clock,
    room::Rooms,
    store::{CommentRange, Comments, PostCommentError},
};

/// Longest name of an author, in characters.
pub const MAX_AUTHOR: usize = 40;

/// Longest comment, in characters.
pub const MAX_TEXT: usize = 500;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// What the handlers need.
#[derive(Clone)]
pub struct CommentsState {
    comments: Arc<dyn Comments>,
    rooms: Rooms,
    clock: Clock,
}

/// The routes of this module.
pub fn router(comments: Arc<dyn Comments>, rooms: Rooms, clock: Clock) -> Router {
    Router::new()
        .route(
            "/api/v1/videos/{id}/comments",
            get(list_comments).post(post_comment),
        )
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(CommentsState {
            comments,
            rooms,
            clock,
        })
}

/// Parameters of `GET /api/v1/videos/{id}/comments`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CommentsQuery {
    /// The oldest comments with a number above this. Default: 0.
    pub after: Option<u64>,
    /// The newest comments with a number below this, still oldest first. Not with `after`.
    pub before: Option<u64>,
    /// How many, 1 to 200. Default: 50.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// List comments, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/videos/{id}/comments",
    tag = "comments",
    params(("id" = weir_model::VideoId, Path, description = "The video"), CommentsQuery),
    responses(
        (status = 200, description = "A page of comments", body = CommentPage),
        (status = 400, description = "Parameters out of bounds", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such video", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The store is down", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn list_comments(
    State(CommentsState { comments, .. }): State<CommentsState>,
    VideoPath(video): VideoPath,
    QueryParams(query): QueryParams<CommentsQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<CommentPage>), ApiError> {
    let range = match (query.after, query.before) {
        (Some(_), Some(_)) => {
            return Err(ApiError::new(
                Code::InvalidQuery,
                "give either after or before",
            ));
        }
        (after, None) => CommentRange::After(after.unwrap_or(0)),
        (None, Some(before)) => CommentRange::Before(before),
    };
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("limit is from 1 to {MAX_LIMIT}, not {limit}");
        return Err(ApiError::new(Code::InvalidQuery, detail));
    }
    let page = comments.page(video, range, limit).await.map_err(|error| {
        tracing::error!(%error, %video, "comments read in vain");
        ApiError::unavailable("the comments can't be read at the moment")
    })?;
    let page = page.ok_or_else(|| ApiError::no_such_video(video))?;
    Ok(([(CACHE_CONTROL, "public, max-age=1")], Json(page)))
}

/// Write a comment.
#[utoipa::path(
    post,
    path = "/api/v1/videos/{id}/comments",
    tag = "comments",
    params(("id" = weir_model::VideoId, Path, description = "The video")),
    request_body = PostComment,
    responses(
        (status = 201, description = "The comment as it is listed", body = Comment),
        (status = 400, description = "Not a comment", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such video", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "More than 64 KiB", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The comment was not stored", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn post_comment(
    State(CommentsState {
        comments,
        rooms,
        clock,
    }): State<CommentsState>,
    VideoPath(video): VideoPath,
    JsonBody(PostComment { author, text }): JsonBody<PostComment>,
) -> Result<(StatusCode, Json<Comment>), ApiError> {
    let comment = PostComment {
        author: shown("author", &author, MAX_AUTHOR)?,
        text: shown("text", &text, MAX_TEXT)?,
    };
    // Its author may go away while it is stored; the room is told of it all the same.
    let posting = tokio::spawn(async move {
        let posted = comments.post(video, &comment, clock.now()).await;
        if let Ok(comment) = &posted {
            rooms.posted(video, comment.seq);
        }
        posted
    });
    let posted = posting.await.map_err(|_| {
        ApiError::unavailable("the comment can't be stored at the moment; send it again")
    })?;
    match posted {
        Ok(comment) => Ok((StatusCode::CREATED, Json(comment))),
        Err(PostCommentError::NoSuchVideo(video)) => Err(ApiError::no_such_video(video)),
        Err(PostCommentError::Store(error)) => {
            tracing::error!(%error, %video, "comment refused");
            Err(ApiError::unavailable(
                "the comment can't be stored at the moment; send it again",
            ))
        }
    }
}

/// Trims what will be shown to others and checks that it can be.
fn shown(field: &str, text: &str, most: usize) -> Result<String, ApiError> {
    let text = text.trim();
    let length = text.chars().count();
    if !(1..=most).contains(&length) {
        let detail = format!("{field} has {length} characters; it takes 1 to {most}");
        return Err(ApiError::new(Code::InvalidBody, detail));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        let detail = format!("{field} holds control characters; send text and line feeds");
        return Err(ApiError::new(Code::InvalidBody, detail));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[path = "comments_tests.rs"]
mod tests;
