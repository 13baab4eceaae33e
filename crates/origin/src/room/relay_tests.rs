use std::sync::atomic::{AtomicU64, Ordering};

use axum::{
    Router,
    extract::{Path, State},
    http::HeaderMap,
    routing::post,
};
use tokio::net::TcpListener;

use super::*;

/// A Worker with a room for every video.
#[derive(Clone, Default)]
struct Worker {
    posts: Arc<Mutex<Vec<String>>>,
    /// How many posts are still to fail.
    failures: Arc<AtomicU64>,
}

impl Worker {
    async fn start(&self) -> Uri {
        async fn take(
            State(worker): State<Worker>,
            Path(video): Path<String>,
            headers: HeaderMap,
            body: String,
        ) -> (StatusCode, &'static str) {
            if headers
                .get(AUTHORIZATION)
                .is_none_or(|shown| shown != "Bearer secret")
            {
                return (StatusCode::UNAUTHORIZED, "");
            }
            let fails = |left: u64| left.checked_sub(1);
            if worker
                .failures
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails)
                .is_ok()
            {
                return (StatusCode::SERVICE_UNAVAILABLE, "");
            }
            worker.posts.lock().unwrap().push(format!("{video} {body}"));
            (StatusCode::OK, r#"{"viewers":7}"#)
        }
        let router = Router::new()
            .route("/rooms/{video}/frames", post(take))
            .with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}").parse().unwrap()
    }

    fn posts(&self) -> Vec<String> {
        self.posts.lock().unwrap().clone()
    }
}

fn relay(url: Uri, secret: &str) -> Relay {
    let config = Config {
        url,
        secret: secret.to_owned(),
    };
    Relay::new(&config, Metrics::default()).unwrap()
}

fn video() -> VideoId {
    "oabcdefghijk".parse().unwrap()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {what}");
}

#[tokio::test]
async fn frames_are_posted_in_order_and_again_if_need_be() {
    let worker = Worker::default();
    let relay = relay(worker.start().await, "secret");
    worker.failures.store(2, Ordering::SeqCst);
    let viewers = Arc::new(AtomicU64::new(0));
    let sender = {
        let viewers = viewers.clone();
        relay.open(video(), move |reported| {
            viewers.store(reported, Ordering::SeqCst)
        })
    };
    for n in 1..=3 {
        let frame = format!(r#"{{"n":{n}}}"#);
        sender.send(Item::Other(frame.into())).await.unwrap();
    }
    until("three posts", || worker.posts().len() == 3).await;
    let expected = [1, 2, 3].map(|n| format!(r#"oabcdefghijk {{"n":{n}}}"#));
    assert_eq!(worker.posts(), expected);
    until("a report", || viewers.load(Ordering::SeqCst) == 7).await;
    assert_eq!(relay.0.metrics.room_frames_dropped.get(), 0);
}

#[tokio::test]
async fn what_is_refused_is_dropped() {
    let worker = Worker::default();
    let relay = relay(worker.start().await, "wrong");
    let sender = relay.open(video(), |_| panic!("nothing was taken"));
    sender.send(Item::Other("{}".into())).await.unwrap();
    let dropped = relay.0.metrics.room_frames_dropped.clone();
    until("the drop", || dropped.get() == 1).await;
    assert_eq!(worker.posts(), [""; 0]);
}

#[test]
fn retries_are_a_share_of_posts() {
    let mut budget = Budget::default();
    let at_once = std::iter::repeat_with(|| budget.withdraw()).take_while(|may| *may);
    assert_eq!(at_once.count(), 10);
    for _ in 0..9 {
        budget.deposit();
    }
    assert!(!budget.withdraw());
    budget.deposit();
    assert!(budget.withdraw());
}

#[test]
fn only_a_url_of_http_will_do() {
    let config = |url| Config {
        url: Uri::from_static(url),
        secret: "secret".to_owned(),
    };
    for url in ["rooms.example", "/rooms", "ftp://rooms.example/"] {
        let relay = Relay::new(&config(url), Metrics::default());
        assert!(matches!(relay, Err(RelayError::Url(_))), "{url}");
    }
    assert!(!format!("{:?}", config("https://a.example")).contains("secret\""));
}
