//! What answers are written to, and whether the kernel can send pages there by itself.

use std::{
    io,
    task::{Context, Poll, ready},
};

use rustix::{
    fs::sendfile,
    net::{SendFlags, send},
};
use tokio::{
    io::{AsyncWrite, Interest},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::cache::Written;

/// Something that answers are written to.
pub(crate) trait Outlet: AsyncWrite + Unpin {
    /// Sends as much of `piece` as there is room for, at least a byte. `None` if the kernel cannot,
    /// because what is written is not what goes over the wire.
    fn poll_send(
        &mut self,
        _piece: Piece<'_>,
        _context: &mut Context<'_>,
    ) -> Option<Poll<io::Result<usize>>> {
        None
    }
}

/// A piece of a message that goes from the cache's pages to the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    /// What more follows behind at once.
    Head(&'a [u8]),
    Pages(&'a Written),
}

impl Outlet for TcpStream {
    fn poll_send(
        &mut self,
        piece: Piece<'_>,
        context: &mut Context<'_>,
    ) -> Option<Poll<io::Result<usize>>> {
        Some(poll_send(self, piece, context))
    }
}

impl Outlet for Box<TlsStream<TcpStream>> {}

fn poll_send(
    tcp: &TcpStream,
    piece: Piece<'_>,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let send = || match piece {
        Piece::Head(head) => send(tcp, head, SendFlags::MORE | SendFlags::NOSIGNAL),
        Piece::Pages(pages) => sendfile(tcp, pages.file(), Some(&mut pages.at()), pages.len()),
    };
    loop {
        ready!(tcp.poll_write_ready(context))?;
        match tcp.try_io(Interest::WRITABLE, || Ok(send()?)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}
