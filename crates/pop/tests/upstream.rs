//! Several origins, shields in between, and what happens when they fail: over real sockets.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::HashSet,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use support::{
    RunningPop,
    client::{Call, get},
    module,
    origin::{Asked, Origin, Reply, wait_until},
};
use tokio::sync::watch;
use weir_model::{
    Epoch, VideoId,
    edge::{EdgeSecrets, Lease, Leases, Signed},
    problem::{self, Code, Problem},
};
use weir_pop::{
    Config,
    upstream::{Settings, Shield},
};

const SECRET: &str = "a secret of at least 32 characters";
const FIRST: &str = "oaaaaaaaaaaa";
const SECOND: &str = "obbbbbbbbbbb";

fn secrets() -> Option<watch::Receiver<EdgeSecrets>> {
    Some(watch::channel(EdgeSecrets::parse(SECRET).unwrap()).1)
}

fn shield(address: SocketAddr) -> Shield {
    format!("http://{address}").parse().unwrap()
}

fn settings(origins: &[SocketAddr], shields: &[SocketAddr]) -> Settings {
    Settings {
        origins: origins
            .iter()
            .map(|o| format!("http://{o}").parse().unwrap())
            .collect(),
        shields: shields.iter().map(|s| shield(*s)).collect(),
        secrets: secrets(),
        ..Settings::default()
    }
}

fn pop(name: &str, settings: Settings) -> RunningPop {
    let mut config = Config::behind(settings, module::path());
    config.name = name.to_owned();
    RunningPop::start_with(config)
}

fn json(status: u16, content_type: &str, body: &impl serde::Serialize) -> Reply {
    Reply::Whole {
        status,
        fields: vec![("content-type", content_type.to_owned())],
        body: serde_json::to_vec(body).unwrap(),
    }
}

fn no_such_video() -> Reply {
    let problem = Problem::new(Code::VideoNotFound, "there is no such video");
    json(404, problem::CONTENT_TYPE, &problem)
}

/// The videos of an origin, which may change.
#[derive(Clone, Default)]
struct Videos(Arc<Mutex<(u64, HashSet<String>)>>);

impl Videos {
    fn of(videos: &[&str]) -> Self {
        let all = Self::default();
        videos.iter().for_each(|video| all.add(video));
        all
    }

    fn add(&self, video: &str) {
        let mut this = self.0.lock().unwrap();
        this.0 += 1;
        this.1.insert(video.to_owned());
    }

    fn remove(&self, video: &str) {
        let mut this = self.0.lock().unwrap();
        this.0 += 1;
        this.1.remove(video);
    }

    fn has(&self, path: &str) -> bool {
        self.0
            .lock()
            .unwrap()
            .1
            .iter()
            .any(|video| path.contains(video))
    }

    fn leases(&self) -> Leases {
        let this = self.0.lock().unwrap();
        let lease = |video: &String| Lease {
            video: video.parse().unwrap(),
            epoch: Some(Epoch(1)),
        };
        Leases {
            version: this.0,
            videos: this.1.iter().map(lease).collect(),
        }
    }
}

/// An origin that has `videos` and tells of those that are `on_air`.
fn origin_of(name: &'static str, videos: Videos, on_air: Videos) -> Origin {
    Origin::start(move |asked| {
        let path = asked.target.split('?').next().unwrap();
        match path {
            "/healthz" => Reply::text("ok\n"),
            "/edge/leases" => {
                // Not for as long as a real one waits.
                thread::sleep(Duration::from_millis(20));
                json(200, "application/json", &on_air.leases())
            }
            _ if !videos.has(path) => no_such_video(),
            _ => match path.strip_prefix("/edge/leases/") {
                Some(video) => {
                    let video: VideoId = video.parse().unwrap();
                    json(200, "application/json", &Lease { video, epoch: None })
                }
                None => Reply::text(format!("{name} {}", asked.target)),
            },
        }
    })
}

/// What was asked for but for what PoPs ask of themselves.
fn media(origin: &Origin) -> Vec<Asked> {
    let own = |asked: &Asked| asked.target == "/healthz" || asked.target.starts_with("/edge/");
    origin
        .asked()
        .into_iter()
        .filter(|asked| !own(asked))
        .collect()
}

