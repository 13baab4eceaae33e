use std::collections::BTreeSet;

use futures_util::future::join_all;
use weir_model::Access;

use super::*;

const NOW: WallTime = WallTime(1_795_000_000_000);

fn id(n: u64) -> VideoId {
    VideoId::from_random(n, Access::Open)
}

fn key(n: u8) -> SecretHash {
    [n; 32]
}

struct Store {
    meta: SqliteMeta,
    dir: tempfile::TempDir,
}

impl Store {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            meta: SqliteMeta::open(&dir.path().join("meta.db")).await.unwrap(),
            dir,
        }
    }

    /// Closes and opens again, as a restart does.
    async fn reopened(self) -> Self {
        self.meta.close().await;
        let meta = SqliteMeta::open(&self.dir.path().join("meta.db"))
            .await
            .unwrap();
        Self {
            meta,
            dir: self.dir,
        }
    }
}

#[tokio::test]
async fn a_video_lives_through_its_states_and_a_restart() {
    let store = Store::new().await;
    let made = store
        .meta
        .create_video(id(1), "A film", key(1), NOW)
        .await
        .unwrap();
    assert_eq!(made.state, VideoState::Waiting);
    assert_eq!(
        store.meta.find_video(id(1)).await.unwrap(),
        Some(made.clone())
    );
    assert_eq!(store.meta.find_video(id(2)).await.unwrap(), None);

    let (later, latest) = (WallTime(NOW.0 + 5), WallTime(NOW.0 + 9));
    assert_eq!(
        store.meta.start_epoch(id(1), later).await.unwrap(),
        Epoch(1)
    );
    store.meta.set_state(id(1), VideoState::Away).await.unwrap();
    let open = store.meta.open_videos().await.unwrap();
    assert_eq!(
        open.iter().map(|video| video.state).collect::<Vec<_>>(),
        [VideoState::Away]
    );

    let store = store.reopened().await;
    assert_eq!(
        store.meta.start_epoch(id(1), latest).await.unwrap(),
        Epoch(2),
        "never again 1"
    );
    let renamed = store.meta.set_title(id(1), "The film").await.unwrap();
    assert_eq!(renamed.started_at, Some(later), "the first epoch's");
    let ended = store.meta.end(id(1), latest).await.unwrap();
    let expected = VideoRecord {
        title: "The film".into(),
        state: VideoState::Recorded,
        started_at: Some(later),
        ended_at: Some(latest),
        epoch: Some(Epoch(2)),
        ..made
    };
    assert_eq!(ended, expected);
    let again = store.meta.end(id(1), WallTime(NOW.0 + 99)).await.unwrap();
    assert_eq!(again, expected, "the first end counts");
    assert_eq!(store.meta.open_videos().await.unwrap(), []);

    let barred = store.meta.start_epoch(id(1), latest).await;
    assert!(matches!(barred, Err(ChangeVideoError::Ended(video)) if video == id(1)));
    let barred = store.meta.set_state(id(1), VideoState::Live).await;
    assert!(matches!(barred, Err(ChangeVideoError::Ended(_))));
    let unknown = store.meta.start_epoch(id(7), latest).await;
    assert!(matches!(unknown, Err(ChangeVideoError::NotFound(video)) if video == id(7)));
}

#[tokio::test]
async fn ids_and_keys_are_given_once() {
    let store = Store::new().await;
    store
        .meta
        .create_video(id(1), "", key(1), NOW)
        .await
        .unwrap();
    for (video, hash) in [(id(1), key(2)), (id(2), key(1))] {
        let taken = store.meta.create_video(video, "", hash, NOW).await;
        assert!(
            matches!(taken, Err(CreateVideoError::Taken(told)) if told == video),
            "{taken:?}"
        );
    }
    assert!(
        store
            .meta
            .create_video(id(2), "", key(2), NOW)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_new_key_voids_the_old_one() {
    let store = Store::new().await;
    store
        .meta
        .create_video(id(1), "", key(1), NOW)
        .await
        .unwrap();
    let found = store.meta.find_by_key_hash(key(1)).await.unwrap();
    assert_eq!(found.map(|video| video.id), Some(id(1)));
    store.meta.rotate_key(id(1), key(2)).await.unwrap();
    assert_eq!(store.meta.find_by_key_hash(key(1)).await.unwrap(), None);
    assert!(store.meta.find_by_key_hash(key(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn pages_hold_each_video_once_newest_first() {
    let store = Store::new().await;
    for n in 0..7 {
        // Pairs share a millisecond.
        let created = WallTime(NOW.0 + n / 2);
        store
            .meta
            .create_video(id(n), "", key(n as u8), created)
            .await
            .unwrap();
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.meta.list_videos(3, after).await.unwrap();
        listed.extend(page.videos);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(listed.is_sorted_by(|a, b| (a.created_at, a.id) > (b.created_at, b.id)));
    assert_eq!(
        listed
            .iter()
            .map(|video| video.id)
            .collect::<BTreeSet<_>>()
            .len(),
        7
    );
    assert_eq!(store.meta.list_videos(7, None).await.unwrap().next, None);
}

#[tokio::test]
async fn comments_are_numbered_without_holes() {
    let store = Store::new().await;
    store
        .meta
        .create_video(id(1), "", key(1), NOW)
        .await
        .unwrap();
    let comment = |n| PostComment {
        author: "Ada".into(),
        text: format!("comment {n}"),
    };
    let comments: Vec<_> = (0..20).map(comment).collect();
    let posts = comments
        .iter()
        .map(|comment| store.meta.post(id(1), comment, NOW));
    let posted: Vec<_> = join_all(posts)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let numbers: BTreeSet<_> = posted.iter().map(|comment| comment.seq).collect();
    assert_eq!(numbers, (1..=20).collect());

    let store = store.reopened().await;
    let check = async |range, limit, expected: &[u64]| {
        let page = store.meta.page(id(1), range, limit).await.unwrap().unwrap();
        let numbers: Vec<_> = page.comments.iter().map(|comment| comment.seq).collect();
        assert_eq!(numbers, expected, "{range:?}");
        assert_eq!(page.total, 20);
        assert!(page.comments.iter().all(|comment| posted.contains(comment)));
    };
    check(CommentRange::After(0), 3, &[1, 2, 3]).await;
    check(CommentRange::After(18), 3, &[19, 20]).await;
    check(CommentRange::After(20), 3, &[]).await;
    check(CommentRange::Before(u64::MAX), 3, &[18, 19, 20]).await;
    check(CommentRange::Before(3), 5, &[1, 2]).await;

    assert_eq!(
        store
            .meta
            .page(id(2), CommentRange::After(0), 3)
            .await
            .unwrap(),
        None
    );
    let refused = store.meta.post(id(2), &comment(0), NOW).await;
    assert!(matches!(refused, Err(PostCommentError::NoSuchVideo(video)) if video == id(2)));
}
