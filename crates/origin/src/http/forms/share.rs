//! Answers of the API, which no revision tells apart: those who ask the same while an answer is being
//! made get that answer, and the same body is compressed once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::OnceCell;
use tracing::error;
use weir_model::Code;

use super::{Form, Kind, Rendered, Subject};
use crate::http::{App, problem::ApiError};

/// Most bytes of an answer: pages are bounded far below it.
const MOST_BYTES: usize = 8 << 20;

/// Answers that are being made, by path and query.
#[derive(Default)]
pub struct UnderWay(Mutex<HashMap<String, Weak<Answer>>>);

type Answer = OnceCell<Arc<Form>>;

/// Has those who ask for the same at the same time share one answer. For routes whose answers
/// depend on path and query alone; what is not read, or is no 200 in JSON, passes.
pub async fn share(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(next.run(request).await);
    }
    let target = request.uri().path_and_query();
    let target = target.map_or_else(String::new, ToString::to_string);
    let head = request.headers().clone();
    let seat = Seat::take(&app.under_way, target);
    let making = || async {
        let response = next.run(as_get(request)).await;
        let rendered = rendered(response).await?;
        let subject = Subject::Body(rendered.digest());
        let form = app.forms.get(Kind::Json, subject, || Some(rendered)).await;
        // Whoever asks from now on may know of something newer.
        seat.make_way();
        form.ok_or_else(|| Failed::Problem(broken_off()))
    };
    match seat.answer.get_or_try_init(making).await {
        Ok(form) => Ok(form.answer(&head).await),
        Err(Failed::NotShared(response)) => Ok(response),
        Err(Failed::Problem(problem)) => Err(problem),
    }
}

/// HEAD and GET share an answer, whose body the server leaves out of the one.
fn as_get(mut request: Request) -> Request {
    *request.method_mut() = Method::GET;
    request
}

/// Why an answer is not shared.
enum Failed {
    /// It is of another kind.
    NotShared(Response),
    /// It came to nothing.
    Problem(ApiError),
}

async fn rendered(response: Response) -> Result<Rendered, Failed> {
    let json = HeaderValue::from_static("application/json");
    if response.status() != StatusCode::OK
        || response.headers().get(header::CONTENT_TYPE) != Some(&json)
    {
        return Err(Failed::NotShared(response));
    }
    let (parts, body) = response.into_parts();
    let body = match Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(e) => {
            let too_long = e.is::<LengthLimitError>();
            error!(error = %e, too_long, "answer not made");
            return Err(Failed::Problem(broken_off()));
        }
    };
    let cache_control = parts.headers.get(header::CACHE_CONTROL).cloned();
    Ok(Rendered {
        body,
        content_type: json,
        cache_control: cache_control.unwrap_or(HeaderValue::from_static("no-cache")),
    })
}

fn broken_off() -> ApiError {
    ApiError::new(Code::Internal, "the answer broke off")
}

/// A place among those who wait for one answer. The last one to leave clears it away.
struct Seat<'a> {
    under_way: &'a UnderWay,
    target: String,
    answer: Arc<Answer>,
}

impl<'a> Seat<'a> {
    fn take(under_way: &'a UnderWay, target: String) -> Self {
        let mut answers = under_way.lock();
        let answer = answers.get(&target).and_then(Weak::upgrade);
        let answer = answer.unwrap_or_else(|| {
            let answer = Arc::default();
            answers.insert(target.clone(), Arc::downgrade(&answer));
            answer
        });
        drop(answers);
        Self {
            under_way,
            target,
            answer,
        }
    }
}

impl Seat<'_> {
    /// Lets the next one who asks begin anew.
    fn make_way(&self) {
        self.make_way_in(&mut self.under_way.lock());
    }

    fn make_way_in(&self, answers: &mut HashMap<String, Weak<Answer>>) {
        let own = |answer: &Weak<Answer>| std::ptr::eq(answer.as_ptr(), Arc::as_ptr(&self.answer));
        if answers.get(&self.target).is_some_and(own) {
            answers.remove(&self.target);
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut answers = self.under_way.lock();
        // A seat is taken under the same lock, so that nobody else comes in between.
        if Arc::strong_count(&self.answer) == 1 {
            self.make_way_in(&mut answers);
        }
    }
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Answer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
