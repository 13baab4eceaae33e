//! The servers under measurement, each on the one core that it is given, and ended on drop.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use weir_model::{
    WallTime,
    key::{Algorithm, Secret, SigningKey},
    token::{self, Claims, Videos},
};

use super::origin::Thing;

const START_DEADLINE: Duration = Duration::from_secs(20);
/// Longer than any benchmark.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Where nginx keeps its cache: in memory, as the others do.
const MEMORY_FOLDER: &str = "/dev/shm";

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Weir,
    Nginx,
    Varnish,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Weir, Self::Nginx, Self::Varnish];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Weir => "weir",
            Self::Nginx => "nginx",
            Self::Varnish => "varnish",
        }
    }

    /// As it is written.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Weir => "Weir",
            Self::Nginx => "nginx",
            Self::Varnish => "Varnish",
        }
    }
}

/// One of them, running.
pub(super) struct Server {
    kind: Kind,
    process: Process,
    address: SocketAddr,
    /// What goes before a target of the protected video.
    token: Option<String>,
    _folder: TempDir,
}

enum Process {
    Ours(tokio::process::Child),
    Theirs(Child),
}

impl Server {
    /// Starts it in front of `origin`, on `core` alone.
    pub(super) async fn start(kind: Kind, origin: SocketAddr, core: usize) -> Result<Self> {
        match kind {
            Kind::Weir => weir(origin, core).await,
            Kind::Nginx => nginx(origin, core).await,
            Kind::Varnish => varnish(origin, core).await,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process at the root of its tree.
    pub(super) fn pid(&self) -> u32 {
        match &self.process {
            Process::Ours(child) => child.id().expect("it runs"),
            Process::Theirs(child) => child.id(),
        }
    }

    /// The target of `thing` under a playback token; the peers have none.
    pub(super) fn tokened(&self, thing: Thing) -> String {
        let target = thing.target();
        match &self.token {
            // Ids of protected videos begin with p.
            Some(token) => format!("/t/{token}{}", target.replacen("/v/o", "/v/p", 1)),
            None => target,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // On SIGTERM a master ends its worker; SIGKILL would orphan it.
        let pid = self.pid().to_string();
        let quit = Command::new("kill").args(["-TERM", &pid]).status();
        if let Process::Theirs(child) = &mut self.process
            && quit.is_ok_and(|status| status.success())
        {
            let _ = child.wait();
        }
    }
}

/// Keeps this process, and what it starts without saying otherwise, on one core.
pub(super) fn pin_self(core: usize) -> Result<()> {
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset")
        .args([
            "--all-tasks",
            "--cpu-list",
            "--pid",
            &core.to_string(),
            &pid,
        ])
        .stdout(Stdio::null())
        .status()
        .context("start taskset")?;
    ensure!(pinned.success(), "this machine has no core {core}");
    Ok(())
}

/// `program`, to be started on one core.
pub(super) fn on_core(core: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]);
    command.arg(program).stdin(Stdio::null());
    command
}

#[derive(Deserialize)]
struct Ready {
    viewer: String,
}

async fn weir(origin: SocketAddr, core: usize) -> Result<Server> {
    let folder = TempDir::new()?;
    let (policy, token) = playback_token(folder.path())?;
    let mut command = on_core(core, "target/release/weir");
    command
        .args(["pop", "--listen", "127.0.0.1:0", "--origin"])
        .arg(format!("http://{origin}"))
        .arg("--edge-policy")
        .arg(policy)
        .args(["--operator", "127.0.0.1:0", "--operator-token-file"])
        .arg(folder.path().join("operator-token"))
        .env("RUST_LOG", "error")
        .stdout(Stdio::piped());
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .context("start target/release/weir")?;
    let stdout = child.stdout.take().context("weir has no stdout")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(START_DEADLINE, lines.next_line())
        .await
        .context("weir start-up")??;
    let ready: Ready = serde_json::from_str(&line.context("weir ended before it was ready")?)?;
    let authority = ready.viewer.trim_start_matches("http://");
    Ok(Server {
        kind: Kind::Weir,
        process: Process::Ours(child),
        address: authority.parse()?,
        token: Some(token),
        _folder: folder,
    })
}

/// A policy that takes one key, and a token of it for every video.
fn playback_token(folder: &Path) -> Result<(PathBuf, String)> {
    // The form of 32 bytes 1 in base64url.
    const SECRET: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let policy = folder.join("policy.toml");
    let text = format!("[[keys]]\nkid = \"bench\"\nalgorithm = \"HS256\"\nsecret = \"{SECRET}\"\n");
    fs::write(&policy, text)?;
    let key = SigningKey {
        kid: "bench".to_owned(),
        algorithm: Algorithm::Hs256,
        secret: Secret(vec![1; 32]),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let claims = Claims {
        videos: Videos::Any,
        not_before: None,
        expires: WallTime(0).plus(now + TOKEN_LIFE),
        countries: Vec::new(),
        device: None,
        max_height: None,
    };
    Ok((policy, token::mint(&claims, "", &key)?))
}

async fn nginx(origin: SocketAddr, core: usize) -> Result<Server> {
    let folder = TempDir::new_in(MEMORY_FOLDER)?;
    let address = free_address()?;
    let file = folder.path().join("nginx.conf");
    fs::write(&file, nginx_conf(folder.path(), address, origin))?;
    let child = on_core(core, "/usr/sbin/nginx")
        .arg("-c")
        .arg(&file)
        .arg("-p")
        .arg(folder.path())
        .stderr(Stdio::null())
        .spawn()
        .context("start nginx (package nginx-light)")?;
    ready(Server {
        kind: Kind::Nginx,
        process: Process::Theirs(child),
        address,
        token: None,
        _folder: folder,
    })
    .await
}

fn nginx_conf(folder: &Path, address: SocketAddr, origin: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "user root;
daemon off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 16384; multi_accept on; }}
http {{
  access_log off;
  sendfile on;
  sendfile_max_chunk 2m;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  reset_timedout_connection on;
  open_file_cache max=100000 inactive=300s;
  open_file_cache_valid 300s;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=media:64m max_size=1g inactive=1h use_temp_path=off;
  upstream origin {{ server {origin}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen {address} reuseport backlog=4096;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_buffers 64 64k;
      proxy_cache media;
      proxy_cache_key $uri$is_args$args;
      proxy_cache_valid 200 1h;
      proxy_cache_lock on;
      proxy_cache_lock_timeout 30s;
      proxy_cache_lock_age 30s;
      proxy_read_timeout 60s;
    }}
  }}
}}
"
    )
}

async fn varnish(origin: SocketAddr, core: usize) -> Result<Server> {
    let folder = TempDir::new()?;
    let address = free_address()?;
    let child = on_core(core, "/usr/sbin/varnishd")
        .args(["-F", "-j", "none", "-T", "none", "-n"])
        .arg(folder.path())
        .args(["-a", &address.to_string(), "-b", &origin.to_string()])
        .args(["-s", "default,1g"])
        // Room for all connections at once.
        .args(["-p", "thread_pools=1", "-p", "thread_pool_min=600"])
        .args(["-p", "thread_pool_max=2000", "-p", "timeout_idle=300"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start varnishd (package varnish)")?;
    ready(Server {
        kind: Kind::Varnish,
        process: Process::Theirs(child),
        address,
        token: None,
        _folder: folder,
    })
    .await
}

async fn ready(server: Server) -> Result<Server> {
    let deadline = Instant::now() + START_DEADLINE;
    while TcpStream::connect(server.address).await.is_err() {
        let name = server.kind.name();
        ensure!(
            Instant::now() < deadline,
            "{name} did not open {}",
            server.address
        );
        sleep(Duration::from_millis(50)).await;
    }
    Ok(server)
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
