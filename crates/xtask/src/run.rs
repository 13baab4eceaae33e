//! Running programs: their output is shown, their failure is an error, and whatever was started
//! in the background is ended.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// Says what comes next.
pub(crate) fn step(what: &str) {
    eprintln!("==> {what}");
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::repo::root());
    command
}

/// Runs to the end.
pub(crate) fn command(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot run {}", shown(command)))?;
    check(command, status)
}

/// Runs to the end and yields the standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let output = output.with_context(|| format!("cannot run {}", shown(command)))?;
    check(command, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("output of {}", shown(command)))
}

/// Fails if `status` is a failure.
pub(crate) fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// A program in the background, in a process group of its own, so that Ctrl-C in the terminal
/// reaches only xtask, which then ends things in order. Dropping it ends the whole group.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
}

impl Background {
    /// Starts `command` with its standard error in the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stderr(file)
            .process_group(0)
            .spawn();
        let child = child.with_context(|| format!("cannot run {}", shown(command)))?;
        Ok(Self { child })
    }

    /// Its standard output, if that is a pipe nobody has taken yet.
    pub(crate) fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and after `grace` makes it.
    pub(crate) fn end(&mut self, grace: Duration) {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while !self.ended() && asked.elapsed() < grace {
            thread::sleep(Duration::from_millis(20));
        }
        // Whatever of the group is left, its children too.
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // Fails only when nobody is left in the group.
        let _ = group.map(|group| kill_process_group(group, signal));
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end(Duration::from_secs(1));
    }
}
