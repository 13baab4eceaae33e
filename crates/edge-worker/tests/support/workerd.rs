//! The shell under Cloudflare's runtime, npm's `workerd`.

// Each test binary uses its part of this.
#![allow(dead_code, unreachable_pub)]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::support::{module, policy};

/// What the shell is run with.
pub struct Setup {
    /// The configuration file, and the name of the configuration in it.
    config: (&'static str, &'static str),
    module: PathBuf,
    rooms: Option<Rooms>,
    /// Where the data points of Analytics Engine go.
    counts: Option<SocketAddr>,
    /// The operator's policy, as JSON.
    policy: String,
}

/// The rooms' Worker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rooms {
    AsBuilt,
    /// Whose module panics at certain texts.
    Faulty,
}

/// What comes between the rooms' module and its imports: as a text with `PANIC1` goes in, or one with
/// `PANIC2` for the second time, what is under way there ends as by a panic: that is told, and a trap
/// leaves the memory as it is.
const FAULT: &str = r#"
const seen = new Map();
function faulty(imports) {
  for (const own of Object.values(imports)) {
    for (const [name, real] of Object.entries(own)) {
      if (!name.includes("string_get")) continue;
      own[name] = (to, value) => {
        const [, at] = /PANIC(\d)/.exec(value) ?? [];
        if (at) seen.set(value, (seen.get(value) ?? 0) + 1);
        if (at && seen.get(value) === Number(at)) {
          globalThis.__worker_init_state.criticalError = true;
          throw new WebAssembly.RuntimeError("unreachable");
        }
        return real(to, value);
      };
    }
  }
  return imports;
}
"#;

/// Runs until it is dropped.
pub struct Workerd {
    pub address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Setup {
    /// A Durable Object shares answers.
    pub fn coalescing() -> Self {
        Self {
            config: ("workerd.capnp", "coalescing"),
            module: module::path(),
            rooms: None,
            counts: None,
            policy: policy::json(),
        }
    }

    /// The entrypoint that has Workers Cache in front of it on Cloudflare, and nothing here.
    pub fn cached() -> Self {
        Self {
            config: ("workerd.capnp", "cached"),
            ..Self::coalescing()
        }
    }

    /// With the rooms' Worker behind it.
    pub fn with_rooms() -> Self {
        Self {
            config: ("workerd-rooms.capnp", "config"),
            rooms: Some(Rooms::AsBuilt),
            ..Self::coalescing()
        }
    }

    /// With a rooms' Worker whose module panics as it reads `PANIC1`, or `PANIC2` once more.
    pub fn with_faulty_rooms() -> Self {
        Self {
            rooms: Some(Rooms::Faulty),
            ..Self::with_rooms()
        }
    }

    /// With a dataset of Analytics Engine; each data point is posted to `counts`.
    pub fn counting(counts: SocketAddr) -> Self {
        Self {
            config: ("workerd.capnp", "counting"),
            counts: Some(counts),
            ..Self::coalescing()
        }
    }

    /// With no policy at all.
    pub fn without_policy(self) -> Self {
        Self {
            policy: String::new(),
            ..self
        }
    }

    /// With another module than the built one.
    pub fn with_module(self, module: &Path) -> Self {
        Self {
            module: module.to_owned(),
            ..self
        }
    }

    pub fn start(&self, origin: SocketAddr) -> Workerd {
        let shell = Path::new(env!("CARGO_MANIFEST_DIR")).join("cloudflare");
        let folder = self.assemble(&shell);
        let (file, name) = self.config;
        let mut workerd = Command::new(installed(&shell, "@cloudflare", "workerd-", "bin/workerd"));
        workerd.args(["serve", "--socket-addr=http=127.0.0.1:0", "--control-fd=1"]);
        if let Some(counts) = self.counts {
            // The binding is, in workerd.
            workerd.arg("--experimental");
            workerd.arg(format!("--external-addr=counts={counts}"));
        }
        let mut child = workerd
            .args([file, name])
            .current_dir(folder.path())
            .env("WEIR_ORIGIN", format!("http://{origin}"))
            .env("WEIR_POLICY", &self.policy)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = events
            .find_map(|event| listening_port(&event.ok()?))
            .expect("a port");
        Workerd {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            child,
            _folder: folder,
        }
    }

    /// Bundles the shell beside the module and the configuration.
    fn assemble(&self, shell: &Path) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "workerd.capnp",
            "workerd-rooms.capnp",
            "local-cache.js",
            "local-bindings.js",
        ] {
            fs::copy(shell.join(file), folder.path().join(file)).unwrap();
        }
        fs::create_dir(folder.path().join("dist")).unwrap();
        fs::copy(&self.module, folder.path().join("dist/edge.wasm")).unwrap();
        if let Some(rooms) = self.rooms {
            fs::create_dir(folder.path().join("storage")).unwrap();
            let to = folder.path().join("rooms");
            fs::create_dir(&to).unwrap();
            let from = built_rooms();
            fs::copy(from.join("rooms_bg.wasm"), to.join("rooms_bg.wasm")).unwrap();
            let worker = fs::read_to_string(from.join("rooms.js")).unwrap();
            fs::write(to.join("rooms.js"), rooms.changed(worker)).unwrap();
        }
        bundle(shell, &folder.path().join("dist/shell.js"));
        folder
    }
}