fn playlist(video: &str, msn: u32) -> String {
    format!("/v/{video}/480p/index.m3u8?_HLS_msn={msn}")
}

#[test]
fn each_video_is_asked_of_its_own_origin() {
    let (a, b) = (Videos::of(&[FIRST]), Videos::of(&[SECOND]));
    let first = origin_of("first", a.clone(), a);
    let second = origin_of("second", b.clone(), b);
    let pop = pop("paris", settings(&[first.address, second.address], &[]));
    for (video, name) in [(FIRST, "first"), (SECOND, "second")] {
        let answer = get(pop.address, &playlist(video, 7));
        assert_eq!(answer.text(), format!("{name} {}", playlist(video, 7)));
    }
    assert_eq!((media(&first).len(), media(&second).len()), (1, 1));
}

#[test]
fn an_unknown_video_is_searched_for_once() {
    let first = origin_of("first", Videos::of(&[FIRST]), Videos::default());
    let second = origin_of("second", Videos::of(&[SECOND]), Videos::default());
    let pop = pop("paris", settings(&[first.address, second.address], &[]));
    let waiting: Vec<_> = (0..20)
        .map(|msn| Call::new("GET", &playlist(SECOND, msn)).start(pop.address))
        .collect();
    for viewer in waiting {
        let answer = viewer.finish();
        assert!(answer.text().starts_with("second "), "{}", answer.text());
    }
    let lookup = format!("/edge/leases/{SECOND}");
    assert_eq!(
        (first.asked_for(&lookup), second.asked_for(&lookup)),
        (1, 1)
    );
    assert!(media(&first).is_empty());

    let nowhere = get(pop.address, "/v/occccccccccc/index.m3u8");
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.text().contains("video_not_found"));
}

#[test]
fn a_video_that_moved_is_found_again() {
    let (here, there) = (Videos::of(&[FIRST]), Videos::default());
    let first = origin_of("first", here.clone(), Videos::default());
    let second = origin_of("second", there.clone(), Videos::default());
    let pop = pop("paris", settings(&[first.address, second.address], &[]));
    assert!(
        get(pop.address, &playlist(FIRST, 1))
            .text()
            .starts_with("first ")
    );
    here.remove(FIRST);
    there.add(FIRST);
    assert!(
        get(pop.address, &playlist(FIRST, 2))
            .text()
            .starts_with("second ")
    );
    assert!(
        get(pop.address, &playlist(FIRST, 3))
            .text()
            .starts_with("second ")
    );
    let denied = format!("first has not got it: {:?}", media(&first).len());
    assert_eq!(first.asked_for(&playlist(FIRST, 3)), 0, "{denied}");
}

#[test]
fn pops_hear_soon_where_a_video_went_on_air() {
    let on_air = Videos::default();
    let first = origin_of("first", Videos::default(), Videos::default());
    let second = origin_of("second", Videos::of(&[SECOND]), on_air.clone());
    let pop = pop("paris", settings(&[first.address, second.address], &[]));
    wait_until("the first list", || {
        second.asked_for("/edge/leases?since=0") > 0
    });
    on_air.add(SECOND);
    wait_until("the second list", || {
        second.asked_for("/edge/leases?since=1") > 0
    });
    assert!(
        get(pop.address, &playlist(SECOND, 7))
            .text()
            .starts_with("second ")
    );
    assert_eq!(
        first.asked_for(&format!("/edge/leases/{SECOND}")),
        0,
        "nobody had to search"
    );
}

