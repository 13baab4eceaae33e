//! Edge modules that go out, and come back: signed, deployed with one command, tried on a share of
//! the videos by each point of presence, kept or rolled back, while viewers stay connected.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpStream, task::JoinHandle};
use weir_model::{
    Access, VideoId,
    rollout::{Fleet, ModuleHash, PopStatus, State},
};
use weir_tests::{
    PointOfPresence, PopOptions, Weir, WeirOptions, built, eventually,
    module::{self, Fault},
};

/// All steps of a roll-out, on a busy machine.
const LONG: Duration = Duration::from_secs(90);

/// An origin, and a folder with keys, modules and signatures.
struct House {
    origin: Weir,
    folder: TempDir,
}

/// What every point of presence here is told: to take its steps fast.
const FAST: [&str; 6] = [
    "--edge-dwell",
    "1s",
    "--edge-samples",
    "20",
    "--edge-interval",
    "200ms",
];

impl House {
    /// An origin; what stands before it trusts nobody.
    async fn start() -> Self {
        Self::start_with(true).await
    }

    /// An origin apart, or one process with a point of presence that trusts the key.
    async fn start_with(apart: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = edge(&folder)
            .args(["keygen", "--key", "edge.key", "--public", "edge.pub"])
            .output();
        assert!(made.unwrap().status.success());
        let mut args = ["--ladder", "none"].map(str::to_owned).to_vec();
        if !apart {
            let key = folder.path().join("edge.pub");
            args.extend(["--edge-key", key.to_str().unwrap()].map(str::to_owned));
            args.extend(FAST.map(str::to_owned));
        }
        let origin = Weir::start_with(WeirOptions {
            apart,
            args,
            ..WeirOptions::default()
        })
        .await;
        Self { origin, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A point of presence that trusts the key, and takes its steps fast.
    async fn pop(&self, name: &str) -> PointOfPresence {
        self.pop_with(
            name,
            &["--edge-key", self.path("edge.pub").to_str().unwrap()],
        )
        .await
    }

    async fn pop_with(&self, name: &str, args: &[&str]) -> PointOfPresence {
        let store = self.path(&format!("store-{name}"));
        let store = ["--edge-store", store.to_str().unwrap()];
        let args = args
            .iter()
            .chain(&FAST)
            .chain(&store)
            .map(|arg| (*arg).to_owned());
        PointOfPresence::start(PopOptions {
            name: Some(name.to_owned()),
            args: args.collect(),
            ..PopOptions::of_origin(self.origin.origin_url().unwrap())
        })
        .await
    }

    /// `weir edge …` in the folder.
    fn edge(&self, args: &[&str]) -> Output {
        let mut command = edge(&self.folder);
        command.args(args);
        if ["deploy", "status"].contains(&args[0]) {
            let token = self.origin.data().join("data/operator-token");
            command.args(["--operator", self.origin.operator().base()]);
            command.arg("--token-file").arg(token);
        }
        command.output().unwrap()
    }

    fn done(&self, args: &[&str]) -> String {
        let output = self.edge(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.edge(args);
        assert!(!output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Signs a module under `name`.
    fn sign(&self, name: &str, bytes: &[u8], key: &str) {
        let file = format!("{name}.wasm");
        fs::write(self.path(&file), bytes).unwrap();
        self.done(&["sign", &file, "--key", key, "--name", name]);
    }

    fn hash(&self, name: &str) -> ModuleHash {
        let manifest = fs::read(self.path(&format!("{name}.wasm.sig"))).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        manifest["sha256"].as_str().unwrap().parse().unwrap()
    }

    async fn fleet(&self) -> Fleet {
        let operator = self.origin.operator();
        operator
            .get("/api/v1/edge/rollout")
            .await
            .expect_ok()
            .json()
    }

    /// Waits until `pop` has reached `state` in the newest roll-out.
    async fn until(&self, pop: &str, state: State) -> PopStatus {
        let what = format!("{} at {pop}", state.as_str());
        eventually(&what, LONG, async || {
            let fleet = self.fleet().await;
            let newest = fleet.rollout?.number;
            let pop = fleet.pops.into_iter().find(|known| known.name == pop)?;
            let progress = pop.status.rollout.as_ref()?;
            (progress.number == newest && progress.state == state).then_some(pop)
        })
        .await
    }
}

/// `weir edge` in a folder.
fn edge(folder: &TempDir) -> Command {
    let mut command = Command::new(built::weir());
    command.arg("edge").current_dir(folder.path());
    command
}

/// A viewer who asks for one video after the other over one connection, from first to last.
struct Viewer {
    done: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Viewer {
    /// Of videos whose id begins with `o` and `letter`. None exists; what counts is that the edge
    /// and the origin say so.
    async fn start(pop: &PointOfPresence, letter: u8) -> Self {
        let address = pop.url().trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let (done, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (is_done, count) = (done.clone(), asked.clone());
        let task = tokio::spawn(async move {
            // The second character of an id is its lowest five bits.
            let second = u64::from(letter - b'a');
            for n in (0..500).cycle() {
                if is_done.load(Ordering::Relaxed) {
                    return;
                }
                let id = VideoId::from_random(n << 5 | second, Access::Open);
                let request = Request::get(format!("/v/{id}/480p/index.m3u8"))
                    .header("host", "edge")
                    .body(Empty::<Bytes>::new());
                let answer = sender.send_request(request.unwrap()).await;
                let answer = answer.expect("the connection is never dropped");
                assert_eq!(answer.status(), 404, "{id}");
                answer.into_body().collect().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { done, asked, task }
    }

    /// Ends it; gives how often it was answered.
    async fn finish(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_deploys_everywhere_and_drops_no_connection() {
    let house = House::start().await;
    let (mut paris, rome) = (house.pop("paris").await, house.pop("rome").await);
    let viewers = [
        Viewer::start(&paris, b'b').await,
        Viewer::start(&rome, b'b').await,
    ];
    house.sign("first", &module::noted("first"), "edge.key");
    house.done(&["deploy", "first.wasm"]);
    for pop in ["paris", "rome"] {
        house.until(pop, State::Adopted).await;
    }
    // And the next one on top, while the same viewers stay.
    house.sign("second", &module::noted("second"), "edge.key");
    house.done(&["deploy", "second.wasm"]);
    for pop in ["paris", "rome"] {
        house.until(pop, State::Adopted).await;
    }
    for viewer in viewers {
        assert!(viewer.finish().await > 100);
    }
    for pop in ["paris", "rome"] {
        let status = house.until(pop, State::Adopted).await.status;
        assert_eq!(status.stable.sha256, house.hash("second"));
        assert_eq!(status.stable.name.as_deref(), Some("second"));
    }
    assert_eq!(
        paris
            .metric("weir_pop_edge_modules_adopted_total", &[])
            .await,
        2.0
    );
    let table = house.done(&["status"]);
    assert!(table.contains("roll-out 2 of second"), "{table}");
    assert_eq!(table.matches("adopted (2)").count(), 2, "{table}");

    // A crash later it begins with the last good module, without asking for it.
    paris.kill();
    paris.restart().await;
    let status = house.until("paris", State::Adopted).await.status;
    assert_eq!(status.stable.sha256, house.hash("second"));
    assert_eq!(
        paris
            .metric("weir_pop_edge_modules_adopted_total", &[])
            .await,
        0.0
    );
    assert_eq!(
        paris
            .metric("weir_pop_edge_candidate_calls_total", &[])
            .await,
        0.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_is_deployed_to_like_many() {
    let house = House::start_with(false).await;
    house.sign("first", &module::noted("first"), "edge.key");
    let table = house.done(&["deploy", "first.wasm", "--wait", "90s"]);
    assert!(table.contains("adopted (1)"), "{table}");
    let kept = house.origin.data().join("data/edge-store");
    let kept = kept.join(format!("{}.wasm", house.hash("first")));
    assert!(kept.is_file());
}

/// Each point of presence finds out for itself, and no viewer notices.
async fn check_rollback(fault: Fault) {
    let house = House::start().await;
    let pop = house.pop("paris").await;
    let harmless = Viewer::start(&pop, b'b').await;
    let harmed = Viewer::start(&pop, b'z').await;
    house.sign("faulty", &module::faulty(fault), "edge.key");
    house.done(&["deploy", "faulty.wasm"]);
    let status = house.until("paris", State::RolledBack).await.status;
    let reason = status.rollout.unwrap().reason.unwrap();
    assert!(
        reason.contains("calls failed where the module before answered"),
        "{reason}"
    );
    assert_eq!((status.stable.name, status.rolled_back), (None, 1));
    harmless.finish().await;
    harmed.finish().await;
    assert!(
        pop.metric("weir_pop_edge_candidate_failures_total", &[])
            .await
            >= 3.0
    );
    assert_eq!(pop.metric("weir_pop_guest_failures_total", &[]).await, 0.0);

    // It is not tried again unless somebody insists.
    house.done(&["deploy", "faulty.wasm"]);
    let status = house.until("paris", State::RolledBack).await.status;
    assert!(
        status
            .rollout
            .unwrap()
            .reason
            .unwrap()
            .starts_with("rolled back before")
    );
    let failed = house.edge(&["deploy", "faulty.wasm", "--wait", "60s"]);
    assert!(!failed.status.success(), "a deployment that fails says so");
    house.done(&["deploy", "faulty.wasm", "--again"]);
    let harmed = Viewer::start(&pop, b'z').await;
    eventually("another roll-back", LONG, async || {
        let status = house.until("paris", State::RolledBack).await.status;
        (status.rolled_back == 2).then_some(())
    })
    .await;
    harmed.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_traps_is_rolled_back_by_itself() {
    check_rollback(Fault::Traps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_loops_is_rolled_back_by_itself() {
    check_rollback(Fault::Loops).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_trusted_has_signed_is_refused_and_reported() {
    let house = House::start().await;
    let trusting = house.pop("paris").await;
    let _wary = house.pop_with("rome", &[]).await;
    let reason = async |pop: &str| {
        let status = house.until(pop, State::Refused).await.status;
        assert!(status.refused > 0);
        assert_eq!(status.stable.name, None);
        status.rollout.unwrap().reason.unwrap()
    };

    // Someone else's key.
    house.done(&["keygen", "--key", "other.key", "--public", "other.pub"]);
    house.sign("foreign", &module::noted("foreign"), "other.key");
    house.done(&["deploy", "foreign.wasm"]);
    let refused = reason("paris").await;
    assert!(refused.contains("not pinned here"), "{refused}");
    let refused = reason("rome").await;
    assert!(refused.contains("no edge key is pinned here"), "{refused}");

    // Our key's name over their signature.
    house.sign("ours", &module::noted("ours"), "edge.key");
    let read = |name: &str| -> Value {
        let manifest = fs::read(house.path(&format!("{name}.wasm.sig"))).unwrap();
        serde_json::from_slice(&manifest).unwrap()
    };
    let mut forged = read("foreign");
    forged["key"] = read("ours")["key"].clone();
    fs::write(house.path("foreign.wasm.sig"), forged.to_string()).unwrap();
    house.done(&["deploy", "foreign.wasm"]);
    eventually("the forgery is refused", LONG, async || {
        reason("paris").await.contains("is wrong").then_some(())
    })
    .await;
    assert!(
        trusting
            .metric("weir_pop_edge_modules_refused_total", &[])
            .await
            >= 2.0
    );

    // What does not fit together never gets to the origin.
    fs::copy(house.path("ours.wasm.sig"), house.path("foreign.wasm.sig")).unwrap();
    let error = house.refused(&["deploy", "foreign.wasm"]);
    assert!(error.contains("the signature of another module"), "{error}");
    fs::write(house.path("open.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let error = house.refused(&["sign", "open.wasm", "--key", "edge.key"]);
    assert!(error.contains("not fit to decide"), "{error}");
    assert_eq!(house.fleet().await.rollout.unwrap().number, 2);
}
