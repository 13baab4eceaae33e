//! ffmpeg, pushing the film in real time again and again.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::run::Background;

/// Before a push that ended is started again.
const PAUSE: Duration = Duration::from_secs(1);

/// A push that is started again whenever it ends. Dropping it ends it.
pub(crate) struct Push {
    state: Arc<Mutex<State>>,
    keeper: Option<JoinHandle<()>>,
}

enum State {
    Running(#[expect(dead_code, reason = "held for its Drop, which ends ffmpeg")] Background),
    Ended,
    Stopped,
}

/// How ffmpeg is started.
struct Recipe {
    film: PathBuf,
    url: String,
    log: PathBuf,
}

impl Push {
    /// Starts pushing. `on_frame` is called with a line of ffmpeg's framecrc muxer for each video
    /// frame, at the moment that the frame is sent.
    pub(crate) fn start(
        film: &Path,
        url: &str,
        logs: &Path,
        mut on_frame: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self> {
        let recipe = Recipe {
            film: film.into(),
            url: url.into(),
            log: logs.join("ffmpeg.log"),
        };
        let (ffmpeg, mut frames) = recipe.start()?;
        let state = Arc::new(Mutex::new(State::Running(ffmpeg)));
        let shared = Arc::clone(&state);
        let keeper = thread::spawn(move || {
            loop {
                let lines = BufReader::new(frames).lines();
                lines.map_while(Result::ok).for_each(|line| on_frame(&line));
                match restart(&recipe, &shared) {
                    Some(again) => frames = again,
                    None => return,
                }
            }
        });
        Ok(Self {
            state,
            keeper: Some(keeper),
        })
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        // Ends ffmpeg, and with it the lines that the keeper waits for.
        *lock(&self.state) = State::Stopped;
        // A panic in there has been printed already.
        let _ = self.keeper.take().map(JoinHandle::join);
    }
}

impl Recipe {
    fn start(&self) -> Result<(Background, ChildStdout)> {
        let mut command = Command::new("ffmpeg");
        command
            .args(["-hide_banner", "-nostdin", "-loglevel", "warning"])
            .args(["-re", "-stream_loop", "-1", "-i"])
            .arg(&self.film)
            .args([
                "-map", "0:v:0", "-map", "0:a:0?", "-c", "copy", "-f", "flv", &self.url,
            ])
            // Each video packet goes to both outputs as it is read; this one says when.
            .args([
                "-map",
                "0:v:0",
                "-c",
                "copy",
                "-f",
                "framecrc",
                "-flush_packets",
                "1",
                "pipe:1",
            ]);
        let mut ffmpeg = Background::start(command.stdout(Stdio::piped()), &self.log)?;
        let frames = ffmpeg.stdout().context("standard output is piped")?;
        Ok((ffmpeg, frames))
    }
}

/// Starts ffmpeg until it runs. `None` when the push has been stopped.
fn restart(recipe: &Recipe, state: &Mutex<State>) -> Option<ChildStdout> {
    loop {
        {
            let mut state = lock(state);
            if matches!(*state, State::Stopped) {
                return None;
            }
            *state = State::Ended;
        }
        thread::sleep(PAUSE);
        let mut state = lock(state);
        if matches!(*state, State::Stopped) {
            return None;
        }
        match recipe.start() {
            Ok((ffmpeg, frames)) => {
                *state = State::Running(ffmpeg);
                return Some(frames);
            }
            Err(error) => eprintln!("the push does not start: {error:#}"),
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
