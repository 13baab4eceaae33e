//! str0m's other side, on a wire to one of our cores.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpAnswer,
    media::{Direction, Frequency, MediaData, MediaKind, MediaTime, Mid},
    net::{Protocol, Receive, Transmit},
};
use weir_media::{
    codec::annexb,
    live::tap::Track,
    unit::{Media, TrackKind, Unit},
};

use crate::{
    broadcast::tap::Tapped,
    webrtc::{
        offer::{Offer, Purpose},
        packet::{Packet, Source},
        peer::{Over, Peer},
        player::{self, Player},
        publisher::{self, Publisher},
    },
};

const SERVER: ([u8; 4], u16) = ([192, 0, 2, 1], 8189);
const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 2], 5000);
/// Longer than any handshake here takes.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What is common to a publisher and a player.
pub(super) trait Core {
    fn packet(&mut self, packet: &Packet);
    fn timeout(&mut self, now: Instant);
    fn next_timeout(&self) -> Instant;
    /// What is to be sent; all else is noted.
    fn settle(&mut self) -> Vec<Transmit>;
}

/// A core and what came out of it.
pub(super) struct Noted<C> {
    core: C,
    pub(super) media: Vec<Media>,
    pub(super) keyframes_wanted: u32,
    pub(super) over: Option<Over>,
}

impl<C> std::ops::Deref for Noted<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.core
    }
}

impl<C> std::ops::DerefMut for Noted<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.core
    }
}

impl Core for Noted<Publisher> {
    fn packet(&mut self, packet: &Packet) {
        self.core.handle_packet(packet);
    }

    fn timeout(&mut self, now: Instant) {
        self.core.handle_timeout(now);
    }

    fn next_timeout(&self) -> Instant {
        self.core.poll_timeout()
    }

    fn settle(&mut self) -> Vec<Transmit> {
        let mut transmits = Vec::new();
        while let Some(outcome) = self.core.poll() {
            match outcome {
                publisher::Outcome::Transmit(transmit) => transmits.push(transmit),
                publisher::Outcome::Connected => {}
                publisher::Outcome::Media(media) => self.media.push(media),
                publisher::Outcome::Over(over) => {
                    self.over = Some(over);
                    break;
                }
            }
        }
        transmits
    }
}

impl Core for Noted<Player> {
    fn packet(&mut self, packet: &Packet) {
        self.core.handle_packet(packet);
    }

    fn timeout(&mut self, now: Instant) {
        self.core.handle_timeout(now);
    }

    fn next_timeout(&self) -> Instant {
        self.core.poll_timeout()
    }

    fn settle(&mut self) -> Vec<Transmit> {
        let mut transmits = Vec::new();
        while let Some(outcome) = self.core.poll() {
            match outcome {
                player::Outcome::Transmit(transmit) => transmits.push(transmit),
                player::Outcome::WantKeyframe => self.keyframes_wanted += 1,
                player::Outcome::Over(over) => {
                    self.over = Some(over);
                    break;
                }
            }
        }
        transmits
    }
}

/// A client and the core that it is connected to.
pub(super) struct Client<C> {
    rtc: Rtc,
    wake: Instant,
    now: Instant,
    start: Instant,
    mids: Vec<(MediaKind, Mid)>,
    sounds: u64,
    keyframe_requested: bool,
    connected: bool,
    frames: Vec<MediaData>,
    pub(super) core: Noted<C>,
}

