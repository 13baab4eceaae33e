//! A `weir pop` of the test's own.

use std::{path::Path, process::Command};

use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    Http, built,
    process::Process,
    server::{sample, until_ready},
};

/// What a test may choose of a point of presence.
#[derive(Clone, Debug, Default)]
pub struct PopOptions {
    /// What it is called; `local` unless something is said.
    pub name: Option<String>,
    /// Addresses of origins, such as `http://127.0.0.1:9000`.
    pub origins: Vec<String>,
    /// Addresses of shields.
    pub shields: Vec<String>,
    /// Further arguments of `weir pop`.
    pub args: Vec<String>,
}

impl PopOptions {
    /// In front of one origin.
    pub fn of_origin(origin: &str) -> Self {
        Self {
            origins: vec![origin.to_owned()],
            ..Self::default()
        }
    }
}

/// A running `weir pop` on free ports, with a folder of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct PointOfPresence {
    process: Process,
    options: PopOptions,
    viewer: Http,
    operator: Http,
    folder: TempDir,
}

/// The line that `weir pop` prints when it takes connections.
#[derive(Clone, Debug, Deserialize)]
struct Ready {
    viewer: String,
    operator: String,
}

impl PointOfPresence {
    /// Starts one and waits until it is ready.
    ///
    /// # Panics
    /// If it is not within [`PATIENCE`](crate::wait::PATIENCE).
    pub async fn start(options: PopOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (process, ready) = launch(folder.path(), &options, ["127.0.0.1:0"; 2]).await;
        Self {
            process,
            viewer: Http::new(&ready.viewer),
            operator: Http::new(&ready.operator),
            options,
            folder,
        }
    }

    /// SIGKILL, as a crash would be.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGINT, and waits for the drain to end.
    pub fn stop(&mut self) {
        self.process.interrupt();
    }

    /// Starts it again after that, with the same folder and ports.
    pub async fn restart(&mut self) {
        let authority = |http: &Http| http.base().trim_start_matches("http://").to_owned();
        let addresses = [authority(&self.viewer), authority(&self.operator)];
        let addresses = addresses.each_ref().map(String::as_str);
        let (process, _) = launch(self.folder.path(), &self.options, addresses).await;
        self.process = process;
    }

    /// What viewers use.
    pub fn viewer(&self) -> &Http {
        &self.viewer
    }

    /// Where viewers connect: `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        self.viewer.base()
    }

    /// A folder that lasts as long as it does, restarts included.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The value of its Prometheus sample, as [`crate::Weir::metric`] has it.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.operator.get("/metrics").await.expect_ok().text();
        text.lines()
            .filter_map(|line| sample(line, name, labels))
            .sum()
    }
}

/// `addresses` are those for viewers and for operators.
async fn launch(folder: &Path, options: &PopOptions, addresses: [&str; 2]) -> (Process, Ready) {
    let mut command = Command::new(built::weir());
    let [viewer, operator] = addresses;
    command
        .args(["pop", "--listen", viewer, "--operator", operator])
        .arg("--operator-token-file")
        .arg(folder.join("operator-token"))
        .arg("--edge-module")
        .arg(built::edge_module());
    if let Some(name) = &options.name {
        command.args(["--name", name]);
    }
    for origin in &options.origins {
        command.args(["--origin", origin]);
    }
    for shield in &options.shields {
        command.args(["--shield", shield]);
    }
    command.args(&options.args);
    until_ready("weir pop", &mut command, &folder.join("pop.log")).await
}