#[test]
fn a_shield_stands_before_the_origin_until_it_is_gone() {
    let origin = Origin::echo();
    let mut shield = pop("eu", settings(&[origin.address], &[]));
    let paris = pop("paris", settings(&[origin.address], &[shield.address]));
    let london = pop("london", settings(&[origin.address], &[shield.address]));
    for pop in [&paris, &london] {
        assert_eq!(
            get(pop.address, &playlist(FIRST, 7)).text(),
            playlist(FIRST, 7)
        );
    }
    let asked = media(&origin);
    assert_eq!(asked.len(), 1, "the shield asks once for both");
    assert_eq!(asked[0].field("weir-pop"), Some("paris, eu"));

    shield.finish();
    assert_eq!(
        get(london.address, &playlist(FIRST, 8)).text(),
        playlist(FIRST, 8)
    );
    assert_eq!(media(&origin)[1].field("weir-pop"), Some("london"));
    // What is posted never goes through shields.
    let posted = Call::new("POST", "/api/v1/events")
        .field("content-type", "application/json")
        .body(br#"{"session":"0123456789abcdef","events":[{}]}"#)
        .send(paris.address);
    assert_eq!(posted.status, 200);
    assert_eq!(media(&origin)[2].field("weir-pop"), Some("paris"));
}

#[test]
fn a_shield_that_cannot_reach_the_origin_is_gone_around() {
    let origin = Origin::echo();
    // No port that a test is given.
    let shield = pop("eu", settings(&["127.0.0.1:1".parse().unwrap()], &[]));
    let paris = pop("paris", settings(&[origin.address], &[shield.address]));
    let target = "/api/v1/videos";
    assert_eq!(get(paris.address, target).text(), target);
    assert_eq!(media(&origin)[0].field("weir-pop"), Some("paris"));
}

#[test]
fn circles_are_refused() {
    let origin = Origin::echo();
    // Each is the other's shield.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let london = pop("london", settings(&[origin.address], &[address]));
    let mut config = Config::behind(
        settings(&[origin.address], &[london.address]),
        module::path(),
    );
    config.name = "paris".to_owned();
    let paris = RunningPop::start_on(listener, config);
    let target = playlist(FIRST, 7);
    assert_eq!(get(paris.address, &target).text(), target);
    assert_eq!(media(&origin)[0].field("weir-pop"), Some("paris, london"));

    let back = Call::new("GET", &target)
        .field("weir-pop", "paris, london")
        .send(london.address);
    assert_eq!(back.status, 508);
}

#[test]
fn requests_are_signed_and_a_stranger_is_told_so() {
    let stranger = Arc::new(AtomicBool::new(false));
    let origin = Origin::start({
        let stranger = stranger.clone();
        move |asked| match stranger.load(Ordering::SeqCst) {
            false => Reply::text(asked.target.clone()),
            true => Reply::Whole {
                status: 401,
                fields: vec![("www-authenticate", "Weir-Edge".to_owned())],
                body: Vec::new(),
            },
        }
    });
    let pop = pop("paris", settings(&[origin.address], &[]));
    let target = "/v/oaaaaaaaaaaa/3/480p/12.m4s";
    assert_eq!(get(pop.address, target).status, 200);
    let asked = &media(&origin)[0];
    let signed = Signed {
        method: "GET",
        target,
        pop: "paris",
        country: "",
    };
    let proof = asked.field("weir-edge");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert_eq!(
        EdgeSecrets::parse(SECRET)
            .unwrap()
            .verify(&signed, proof, now),
        Ok(())
    );

    stranger.store(true, Ordering::SeqCst);
    let refused = get(pop.address, "/v/oaaaaaaaaaaa/3/480p/13.m4s");
    assert_eq!(refused.status, 502);
    assert!(
        refused.text().contains("point of presence"),
        "{}",
        refused.text()
    );
}

#[test]
fn a_late_part_is_asked_for_twice_and_the_first_answer_counts() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let stuck = AtomicUsize::new(1);
    let origin = Origin::start(move |asked| {
        let late = asked.target.contains("/99.0.m4s")
            && stuck
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok();
        if late {
            let _ = released.lock().unwrap().recv();
        }
        Reply::text(asked.target.clone())
    });
    let pop = pop("paris", settings(&[origin.address], &[]));
    // As many as it takes to know what is late.
    for msn in 0..50 {
        assert_eq!(
            get(pop.address, &format!("/v/{FIRST}/3/480p/{msn}.0.m4s")).status,
            200
        );
    }
    let late = format!("/v/{FIRST}/3/480p/99.0.m4s");
    assert_eq!(get(pop.address, &late).text(), late);
    assert_eq!(origin.asked_for(&late), 2);
    assert_eq!(pop.counter("weir_pop_upstream_hedges_total"), 1.0);
    assert_eq!(pop.counter("weir_pop_upstream_hedges_won_total"), 1.0);
    drop(release);
}

