//! Everything that can be asked for, with the plan that the edge's decision core makes of it. A plan
//! depends on the request alone, so that each is made once for all who ask alike.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use weir_edge_abi::{Action, Class, Config, Method, Request};
use weir_edge_worker::decide;
use weir_model::{MediaPath, Resource};
use weir_pop::shelf::Terms;

use super::{
    queue::Micros,
    stream::{self, Broadcast, PARTS, SEGMENT, Stream},
};

/// How a list is coded for a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    fn accepted(self) -> &'static str {
        match self {
            Self::Brotli => "gzip, deflate, br",
            Self::Gzip => "gzip",
        }
    }
}

/// What can be asked for of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A part, by its number through all segments.
    Part(u64),
    /// The delta update at the position of such a part.
    Position(u64, Coding),
    /// A whole segment.
    Segment(u64),
    /// The media playlist as it is.
    Playlist(Coding),
    /// The initialisation segment.
    Init,
    /// The multivariant playlist of the broadcast.
    Multivariant(Coding),
}

/// One thing that can be asked for.
pub(crate) struct Object {
    /// What it is kept under: its target and its encoding.
    pub(crate) key: Arc<str>,
    pub(crate) target: String,
    pub(crate) class: Class,
    pub(crate) terms: Terms,
    /// Whether the origin holds a request for it until it is there.
    pub(crate) held: bool,
    pub(crate) wait: Duration,
    /// When it comes to be.
    pub(crate) complete_at: Micros,
    /// Whether it never gets other bytes, so that nobody needs to ask for it again.
    pub(crate) once: bool,
    pub(crate) bytes: u32,
    /// How often the origin was asked for it by each shield, and at last by points of presence.
    pub(crate) asked: [Cell<u16>; MOST_SHIELDS + 1],
    /// How long after it was complete answers with it left, in microseconds, if it is held and the
    /// cores of machines are counted.
    pub(crate) late: RefCell<Vec<u32>>,
}

/// Most shields of a simulation.
pub(crate) const MOST_SHIELDS: usize = 8;

/// The objects of all broadcasts that somebody asked for lately.
pub(crate) struct Catalogue {
    config: Config,
    pub(crate) broadcasts: Vec<Broadcast>,
    objects: HashMap<u64, Rc<Object>, BuildHasherDefault<Mixed>>,
    /// Plans made so far.
    pub(crate) plans: u64,
}

impl Catalogue {
    pub(crate) fn new(broadcasts: Vec<Broadcast>) -> Self {
        Self {
            config: Config::default(),
            broadcasts,
            objects: HashMap::default(),
            plans: 0,
        }
    }

    pub(crate) fn broadcast(&self, stream: Stream) -> &Broadcast {
        &self.broadcasts[stream.broadcast() as usize]
    }

    /// What the edge makes of a request for this.
    pub(crate) fn object(&mut self, stream: Stream, what: What) -> Rc<Object> {
        let id = id(stream, what);
        if let Some(object) = self.objects.get(&id) {
            return object.clone();
        }
        self.plans += 1;
        let object = Rc::new(self.plan(stream, what));
        self.objects.insert(id, object.clone());
        object
    }

    /// Everything that was asked for and is not forgotten, in no order.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values().map(Rc::as_ref)
    }

    /// Forgets what nobody follows any more.
    pub(crate) fn forget_before(&mut self, at: Micros) {
        self.objects.retain(|_, object| {
            !object.once || object.complete_at == 0 || object.complete_at >= at
        });
    }

    fn plan(&self, stream: Stream, what: What) -> Object {
        let broadcast = self.broadcast(stream);
        let rendition = stream.rendition();
        let name = rendition.name.parse().expect("a name of a rendition");
        let epoch = Broadcast::EPOCH;
        let (resource, query, coding) = match what {
            What::Part(k) => {
                let (msn, part) = stream::position(k);
                let part = Resource::Part {
                    epoch,
                    rendition: name,
                    msn,
                    part,
                };
                (part, String::new(), Coding::Brotli)
            }
            What::Position(k, coding) => {
                let (msn, part) = stream::position(k);
                let query = format!("_HLS_msn={msn}&_HLS_part={}&_HLS_skip=YES", part.0);
                (Resource::Live { rendition: name }, query, coding)
            }
            What::Segment(msn) => {
                let msn = weir_model::Msn(msn);
                let segment = Resource::Segment {
                    epoch,
                    rendition: name,
                    msn,
                };
                (segment, String::new(), Coding::Brotli)
            }
            What::Playlist(coding) => (Resource::Live { rendition: name }, String::new(), coding),
            What::Init => {
                let init = Resource::Init {
                    epoch,
                    rendition: name,
                    n: 0,
                };
                (init, String::new(), Coding::Brotli)
            }
            What::Multivariant(coding) => (Resource::Multivariant, String::new(), coding),
        };
        let path = MediaPath {
            token: None,
            video: broadcast.video,
            resource,
        }
        .to_string();
        let request = Request {
            accept_encoding: coding.accepted(),
            ..Request::new(Method::Get, &path, &query)
        };
        let plan = decide(&self.config, &request);
        let Action::Serve(serve) = &plan.action else {
            panic!("{path} is not served: {plan:?}");
        };
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let media_bytes = |length: Micros| (u64::from(rendition.kbps) * length / 8000) as u32;
        let (complete_at, bytes) = match what {
            What::Part(k) => (broadcast.complete_at(k), media_bytes(SEGMENT / PARTS)),
            What::Position(k, _) => (broadcast.complete_at(k), 700),
            What::Segment(msn) => {
                let last = (msn + 1) * PARTS - 1;
                (broadcast.complete_at(last), media_bytes(SEGMENT))
            }
            What::Playlist(_) | What::Multivariant(_) => (0, 1500),
            What::Init => (0, 800),
        };
        Object {
            key: Arc::from(format!("{} {}", serve.encoding.as_str(), serve.target)),
            target: serve.target.clone().into_owned(),
            class: plan.class,
            terms: Terms {
                fresh: ms(serve.fresh_ms),
                stale: ms(serve.stale_ms),
                error: ms(serve.error_ms),
            },
            held: serve.held,
            wait: ms(serve.wait_ms),
            complete_at,
            once: !matches!(what, What::Playlist(_) | What::Multivariant(_)),
            bytes,
            asked: Default::default(),
            late: RefCell::default(),
        }
    }
}

/// A number that no other object has.
fn id(stream: Stream, what: What) -> u64 {
    let (kind, at) = match what {
        What::Part(k) => (0, k),
        What::Position(k, Coding::Brotli) => (1, k),
        What::Position(k, Coding::Gzip) => (2, k),
        What::Segment(msn) => (3, msn),
        What::Playlist(Coding::Brotli) => (4, 0),
        What::Playlist(Coding::Gzip) => (5, 0),
        What::Init => (6, 0),
        What::Multivariant(Coding::Brotli) => (7, 0),
        What::Multivariant(Coding::Gzip) => (8, 0),
    };
    u64::from(stream.0) << 36 | kind << 32 | at
}

/// Hashes numbers and keys the same in every run.
#[derive(Default)]
pub(crate) struct Mixed(u64);

impl Mixed {
    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 29;
    }
}

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.add(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
        let rest = words.remainder().iter();
        self.add(rest.fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