impl Rooms {
    fn changed(self, worker: String) -> String {
        const INSTANCE: &str = "new WebAssembly.Instance(wasmModule, __wbg_get_imports())";
        const FAULTY: &str = "new WebAssembly.Instance(wasmModule, faulty(__wbg_get_imports()))";
        match self {
            Self::AsBuilt => worker,
            Self::Faulty => {
                // At the start, and after each trap.
                assert_eq!(worker.matches(INSTANCE).count(), 2);
                worker.replace(INSTANCE, FAULTY) + FAULT
            }
        }
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bundle(shell: &Path, outfile: &Path) {
    let bundled = Command::new(installed(shell, "@esbuild", "", "bin/esbuild"))
        .args([
            "shell/main.ts",
            "--bundle",
            "--format=esm",
            "--target=es2024",
            "--external:./edge.wasm",
            "--external:cloudflare:*",
            "--log-level=warning",
        ])
        .arg(format!("--outfile={}", outfile.display()))
        .current_dir(shell)
        .status()
        .unwrap();
    assert!(bundled.success());
}

/// The folder that `WEIR_ROOMS` names, or where `cargo xtask build-edge` puts the rooms' Worker.
fn built_rooms() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/cloudflare/rooms");
    let folder = env::var_os("WEIR_ROOMS").map_or_else(|| PathBuf::from(built), PathBuf::from);
    assert!(
        folder.join("rooms.js").is_file(),
        "no rooms at {}: run `cargo xtask build-edge --target cloudflare`",
        folder.display()
    );
    folder
}

/// `{"event":"listen","socket":"http","port":40000}` tells where a socket listens.
fn listening_port(event: &str) -> Option<u16> {
    let event: serde_json::Value = serde_json::from_str(event).ok()?;
    (event["event"] == "listen")
        .then(|| event["port"].as_u64()?.try_into().ok())
        .flatten()
}

/// A program for this platform, straight from its package: npm's own wrapper would need Node and
/// outlive a kill.
fn installed(shell: &Path, scope: &str, prefix: &str, program: &str) -> PathBuf {
    let packages = shell.join("node_modules").join(scope);
    let found = fs::read_dir(&packages).ok().and_then(|packages| {
        let mut programs = packages.filter_map(|package| {
            let package = package.ok()?;
            let named = package.file_name().to_str()?.starts_with(prefix);
            named
                .then(|| package.path().join(program))
                .filter(|program| program.is_file())
        });
        programs.next()
    });
    found.unwrap_or_else(|| {
        panic!(
            "no {program} in {}: run `npm ci` in {}",
            packages.display(),
            shell.display()
        )
    })
}