impl<C> Client<C>
where
    Noted<C>: Core,
{
    /// Offers media in one direction and waits until it can flow.
    pub(super) fn connect(
        media: &[MediaKind],
        direction: Direction,
        purpose: Purpose,
        make: impl FnOnce(Peer, Instant) -> C,
    ) -> Self {
        let now = Instant::now();
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_h264(true)
            .enable_opus(true, false)
            .build(now);
        let candidate = Candidate::host(SocketAddr::from(CLIENT), "udp").unwrap();
        rtc.add_local_candidate(candidate);
        let mut changes = rtc.sdp_api();
        let mids = media.iter().map(|kind| {
            let mid = changes.add_media(*kind, direction, None, None, None);
            (*kind, mid)
        });
        let mids = mids.collect();
        let (offer, pending) = changes.apply().unwrap();
        let offer = Offer::parse(&offer.to_sdp_string(), purpose).unwrap();
        let (peer, answer) = Peer::answer(&offer, &[SERVER.into()], now)
            .map_err(|error| error.to_string())
            .unwrap();
        let answer = SdpAnswer::from_sdp_string(&answer.sdp).unwrap();
        rtc.sdp_api().accept_answer(pending, answer).unwrap();
        let mut client = Self {
            rtc,
            wake: now,
            now,
            start: now,
            mids,
            sounds: 0,
            keyframe_requested: false,
            connected: false,
            frames: Vec::new(),
            core: Noted {
                core: make(peer, now),
                media: Vec::new(),
                keyframes_wanted: 0,
                over: None,
            },
        };
        while !client.connected {
            assert!(client.now < now + HANDSHAKE, "no connection");
            client.advance(Duration::from_millis(10), |_| false);
        }
        client
    }

    /// Lets time pass. `lost` says which of the client's packets don't arrive.
    pub(super) fn advance(&mut self, by: Duration, mut lost: impl FnMut(&[u8]) -> bool) {
        let end = self.now + by;
        loop {
            while self.exchange(&mut lost) {}
            let next = self.wake.min(self.core.next_timeout()).max(self.now);
            if next > end {
                break;
            }
            // So that what is due again and again comes to an end.
            self.now = next.max(self.now + Duration::from_micros(100));
            self.rtc.handle_input(Input::Timeout(self.now)).unwrap();
            self.core.timeout(self.now);
        }
        self.now = end;
    }

    /// Brings each side what the other one sent. Answers whether there was anything.
    fn exchange(&mut self, lost: &mut impl FnMut(&[u8]) -> bool) -> bool {
        let mut any = self.drain(lost);
        for transmit in self.core.settle() {
            any = true;
            let (server, client) = (SERVER.into(), CLIENT.into());
            let receive = Receive::new(Protocol::Udp, server, client, &transmit.contents);
            let input = Input::Receive(self.now, receive.unwrap());
            self.rtc.handle_input(input).unwrap();
            self.drain(lost);
        }
        any
    }

    /// Takes all that the client puts out. Answers whether it sent anything.
    fn drain(&mut self, lost: &mut impl FnMut(&[u8]) -> bool) -> bool {
        let mut any = false;
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(wake) => {
                    self.wake = wake;
                    return any;
                }
                Output::Transmit(transmit) => {
                    any = true;
                    if !lost(&transmit.contents) {
                        self.core.packet(&Packet {
                            source: Source {
                                protocol: Protocol::Udp,
                                address: CLIENT.into(),
                            },
                            contents: Bytes::copy_from_slice(&transmit.contents),
                            received: self.now,
                        });
                    }
                }
                Output::Event(event) => self.note(event),
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::KeyframeRequest(_) => self.keyframe_requested = true,
            Event::MediaData(data) => self.frames.push(data),
            _ => {}
        }
    }

    fn mid(&self, kind: MediaKind) -> Mid {
        let found = self.mids.iter().find(|(of, _)| *of == kind);
        found.unwrap().1
    }
}

impl Client<Publisher> {
    /// Whether a keyframe was asked for since the last call.
    pub(super) fn take_keyframe_request(&mut self) -> bool {
        std::mem::take(&mut self.keyframe_requested)
    }

    /// Sends a frame of now, or the next 20 ms of sound.
    pub(super) fn write(&mut self, kind: MediaKind, frame: &[u8]) {
        let mid = self.mid(kind);
        let time = match kind {
            MediaKind::Video => {
                let since = (self.now - self.start).as_micros() as u64;
                MediaTime::from_90khz(since * 9 / 100)
            }
            MediaKind::Audio => {
                self.sounds += 1;
                MediaTime::new(self.sounds * 960, Frequency::FORTY_EIGHT_KHZ)
            }
        };
        let writer = self.rtc.writer(mid).unwrap();
        let pt = writer.payload_params().next().unwrap().pt();
        writer.write(pt, self.now, time, frame).unwrap();
        self.exchange(&mut |_| false);
    }

    /// The pictures that came.
    pub(super) fn pictures(&self) -> Vec<&Unit> {
        let units = self.core.media.iter().filter_map(|media| match media {
            Media::Unit(unit) if unit.kind == TrackKind::Video => Some(unit),
            _ => None,
        });
        units.collect()
    }
}

impl Client<Player> {
    /// Something came of a rendition.
    pub(super) fn play(&mut self, tapped: &Tapped, tracks: &[Track]) {
        let now = self.now;
        self.core.handle_media(now, tapped, || tracks.to_vec());
        self.exchange(&mut |_| false);
    }

    /// The numbers of the pictures that came, by their times.
    pub(super) fn shown(&self) -> Vec<u32> {
        let number = |data: &MediaData| {
            let first = annexb::nal_units(&data.data).last();
            assert!(
                first.is_some_and(|nal| nal.len() > 1000),
                "a picture is whole"
            );
            (data.time.numer() / 3600) as u32
        };
        self.frames.iter().map(number).collect()
    }
}
