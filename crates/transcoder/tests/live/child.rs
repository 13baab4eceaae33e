//! The binary as the origin runs it: a child with pipes.

use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::support::{Received, Source, job, rendition};
use weir_media::framing::{Decoder, Frame, encode};

/// A child that doesn't outlive a failed test.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn() -> Guarded {
    let child = Command::new(env!("CARGO_BIN_EXE_weir-transcode"))
        .arg("live")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Guarded(child.unwrap())
}

fn conversation(source: &Source) -> Vec<Frame> {
    let rendition = rendition("source");
    let mut frames = vec![Frame::Job(job(&[("240p", 240)]))];
    frames.push(Frame::Config {
        rendition,
        config: source.config.clone(),
    });
    frames.extend(source.units.iter().map(|unit| Frame::Unit {
        rendition,
        cut: false,
        unit: unit.clone(),
    }));
    frames
}

/// What a child says, read on a thread of its own so that waiting has an end.
struct Answers(mpsc::Receiver<Frame>);

impl Answers {
    fn of(child: &mut Child) -> Self {
        let mut stdout = child.stdout.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut decoder = Decoder::default();
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stdout.read(&mut buffer) {
                decoder.feed(&buffer[..read]);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    let _ = sender.send(frame);
                }
            }
        });
        Self(receiver)
    }

    /// The next frame, or `None` when the child has closed its output.
    fn next(&self) -> Option<Frame> {
        match self.0.recv_timeout(Duration::from_secs(30)) {
            Ok(frame) => Some(frame),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the child says nothing"),
        }
    }

    fn rest(&self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

#[test]
fn makes_the_rung_and_exits_when_its_input_ends() {
    let source = Source::make("640x360", &["-g", "30", "-bf", "2"]);
    let mut child = spawn();
    let answers = Answers::of(&mut child.0);
    let mut stdin = child.0.stdin.take().unwrap();
    let sent = conversation(&source);
    let writer = thread::spawn(move || {
        sent.iter()
            .for_each(|frame| stdin.write_all(&encode(frame).unwrap()).unwrap());
    });
    let frames = answers.rest();
    writer.join().unwrap();
    assert!(child.0.wait().unwrap().success());
    assert_eq!(frames.last(), Some(&Frame::End));
    assert_eq!(Received::of("240p", &frames).shown(), source.shown());
}

#[test]
fn a_unit_comes_back_while_the_input_stays_open() {
    let source = Source::make("640x360", &["-g", "30", "-bf", "0"]);
    let mut child = spawn();
    let answers = Answers::of(&mut child.0);
    let mut stdin = child.0.stdin.take().unwrap();
    for frame in &conversation(&source)[..3] {
        stdin.write_all(&encode(frame).unwrap()).unwrap();
    }
    assert!(matches!(answers.next(), Some(Frame::Config { .. })));
    assert!(matches!(answers.next(), Some(Frame::Unit { .. })));

    // Killed, it takes its pipes with it, which is how the origin learns of it.
    child.0.kill().unwrap();
    assert_eq!(answers.next(), None);
    assert!(!child.0.wait().unwrap().success());
}

#[test]
fn refuses_what_is_no_conversation() {
    let check = |bytes: &[u8]| {
        let mut child = spawn();
        let answers = Answers::of(&mut child.0);
        // It may be gone before all is written.
        let _ = child.0.stdin.take().unwrap().write_all(bytes);
        assert_eq!(answers.next(), None);
        assert!(!child.0.wait().unwrap().success());
    };
    check(&[0xff; 64]);
    let config = Source::make("320x180", &["-g", "30"]).config;
    let config = Frame::Config {
        rendition: rendition("source"),
        config,
    };
    check(&encode(&config).unwrap());
}
