//! One rendering for all who ask.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::HeaderValue;
use futures_util::future::join_all;
use weir_model::Msn;

use super::*;

fn rendered(text: &str) -> Rendered {
    Rendered {
        body: text.to_owned().into(),
        content_type: HeaderValue::from_static("application/vnd.apple.mpegurl"),
        cache_control: HeaderValue::from_static("no-cache"),
    }
}

fn at(msn: u64) -> Subject {
    let part = None;
    let msn = Msn(msn);
    Subject::List {
        video: "oabcdefghijk".parse().unwrap(),
        resource: Resource::Multivariant,
        skip: Skip::No,
        max_lines: None,
        as_of: AsOf::Position(Epoch(1), PlaylistPosition { msn, part }),
    }
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_renders() {
    let forms = Forms::new(Metrics::default());
    let renders = AtomicUsize::new(0);
    let ask = |_| {
        forms.get(Kind::Playlist, at(7), || {
            renders.fetch_add(1, Ordering::Relaxed);
            Some(rendered("#EXTM3U\n"))
        })
    };
    let all = join_all((0..300).map(ask)).await;
    assert!(all.iter().all(|form| form.as_ref().unwrap().size() == 8));
    assert_eq!(renders.into_inner(), 1);
}

#[tokio::test]
async fn where_there_was_nothing_the_next_one_tries() {
    let forms = Forms::new(Metrics::default());
    let (nothing, something) = tokio::join!(
        forms.get(Kind::Playlist, at(7), || None),
        forms.get(Kind::Playlist, at(7), || Some(rendered("#EXTM3U\n"))),
    );
    assert!(nothing.is_none() && something.is_some());
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    let forms = Forms::new(Metrics::default());
    let long = "x".repeat(1 << 20);
    for msn in 0..100 {
        let form = forms.get(Kind::Playlist, at(msn), || Some(rendered(&long)));
        assert_eq!(form.await.unwrap().size(), 1 << 20);
        assert!(forms.kept.weight() <= KEPT_BYTES);
    }
}
