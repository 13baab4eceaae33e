//! The sockets of an origin, and the addresses that follow from them.

use std::{io, net::SocketAddr, sync::Arc};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;

use super::Config;
use crate::{rtmp, srt, webrtc};

/// A socket that could not be opened.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("port {} is in use: {what} can't listen on {address} ({option})", address.port())]
    InUse {
        /// What wanted to listen.
        what: &'static str,
        /// The option that says where.
        option: &'static str,
        /// Where.
        address: SocketAddr,
    },
    /// The system refused for another reason.
    #[error("{what} can't listen on {address} ({option}): {source}")]
    Refused {
        /// What wanted to listen.
        what: &'static str,
        /// The option that says where.
        option: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The open sockets of an origin that has yet to start: their ports are known.
#[derive(Debug)]
pub struct Listeners {
    pub(super) viewer: (TcpListener, SocketAddr),
    pub(super) viewer_https: Option<(TcpListener, SocketAddr, Arc<ServerConfig>)>,
    pub(super) operator: (TcpListener, SocketAddr),
    pub(super) rtmp: (TcpListener, SocketAddr),
    pub(super) rtmps: Option<(TcpListener, SocketAddr, Arc<ServerConfig>)>,
    pub(super) srt: srt::Listener,
    pub(super) webrtc: webrtc::Listener,
}

impl Listeners {
    /// Opens all sockets or none.
    pub async fn bind(config: &Config) -> Result<Self, BindError> {
        let rtmps = bind_tls("RTMPS", "--rtmps", config.rtmps.as_ref()).await?;
        let viewer_https =
            bind_tls("the viewer plane", "--https", config.viewer_https.as_ref()).await?;
        Ok(Self {
            viewer: bind("the viewer plane", "--listen", config.viewer).await?,
            viewer_https,
            operator: bind("the operator plane", "--operator", config.operator).await?,
            rtmp: bind("RTMP", "--rtmp", config.rtmp).await?,
            rtmps,
            srt: srt::bind(&config.srt)
                .map_err(|source| refused("SRT", "--srt", config.srt.address, source))?,
            webrtc: webrtc::bind(&config.webrtc)
                .await
                .map_err(|source| refused("WebRTC", "--webrtc", config.webrtc.address, source))?,
        })
    }

    /// Where points of presence connect.
    pub fn viewer_address(&self) -> SocketAddr {
        self.viewer.1
    }

    /// The same over TLS.
    pub fn viewer_https_address(&self) -> Option<SocketAddr> {
        self.viewer_https.as_ref().map(|(_, address, _)| *address)
    }

    /// Where media of WebRTC comes and goes.
    pub fn webrtc_address(&self) -> SocketAddr {
        self.webrtc.address()
    }

    /// Where encoders push.
    pub fn push_urls(&self) -> PushUrls {
        let over =
            |scheme: &str, address: SocketAddr| format!("{scheme}://{address}/{}", rtmp::APP);
        PushUrls {
            rtmp: over("rtmp", self.rtmp.1),
            rtmps: self
                .rtmps
                .as_ref()
                .map(|(_, address, _)| over("rtmps", *address)),
            srt: format!("srt://{}", self.srt.local_addr()),
        }
    }
}

/// Where encoders push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushUrls {
    /// `rtmp://host:port/live`.
    pub rtmp: String,
    /// `rtmps://host:port/live`, if it is open.
    pub rtmps: Option<String>,
    /// `srt://host:port`; the stream key goes into the stream id.
    pub srt: String,
}

async fn bind_tls(
    what: &'static str,
    option: &'static str,
    asked: Option<&(SocketAddr, Arc<ServerConfig>)>,
) -> Result<Option<(TcpListener, SocketAddr, Arc<ServerConfig>)>, BindError> {
    let Some((address, tls)) = asked else {
        return Ok(None);
    };
    let (listener, address) = bind(what, option, *address).await?;
    Ok(Some((listener, address, tls.clone())))
}

async fn bind(
    what: &'static str,
    option: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), BindError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound
        .await
        .map_err(|source| refused(what, option, address, source))
}

fn refused(
    what: &'static str,
    option: &'static str,
    address: SocketAddr,
    source: io::Error,
) -> BindError {
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse {
            what,
            option,
            address,
        },
        _ => BindError::Refused {
            what,
            option,
            address,
            source,
        },
    }
}
