//! One client's connection: ICE, DTLS, SRTP and RTP as str0m does them, without sockets and clocks.
//!
//! Every change of an `Rtc` is followed by a full drain of what it puts out, as str0m wants it.
//! What came out waits in queues, which the next call empties.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError,
    change::SdpOffer,
    error::IceError,
    media::{Direction, MediaData, MediaKind, Mid},
    net::{Protocol, Receive, TcpType, Transmit},
    rtp::Extension,
};
use thiserror::Error;

use super::{
    offer::{InvalidOffer, Offer},
    packet::{MOST_SOURCES, Packet, Source},
};

/// How long a client may take to be connected.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);
/// Longest without a packet from a client. Browsers send checks of consent every few seconds
/// (RFC 7675).
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// What one input may lead to, at most: more is a fault of ours.
const MOST_OUTPUTS: usize = 100_000;

/// H.264 by profile (table 5 of RFC 6184), from the plainest: payload type, that of
/// retransmissions, profile-level-id. Levels are 5.2: what a client sends within an offer's level
/// is its own affair.
const H264: [(u8, u8, u32); 5] = [
    (108, 109, 0x42_e034),
    (127, 121, 0x42_0034),
    (123, 119, 0x4d_0034),
    (114, 115, 0x64_0034),
    (39, 40, 0x64_0c34),
];
/// Header extensions that are of use here, by the numbers that Chromium has them as. Without the
/// one for orientation a phone that is turned sends turned pictures.
const EXTENSIONS: [(u8, Extension); 3] = [
    (3, Extension::TransportSequenceNumber),
    (4, Extension::RtpMid),
    (5, Extension::PlayoutDelay),
];

/// Why an offer gets no answer.
#[derive(Debug, Error)]
pub enum Unanswerable {
    /// It can't be read.
    #[error(transparent)]
    Invalid(#[from] InvalidOffer),
    /// The parser of session descriptions, or the negotiation, refused it.
    #[error("the offer can't be answered: {0}")]
    Refused(#[from] RtcError),
    /// An address of ours can't be a candidate.
    #[error("no candidate can be offered: {0}")]
    Candidate(#[from] IceError),
    /// It offers media of which nothing is taken.
    #[error(
        "none of the codecs offered is taken ({0}); offer H.264 with packetization-mode 1, Opus, \
         or both"
    )]
    NoCodec(String),
    /// The negotiation panicked, and was contained.
    #[error("the offer could not be negotiated")]
    Fault,
}

/// Why a connection is over.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum Over {
    /// The client said goodbye.
    #[error("the client closed the connection")]
    Closed,
    /// It never got as far.
    #[error("no connection within {HANDSHAKE:?}")]
    NotConnected,
    /// Nothing came any more.
    #[error("nothing came for {SILENCE:?}")]
    Silent,
    /// The connection stands, and no media comes.
    #[error("no media came for {0:?}")]
    NoMedia(Duration),
    /// A protocol was broken.
    #[error("failed: {0}")]
    Failed(String),
}

/// What happened, in order.
#[derive(Debug)]
pub(super) enum Happened {
    /// Media can flow.
    Connected,
    /// A frame came.
    Frame(Box<MediaData>),
    /// A frame came that can't be put together.
    Broken(Mid),
    /// The client asks for a picture that decoding can start at.
    KeyframeWanted,
}

/// A client.
pub(super) struct Peer {
    rtc: Rtc,
    local: Vec<Source>,
    sources: VecDeque<Source>,
    sections: Vec<(Mid, MediaKind, Direction)>,
    transmits: VecDeque<Transmit>,
    happened: VecDeque<Happened>,
    wake: Instant,
    opened: Instant,
    connected: bool,
    heard: Instant,
    over: Option<Over>,
}

/// What the client is told.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The session description.
    pub(super) sdp: String,
    /// Our ICE user name fragment, by which its checks are recognised.
    pub(super) ufrag: String,
}

impl Peer {
    /// Answers an offer. `addresses` are where the client can reach us, over UDP and over TCP.
    pub(super) fn answer(
        offer: &Offer,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, Answer), Unanswerable> {
        let mut config = RtcConfig::new()
            .set_ice_lite(true)
            .clear_codecs()
            .enable_opus(true, false)
            .clear_extension_map();
        for (number, extension) in EXTENSIONS {
            config = config.set_extension(number, extension);
        }
        for (pt, resent, profile) in H264 {
            let codecs = config.codec_config();
            codecs.add_h264(pt.into(), Some(resent.into()), true, profile);
        }
        let mut peer = Self {
            rtc: config.build(now),
            local: Vec::new(),
            sources: VecDeque::new(),
            sections: Vec::new(),
            transmits: VecDeque::new(),
            happened: VecDeque::new(),
            wake: now,
            opened: now,
            connected: false,
            heard: now,
            over: None,
        };
        for address in addresses {
            peer.offer_address(*address)?;
        }
        let offered = SdpOffer::from_sdp_string(&offer.sdp).map_err(RtcError::from)?;
        let answer = peer.rtc.sdp_api().accept_offer(offered)?;
        peer.drain();
        let answer = Answer {
            sdp: answer.to_sdp_string(),
            ufrag: peer.rtc.direct_api().local_ice_credentials().ufrag,
        };
        for mid in offer.mids.iter().map(|mid| Mid::from(mid.as_str())) {
            let writer = peer.rtc.writer(mid);
            let agreed = writer.is_some_and(|writer| writer.payload_params().next().is_some());
            if let Some(media) = peer.rtc.media(mid).filter(|_| agreed) {
                let section = (mid, media.kind(), media.direction());
                peer.sections.push(section);
            }
        }
        if peer.sections.is_empty() {
            return Err(Unanswerable::NoCodec(offer.codecs.join(", ")));
        }
        Ok((peer, answer))
    }

