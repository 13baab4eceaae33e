//! Viewers who all ask for one playlist position before it is there.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Figures,
    origin::{Origin, Thing},
    servers::{Kind, Server},
};
use crate::{process, report::median};

/// Positions of one run.
const POSITIONS: usize = 8;
/// How long everyone has to come before the position is there.
const GATHERING: Duration = Duration::from_millis(300);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How late the answers are after the origin has its own, and what they cost.
pub(super) async fn run(server: &Server, origin: &Origin, waiters: usize) -> Result<Figures> {
    let mut connections = Vec::with_capacity(waiters);
    for _ in 0..waiters {
        let stream = TcpStream::connect(server.address()).await?;
        stream.set_nodelay(true)?;
        connections.push(stream);
    }
    let mut late_ms = Vec::with_capacity(waiters * POSITIONS);
    let mut cpu = Duration::ZERO;
    for _ in 0..POSITIONS {
        let (target, let_it_be_there) = origin.next_position();
        let asked_before = origin.asked();
        let cpu_before = process::usage(server.pid())?.cpu;
        let mut waiting = JoinSet::new();
        for mut stream in connections.drain(..) {
            let target = target.clone();
            waiting.spawn(async move {
                let answer = ask(&mut stream, server_name(), &target);
                let (status, len) = timeout(PATIENCE, answer).await??;
                anyhow::Ok((stream, status, len, Instant::now()))
            });
        }
        sleep(GATHERING).await;
        let there = Instant::now();
        let_it_be_there();
        while let Some(answered) = waiting.join_next().await {
            let (stream, status, len, at) = answered??;
            ensure!(
                status == 200 && len == Thing::Playlist.len(),
                "{status}, {len} bytes"
            );
            late_ms.push((at - there).as_secs_f64() * 1000.0);
            connections.push(stream);
        }
        cpu += process::usage(server.pid())?.cpu - cpu_before;
        let asked = origin.asked() - asked_before;
        // nginx's lock on a cache entry lets a second request through now and then.
        ensure!(
            server.kind() != Kind::Weir || asked == 1,
            "the origin was asked {asked} times"
        );
    }
    late_ms.sort_by(f64::total_cmp);
    let p99 = late_ms[late_ms.len() * 99 / 100];
    Ok(Figures {
        per_second: 0.0,
        p50_ms: median(late_ms),
        p99_ms: p99,
        cpu_us: cpu.as_secs_f64() * 1e6 / (waiters * POSITIONS) as f64,
    })
}

/// Length of the body that `target` has.
pub(super) async fn get(address: SocketAddr, target: &str) -> Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    let (status, len) = timeout(PATIENCE, ask(&mut stream, server_name(), target)).await??;
    ensure!(status == 200, "{target}: {status}");
    Ok(len)
}

fn server_name() -> &'static str {
    "localhost"
}

/// Asks on a connection that is kept. Gives status and length of the body.
async fn ask(stream: &mut TcpStream, host: &str, target: &str) -> Result<(u16, usize)> {
    let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut message = Vec::with_capacity(4096);
    let head_len = loop {
        ensure!(
            stream.read_buf(&mut message).await? > 0,
            "the connection ended"
        );
        if let Some(at) = message.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = std::str::from_utf8(&message[..head_len])?.to_ascii_lowercase();
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .with_context(|| format!("no length in {head:?}"))?;
    let len: usize = len.trim().parse()?;
    while message.len() < head_len + len {
        ensure!(
            stream.read_buf(&mut message).await? > 0,
            "the body is cut short"
        );
    }
    Ok((status, len))
}
