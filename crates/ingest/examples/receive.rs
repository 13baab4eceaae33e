//! Listens for encoders and prints what each sends, one line a second: to see what an encoder's
//! settings come to, and how little it takes to drive a session.
//!
//! `cargo run -p weir-ingest --example receive -- 127.0.0.1:1935`, then publish to
//! `rtmp://127.0.0.1/live` with any stream key but `wrong`.

#![allow(clippy::print_stdout)]

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use weir_ingest::rtmp::{End, Event, Limits, Refusal, Session};
use weir_media::{
    track::FromTrack,
    unit::{Media, TrackKind},
};

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:1935".into());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for (number, stream) in listener.incoming().enumerate() {
        let stream = stream?;
        thread::spawn(move || match receive(number, stream) {
            Ok(()) => println!("{number}: closed"),
            Err(error) => println!("{number}: {error}"),
        });
    }
    Ok(())
}

#[derive(Default)]
struct Second {
    frames: u32,
    keyframes: u32,
    audio_frames: u32,
    bytes: usize,
}

fn receive(number: usize, mut stream: TcpStream) -> io::Result<()> {
    let mut session = Session::new(Instant::now(), "live", Limits::default());
    let mut buffer = vec![0; 16 * 1024];
    let (mut second, mut began) = (Second::default(), Instant::now());
    loop {
        while let Some(event) = session.poll_event() {
            match event {
                Event::PublishRequested(request) if request.key.expose() == "wrong" => {
                    session.reject(Refusal::UnknownKey);
                }
                Event::PublishRequested(_) => session.accept(Instant::now()),
                Event::Media(Media::Config(config)) => println!("{number}: {config:?}"),
                Event::Media(Media::Unit(unit)) => {
                    second.bytes += unit.data.len();
                    match unit.kind {
                        TrackKind::Video => second.frames += 1,
                        TrackKind::Audio => second.audio_frames += 1,
                    }
                    second.keyframes += u32::from(unit.kind == TrackKind::Video && unit.keyframe);
                }
                Event::Track(FromTrack::Media {
                    index,
                    media: Media::Config(config),
                }) => println!("{number}, track {}: {config:?}", index.get()),
                Event::Track(FromTrack::Media { .. }) => {}
                Event::Track(label @ FromTrack::Label { .. }) => println!("{number}: {label:?}"),
                Event::TrackRefused(track) => println!("{track}"),
                Event::Ended(end) => {
                    println!("{number}: {end}");
                    stream.write_all(&session.take_output())?;
                    // An encoder that stopped by itself closes by itself.
                    if end == End::Unpublished {
                        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                        io::copy(&mut stream, &mut io::sink())?;
                    }
                    return Ok(());
                }
            }
        }
        stream.write_all(&session.take_output())?;
        if began.elapsed() >= Duration::from_secs(1) {
            let Second {
                frames,
                keyframes,
                audio_frames,
                bytes,
            } = second;
            println!(
                "{number}: {frames} frames, {keyframes} IDR, {audio_frames} audio frames, {} kbit, \
                 {:?}, {:?}",
                bytes / 125,
                session.encoder(),
                session.repairs(),
            );
            (second, began) = (Second::default(), Instant::now());
        }
        let now = Instant::now();
        let wait = session
            .poll_timeout()
            .map(|at| at.saturating_duration_since(now));
        stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        match stream.read(&mut buffer) {
            Ok(0) => session.handle_eof(),
            Ok(len) => session.handle_input(Instant::now(), &buffer[..len]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock) => {
                session.handle_timeout(Instant::now());
            }
            Err(error) => return Err(error),
        }
    }
}