    fn offer_address(&mut self, address: SocketAddr) -> Result<(), IceError> {
        let udp = Candidate::builder().udp().host(address).build()?;
        let tcp = Candidate::builder()
            .tcp()
            .host(address)
            .tcptype(TcpType::Passive)
            .build()?;
        for (candidate, protocol) in [(udp, Protocol::Udp), (tcp, Protocol::Tcp)] {
            self.rtc.add_local_candidate(candidate);
            self.drain();
            self.local.push(Source { protocol, address });
        }
        Ok(())
    }

    /// The first section of this kind in which media flows in a direction that `flows` accepts.
    pub(super) fn section(&self, kind: MediaKind, flows: fn(&Direction) -> bool) -> Option<Mid> {
        let mut sections = self.sections.iter();
        let found = sections.find(|(_, of, direction)| *of == kind && flows(direction));
        found.map(|(mid, ..)| *mid)
    }

    /// Takes a packet. Answers whether it was the client's, and not heard from its source before.
    pub(super) fn handle_packet(&mut self, packet: &Packet) -> Option<Source> {
        if self.over.is_some() {
            return None;
        }
        let Source { protocol, address } = packet.source;
        let same_family = |local: &&Source| {
            local.protocol == protocol && local.address.is_ipv4() == address.is_ipv4()
        };
        let local = self.local.iter().find(same_family)?;
        let receive = Receive::new(protocol, address, local.address, &packet.contents).ok()?;
        let input = Input::Receive(packet.received, receive);
        if !self.rtc.accepts(&input) {
            return None;
        }
        self.heard = packet.received;
        if let Err(error) = self.rtc.handle_input(input) {
            self.fail(&error);
        }
        self.drain();
        let new = !self.sources.contains(&packet.source);
        if new {
            self.sources.truncate(MOST_SOURCES - 1);
            self.sources.push_front(packet.source);
        }
        new.then_some(packet.source)
    }

    /// Call when [`poll_timeout`](Self::poll_timeout) is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            self.fail(&error);
        }
        self.drain();
        if !self.connected && now >= self.opened + HANDSHAKE {
            self.over.get_or_insert(Over::NotConnected);
        }
        if now >= self.heard + SILENCE {
            self.over.get_or_insert(Over::Silent);
        }
    }

    /// Changes the connection: everything but [`handle_packet`](Self::handle_packet) and
    /// [`handle_timeout`](Self::handle_timeout) goes through here.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Rtc) -> T) -> T {
        let changed = change(&mut self.rtc);
        self.drain();
        changed
    }

    /// Says goodbye; what is to be sent for that comes out of
    /// [`poll_transmit`](Self::poll_transmit).
    pub(super) fn close(&mut self) {
        // A connection that can't say goodbye any more need not.
        let _ = self.rtc.close();
        self.drain();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). Ask anew after every other call.
    pub(super) fn poll_timeout(&self) -> Instant {
        let deadline = match self.connected {
            true => self.heard + SILENCE,
            false => self.opened + HANDSHAKE,
        };
        self.wake.min(deadline)
    }

    /// What is to be sent. Call until `None` after every other call.
    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What happened. Call until `None` after every other call.
    pub(super) fn poll_happened(&mut self) -> Option<Happened> {
        self.happened.pop_front()
    }

    /// Whether media can flow.
    pub(super) fn is_connected(&self) -> bool {
        self.connected && self.over.is_none()
    }

    /// Why it is over, if it is.
    pub(super) fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// Ends the connection, unless it has ended already.
    pub(super) fn give_up(&mut self, why: Over) {
        self.over.get_or_insert(why);
    }

    fn fail(&mut self, error: &RtcError) {
        self.over
            .get_or_insert_with(|| Over::Failed(error.to_string()));
        self.rtc.disconnect();
    }

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(wake)) => {
                    self.wake = wake;
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.transmits.push_back(transmit),
                Ok(Output::Event(event)) => self.take_event(event),
                Err(RtcError::Packet(mid, ..)) => self.happened.push_back(Happened::Broken(mid)),
                Err(error) => self.fail(&error),
            }
        }
        self.over
            .get_or_insert_with(|| Over::Failed("str0m did not come to rest".to_owned()));
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.connected = true;
                self.happened.push_back(Happened::Connected);
            }
            Event::MediaData(data) => self.happened.push_back(Happened::Frame(Box::new(data))),
            Event::KeyframeRequest(_) => self.happened.push_back(Happened::KeyframeWanted),
            Event::Closed => {
                self.over.get_or_insert(Over::Closed);
            }
            // A client whose checks have stopped may resume them until it has been silent for
            // too long.
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;