#[test]
fn an_origin_that_dies_is_not_hammered() {
    const VIEWERS: usize = 200;
    let origin = Origin::start(|_| Reply::Silence);
    let pop = pop("paris", settings(&[origin.address], &[]));
    for msn in 0..VIEWERS {
        let answer = get(pop.address, &format!("/v/{FIRST}/3/480p/{msn}.m4s"));
        assert_eq!(answer.status, 502);
    }
    // Five failures open the circuit, and a peer whose probes fail stays away.
    let asked = media(&origin).len();
    assert!(asked < 10, "asked {asked} times");
    let waiting = Call::new("GET", &playlist(FIRST, 7)).start(pop.address);
    wait_until("probes", || origin.asked_for("/healthz") > 2);
    assert!(media(&origin).len() <= asked + 1);
    drop(waiting);
}

#[test]
fn everyone_goes_on_when_an_origin_comes_back() {
    const VIEWERS: u32 = 60;
    let back = Arc::new(AtomicBool::new(false));
    let origin = Origin::start({
        let back = back.clone();
        move |asked| match back.load(Ordering::SeqCst) {
            true => Reply::text(asked.target.clone()),
            false => Reply::Silence,
        }
    });
    let pop = pop("paris", settings(&[origin.address], &[]));
    let targets: Vec<_> = (0..VIEWERS).map(|msn| playlist(FIRST, msn)).collect();
    let waiting: Vec<_> = targets
        .iter()
        .map(|target| Call::new("GET", target).start(pop.address))
        .collect();
    wait_until("probes", || origin.asked_for("/healthz") > 2);
    back.store(true, Ordering::SeqCst);
    for (waiter, target) in waiting.into_iter().zip(&targets) {
        let answer = waiter.finish();
        assert_eq!((answer.status, answer.text()), (200, target.as_str()));
    }
}

#[test]
fn what_is_held_is_asked_for_again_when_an_origin_says_not_now() {
    let refusals = AtomicUsize::new(2);
    let origin = Origin::start(move |asked| {
        let left = refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        match left {
            Ok(_) => Reply::status(503),
            Err(_) => Reply::text(asked.target.clone()),
        }
    });
    let pop = pop("paris", settings(&[origin.address], &[]));
    let target = playlist(FIRST, 7);
    assert_eq!(get(pop.address, &target).text(), target);
    assert_eq!(origin.asked_for(&target), 3);
}

/// Over TLS: a certificate of an own authority is taken, and no other one.
mod tls {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{
            ServerConfig,
            crypto::aws_lc_rs,
            pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        },
    };

    use super::*;

    /// Answers every request with its own head. Ends with its runtime.
    fn serve(certified: &CertifiedKey<rcgen::KeyPair>) -> (tokio::runtime::Runtime, SocketAddr) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certified.cert.der().clone()],
                PrivateKeyDer::Pkcs8(key),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n")
                    && stream.read_buf(&mut head).await.is_ok_and(|n| n > 0)
                {}
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", head.len());
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.write_all(&head).await;
                let _ = stream.shutdown().await;
            }
        });
        (runtime, address)
    }

    #[test]
    fn an_origins_certificate_is_checked() {
        let certified = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (_runtime, address) = serve(&certified);
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, certified.cert.pem()).unwrap();
        let url = |host: &str| {
            format!("https://{host}:{}", address.port())
                .parse()
                .unwrap()
        };
        let settings = |host: &str, ca| Settings {
            ca,
            ..Settings::of_origin(url(host))
        };

        let ask = |settings| get(pop("paris", settings).address, "/api/v1/videos");
        let answer = ask(settings("localhost", Some(ca.clone())));
        assert_eq!(answer.status, 200);
        assert!(
            answer.text().starts_with("GET /api/v1/videos HTTP/1.1\r\n"),
            "{}",
            answer.text()
        );
        assert_eq!(
            ask(settings("127.0.0.1", Some(ca))).status,
            502,
            "not its name"
        );
        let other = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let other_ca = folder.path().join("other.pem");
        std::fs::write(&other_ca, other.cert.pem()).unwrap();
        assert_eq!(
            ask(settings("localhost", Some(other_ca))).status,
            502,
            "not its authority"
        );
    }
}
