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
    rooms: bool,
}

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
            rooms: false,
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
            rooms: true,
            ..Self::coalescing()
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
        let mut child = Command::new(installed(&shell, "@cloudflare", "workerd-", "bin/workerd"))
            .args([
                "serve",
                "--socket-addr=http=127.0.0.1:0",
                "--control-fd=1",
                file,
                name,
            ])
            .current_dir(folder.path())
            .env("WEIR_ORIGIN", format!("http://{origin}"))
            .env("WEIR_POLICY", policy::json())
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
        if self.rooms {
            fs::create_dir(folder.path().join("storage")).unwrap();
            fs::create_dir(folder.path().join("rooms")).unwrap();
            for file in ["rooms.js", "rooms_bg.wasm"] {
                fs::copy(
                    built_rooms().join(file),
                    folder.path().join("rooms").join(file),
                )
                .unwrap();
            }
        }
        bundle(shell, &folder.path().join("dist/shell.js"));
        folder
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
