//! Children that end with their test.
//!
//! They stay in the test's process group, so that Ctrl-C reaches them too.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;

use crate::wait::PATIENCE;

/// A running program with its standard error in a file. Dropping it kills it and all that
/// descends from it, and shows the end of the file if the test is failing.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; standard input is closed, standard error is appended to `log`, and
    /// standard output goes there too.
    pub fn start(name: &'static str, command: &mut Command, log: &Path) -> Self {
        let output = open_log(log);
        command.stdout(output.try_clone().expect("a file handle can be cloned"));
        Self::spawn(name, command, log, output)
    }

    /// Starts `command` and also hands out the first line of its standard output. The rest is
    /// read and dropped, so that the program never blocks on it.
    pub fn start_and_read_line(
        name: &'static str,
        command: &mut Command,
        log: &Path,
    ) -> (Self, oneshot::Receiver<String>) {
        command.stdout(Stdio::piped());
        let mut process = Self::spawn(name, command, log, open_log(log));
        let stdout = process
            .child
            .stdout
            .take()
            .expect("standard output is piped");
        let (send, line) = oneshot::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut first = String::new();
            if matches!(stdout.read_line(&mut first), Ok(1..)) {
                let _ = send.send(first);
            }
            io::copy(&mut stdout, &mut io::sink())
        });
        (process, line)
    }

    fn spawn(name: &'static str, command: &mut Command, log: &Path, output: File) -> Self {
        let child = command.stdin(Stdio::null()).stderr(output).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name,
            child,
            log: log.to_path_buf(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has written to its log.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its exit status, if it has exited.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits until it exits by itself.
    ///
    /// # Panics
    /// If it has not within `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(
                start.elapsed() < deadline,
                "{} still runs after {deadline:?}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGINT, as Ctrl-C would, and waits for the end.
    pub fn interrupt(&mut self) -> ExitStatus {
        signal(self.pid(), Signal::INT);
        self.wait(PATIENCE)
    }

    /// SIGKILL to it alone: its children learn of it as they would of a crash.
    pub fn kill(&mut self) {
        // Fails only when it has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let descendants = descendants(self.pid());
        self.kill();
        for pid in descendants {
            signal(pid, Signal::KILL);
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(60)..];
            eprintln!("--- end of {}'s log\n{}\n---", self.name, tail.join("\n"));
        }
    }
}

/// SIGKILL to a process that the program under test has started.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Children of `parent` whose program is called `name`.
pub fn children_named(parent: u32, name: &str) -> Vec<u32> {
    // The kernel keeps 15 characters of a name.
    let known_as = &name[..name.len().min(15)];
    let is_named = |pid: &u32| {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm"));
        comm.is_ok_and(|comm| comm.trim_end() == known_as)
    };
    children(parent).into_iter().filter(is_named).collect()
}

fn descendants(pid: u32) -> Vec<u32> {
    let mut all = children(pid);
    let mut next = 0;
    while next < all.len() {
        all.extend(children(all[next]));
        next += 1;
    }
    all
}

/// A child belongs to the thread that started it, so every thread is asked.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let of_thread = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).ok();
    let lists: Vec<String> = threads.flatten().filter_map(of_thread).collect();
    lists
        .iter()
        .flat_map(|list| list.split_whitespace())
        .filter_map(|p| p.parse().ok())
        .collect()
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id is positive");
    // Fails only when the process is gone already.
    let _ = kill_process(pid, signal);
}

fn open_log(log: &Path) -> File {
    let file = File::options().create(true).append(true).open(log);
    file.unwrap_or_else(|error| panic!("{} cannot be written: {error}", log.display()))
}
