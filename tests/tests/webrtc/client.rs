//! A WHEP client: str0m's other side, over UDP or over TCP.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::Method;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpAnswer,
    media::{Direction, MediaData, MediaKind, Mid},
    net::{Protocol, Receive, TcpType},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UdpSocket},
    task::JoinHandle,
    time::{timeout, timeout_at},
};
use weir_model::VideoId;
use weir_tests::{Http, wait::PATIENCE};

/// A session that plays.
pub(crate) struct Client {
    rtc: Rtc,
    link: Link,
    local: SocketAddr,
    video: Mid,
    /// Path of the session.
    pub(crate) location: String,
    /// Its entity tag.
    pub(crate) etag: String,
    /// Whether the server has said goodbye.
    closed: bool,
}

enum Link {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// A frame that came.
pub(crate) struct Frame {
    pub(crate) picture: bool,
    pub(crate) data: MediaData,
}

impl Frame {
    /// The types of its NAL units, if it is a picture.
    pub(crate) fn nal_types(&self) -> Vec<u8> {
        weir_media::codec::annexb::nal_units(&self.data.data)
            .map(|nal| nal[0] & 0x1f)
            .collect()
    }
}

impl Client {
    /// Asks for a session, and opens the way to where its answer says.
    pub(crate) async fn play(viewer: &Http, video: VideoId, protocol: Protocol) -> Self {
        let mut rtc = Rtc::builder().clear_codecs().enable_h264(true);
        rtc = rtc.enable_opus(true, false);
        let mut rtc = rtc.build(Instant::now());
        let mut changes = rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        let answer = viewer
            .send(
                Method::POST,
                &format!("/v/{video}/whep"),
                &[("content-type", "application/sdp")],
                Bytes::from(offer.to_sdp_string()),
            )
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/sdp"));
        let sdp = answer.text();

        let remote = candidate(&sdp, protocol);
        let (link, local) = match protocol {
            Protocol::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                let local = socket.local_addr().unwrap();
                (Link::Udp(socket), local)
            }
            _ => {
                let stream = TcpStream::connect(remote).await.unwrap();
                let local = stream.local_addr().unwrap();
                (Link::Tcp(stream), local)
            }
        };
        let ours = match protocol {
            Protocol::Udp => Candidate::builder().udp().host(local).build(),
            _ => {
                let tcp = Candidate::builder().tcp().host(local);
                tcp.tcptype(TcpType::Active).build()
            }
        };
        rtc.add_local_candidate(ours.unwrap());
        let sdp = SdpAnswer::from_sdp_string(&sdp).unwrap();
        rtc.sdp_api().accept_answer(pending, sdp).unwrap();
        Self {
            rtc,
            link,
            local,
            video: mid,
            location: answer.header("location").unwrap().to_owned(),
            etag: answer.header("etag").unwrap().to_owned(),
            closed: false,
        }
    }

    /// Keeps playing and counts frames, until the server says goodbye.
    pub(crate) fn go_on(mut self, frames: Arc<AtomicUsize>) -> JoinHandle<()> {
        tokio::spawn(async move {
            while self.next().await.is_some() {
                frames.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    /// Waits for the next frame; `None` once the server has said goodbye.
    ///
    /// # Panics
    /// If neither comes in time.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let next = timeout(PATIENCE, self.run()).await;
        next.expect("a frame or a goodbye comes in time")
    }

    async fn run(&mut self) -> Option<Frame> {
        loop {
            let wake = loop {
                match self.rtc.poll_output().unwrap() {
                    Output::Timeout(wake) => break wake,
                    Output::Transmit(packet) => {
                        self.send(&packet.contents, packet.destination).await
                    }
                    Output::Event(Event::MediaData(data)) => {
                        return Some(Frame {
                            picture: data.mid == self.video,
                            data,
                        });
                    }
                    Output::Event(Event::Closed) => self.closed = true,
                    Output::Event(_) => {}
                }
            };
            if self.closed {
                return None;
            }
            let mut buffer = [0; 2000];
            let wake = wake.min(Instant::now() + Duration::from_secs(1));
            let received = timeout_at(wake.into(), self.receive(&mut buffer)).await;
            let now = Instant::now();
            match received {
                Err(_) => self.rtc.handle_input(Input::Timeout(now)).unwrap(),
                Ok(Ok((protocol, len, source))) => {
                    let receive = Receive::new(protocol, source, self.local, &buffer[..len]);
                    let input = Input::Receive(now, receive.unwrap());
                    self.rtc.handle_input(input).unwrap();
                }
                Ok(Err(error)) => panic!("the connection broke: {error}"),
            }
        }
    }

    async fn send(&mut self, packet: &[u8], to: SocketAddr) {
        match &mut self.link {
            Link::Udp(socket) => {
                socket.send_to(packet, to).await.unwrap();
            }
            Link::Tcp(stream) => {
                let len = u16::try_from(packet.len()).unwrap();
                let frame = [&len.to_be_bytes()[..], packet].concat();
                stream.write_all(&frame).await.unwrap();
            }
        }
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<(Protocol, usize, SocketAddr)> {
        match &self.link {
            Link::Udp(socket) => {
                let (len, source) = socket.recv_from(buffer).await?;
                Ok((Protocol::Udp, len, source))
            }
            // A wait that is given up must not lose half a frame.
            Link::Tcp(stream) => loop {
                stream.readable().await?;
                let mut head = [0; 2];
                if stream.peek(&mut head).await? < head.len() {
                    tokio::task::yield_now().await;
                    continue;
                }
                let len = usize::from(u16::from_be_bytes(head));
                let mut frame = vec![0; len + head.len()];
                if stream.peek(&mut frame).await? < frame.len() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                }
                let read = stream.try_read(&mut frame)?;
                assert_eq!(read, frame.len());
                buffer[..len].copy_from_slice(&frame[head.len()..]);
                return Ok((Protocol::Tcp, len, stream.peer_addr()?));
            },
        }
    }
}

/// The address of the candidate of a protocol.
fn candidate(sdp: &str, protocol: Protocol) -> SocketAddr {
    let name = match protocol {
        Protocol::Udp => "udp",
        _ => "tcp",
    };
    let fields = sdp
        .lines()
        .filter_map(|line| line.strip_prefix("a=candidate:"))
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|fields| fields[2].eq_ignore_ascii_case(name));
    let fields = fields.unwrap_or_else(|| panic!("no candidate of {name} in {sdp}"));
    format!("{}:{}", fields[4], fields[5]).parse().unwrap()
}
