//! Encoders of a few lines against a real listener.

use std::{collections::HashMap, net::SocketAddr, sync::Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_ingest::{
    amf0::{self, Value},
    rtmp::{
        chunk::{Reader, Writer},
        message::kind,
    },
};
use weir_media::unit::{TrackConfig, TrackKind};

use super::*;

const AAC_HEADER: &[u8] = b"\xaf\0\x12\x10";
const AAC_FRAME: &[u8] = b"\xaf\x01\x21\x10";
const WITHIN: Duration = Duration::from_secs(10);

/// Takes two keys, and shows what comes for each video.
struct House {
    keys: HashMap<&'static str, VideoId>,
    publications: Mutex<mpsc::Sender<(VideoId, mpsc::Receiver<FromEncoder>)>>,
}

impl Publishers for House {
    fn authorize<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<VideoId, Refusal>> {
        let video = self
            .keys
            .get(key.expose())
            .copied()
            .ok_or(Refusal::UnknownKey);
        Box::pin(async move { video })
    }

    fn publish(
        &self,
        video: VideoId,
        _: Lane,
    ) -> BoxFuture<'_, Result<mpsc::Sender<FromEncoder>, Refusal>> {
        let publications = self.publications.lock().unwrap().clone();
        Box::pin(async move {
            let (media, receiver) = mpsc::channel(4);
            publications
                .send((video, receiver))
                .await
                .map_err(|_| Refusal::Unavailable)?;
            Ok(media)
        })
    }
}

struct Listener {
    address: SocketAddr,
    publications: mpsc::Receiver<(VideoId, mpsc::Receiver<FromEncoder>)>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn video(name: &str) -> VideoId {
    name.parse().unwrap()
}

impl Listener {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, publications) = mpsc::channel(4);
        let keys = [
            ("first", video("oaaaaaaaaaaa")),
            ("second", video("obbbbbbbbbbb")),
        ]
        .into();
        let house = Arc::new(House {
            keys,
            publications: Mutex::new(sender),
        });
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(
            listener,
            None,
            house,
            Arc::default(),
            shutdown.clone(),
        ));
        Self {
            address,
            publications,
            shutdown,
            task,
        }
    }

    async fn publication(&mut self) -> (VideoId, mpsc::Receiver<FromEncoder>) {
        within(self.publications.recv()).await.unwrap()
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(WITHIN, future)
        .await
        .expect("it did not happen in time")
}

struct Encoder {
    stream: TcpStream,
    writer: Writer,
    reader: Reader,
    unread: Vec<u8>,
}

impl Encoder {
    /// Connects and asks to publish.
    async fn publish(address: SocketAddr, key: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut hello = vec![3];
        hello.resize(1 + 1536, 0);
        stream.write_all(&hello).await.unwrap();
        stream.read_exact(&mut vec![0; 1 + 2 * 1536]).await.unwrap();
        stream.write_all(&hello[1..]).await.unwrap();
        let reader = Reader::new(64 * 1024);
        let mut encoder = Self {
            stream,
            writer: Writer::default(),
            reader,
            unread: Vec::new(),
        };
        let app = Value::object([("app", APP.into())]);
        encoder.command(&["connect".into(), 1.0.into(), app]).await;
        encoder
            .command(&["createStream".into(), 2.0.into(), Value::Null])
            .await;
        let publish = [
            "publish".into(),
            3.0.into(),
            Value::Null,
            key.into(),
            "live".into(),
        ];
        encoder.command(&publish).await;
        encoder
    }

    async fn command(&mut self, values: &[Value]) {
        self.send(kind::COMMAND_AMF0, &amf0::write(values)).await;
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) {
        let mut out = Vec::new();
        self.writer.write(&mut out, 3, kind, 1, payload);
        self.stream.write_all(&out).await.unwrap();
    }

    /// The code of the next onStatus; `None` when the connection is closed first.
    async fn status(&mut self) -> Option<String> {
        within(async {
            loop {
                let mut input = &self.unread[..];
                let message = self.reader.read(&mut input).unwrap();
                self.unread = input.to_vec();
                match message {
                    Some(message) if message.kind == kind::COMMAND_AMF0 => {
                        let values = amf0::read(&message.payload).unwrap();
                        if values[0].as_str() == Some("onStatus") {
                            return values[3].get("code")?.as_str().map(str::to_owned);
                        }
                    }
                    Some(_) => {}
                    None => {
                        let mut buffer = [0; 4096];
                        match self.stream.read(&mut buffer).await {
                            Ok(0) | Err(_) => return None,
                            Ok(len) => self.unread.extend_from_slice(&buffer[..len]),
                        }
                    }
                }
            }
        })
        .await
    }

    async fn closed(&mut self) {
        assert_eq!(self.status().await, None, "the connection should close");
    }
}

#[tokio::test]
async fn an_encoder_publishes_and_stops() {
    let mut listener = Listener::start().await;
    let mut encoder = Encoder::publish(listener.address, "first").await;
    assert_eq!(
        encoder.status().await.as_deref(),
        Some("NetStream.Publish.Start")
    );
    let (id, mut media) = listener.publication().await;
    assert_eq!(id, video("oaaaaaaaaaaa"));
    encoder.send(kind::AUDIO, AAC_FRAME).await;
    encoder.send(kind::AUDIO, AAC_HEADER).await;
    encoder.send(kind::AUDIO, AAC_FRAME).await;
    let config = within(media.recv()).await.unwrap();
    let mut items = vec![config];
    while items.len() < 3 {
        items.push(within(media.recv()).await.unwrap());
    }
    items.retain(|item| match item {
        FromEncoder::Repaired(repairs) => {
            assert_eq!(repairs.before_config, 1);
            false
        }
        _ => true,
    });
    assert!(matches!(
        &items[0],
        FromEncoder::Media(Media::Config(TrackConfig::Aac(_)))
    ));
    assert!(
        matches!(&items[1], FromEncoder::Media(Media::Unit(unit)) if unit.kind == TrackKind::Audio)
    );
    encoder
        .command(&[
            "FCUnpublish".into(),
            4.0.into(),
            Value::Null,
            "first".into(),
        ])
        .await;
    assert_eq!(
        within(media.recv()).await,
        Some(FromEncoder::Ended(End::Unpublished))
    );
    assert_eq!(within(media.recv()).await, None);
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let listener = Listener::start().await;
    let mut encoder = Encoder::publish(listener.address, "guess").await;
    assert_eq!(
        encoder.status().await.as_deref(),
        Some("NetStream.Publish.Denied")
    );
    encoder.closed().await;
}

#[tokio::test]
async fn a_second_encoder_is_refused_while_the_first_lives() {
    let mut listener = Listener::start().await;
    let mut first = Encoder::publish(listener.address, "first").await;
    assert_eq!(
        first.status().await.as_deref(),
        Some("NetStream.Publish.Start")
    );
    let (_, mut media) = listener.publication().await;
    let mut second = Encoder::publish(listener.address, "first").await;
    let refused = second.status();
    tokio::pin!(refused);
    // The first shows that it lives for as long as it takes.
    first.send(kind::AUDIO, AAC_HEADER).await;
    let code = within(async {
        loop {
            tokio::select! {
                code = &mut refused => return code,
                item = media.recv() => assert!(matches!(item, Some(FromEncoder::Media(_) | FromEncoder::Repaired(_)))),
                () = tokio::time::sleep(Duration::from_millis(20)) => first.send(kind::AUDIO, AAC_FRAME).await,
            }
        }
    })
    .await;
    assert_eq!(code.as_deref(), Some("NetStream.Publish.BadName"));
}

#[tokio::test]
async fn a_second_encoder_takes_over_from_a_dead_one() {
    let mut listener = Listener::start().await;
    let mut first = Encoder::publish(listener.address, "first").await;
    assert_eq!(
        first.status().await.as_deref(),
        Some("NetStream.Publish.Start")
    );
    let (_, mut media) = listener.publication().await;
    let mut second = Encoder::publish(listener.address, "first").await;
    assert_eq!(
        within(media.recv()).await,
        Some(FromEncoder::Ended(End::Refused(Refusal::Replaced)))
    );
    assert_eq!(within(media.recv()).await, None);
    assert_eq!(
        second.status().await.as_deref(),
        Some("NetStream.Publish.Start")
    );
    listener.publication().await;
    assert_eq!(
        first.status().await.as_deref(),
        Some("NetStream.Publish.Denied")
    );
}

#[tokio::test]
async fn garbage_closes_its_connection_and_no_other() {
    let mut listener = Listener::start().await;
    let mut good = Encoder::publish(listener.address, "first").await;
    assert_eq!(
        good.status().await.as_deref(),
        Some("NetStream.Publish.Start")
    );
    let (_, mut media) = listener.publication().await;
    let mut broken = Encoder::publish(listener.address, "second").await;
    assert_eq!(
        broken.status().await.as_deref(),
        Some("NetStream.Publish.Start")
    );
    let (_, mut broken_media) = listener.publication().await;

    broken.stream.write_all(&[0xff; 1000]).await.unwrap();
    let ended = within(broken_media.recv()).await;
    assert!(
        matches!(ended, Some(FromEncoder::Ended(End::Failed(_)))),
        "{ended:?}"
    );
    broken.closed().await;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0x16, 3, 1, 2],
        &[0xff; 4000],
    ] {
        let mut stream = TcpStream::connect(listener.address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let mut rest = Vec::new();
        // A reset is as good as an orderly end.
        let _ = within(stream.read_to_end(&mut rest)).await;
        assert!(rest.is_empty());
    }

    good.send(kind::AUDIO, AAC_HEADER).await;
    assert!(matches!(
        within(media.recv()).await,
        Some(FromEncoder::Media(_))
    ));
}

#[tokio::test]
async fn an_encoder_is_told_when_its_video_ends() {
    let mut listener = Listener::start().await;
    let mut encoder = Encoder::publish(listener.address, "first").await;
    assert_eq!(
        encoder.status().await.as_deref(),
        Some("NetStream.Publish.Start")
    );
    drop(listener.publication().await);
    assert_eq!(
        encoder.status().await.as_deref(),
        Some("NetStream.Publish.Denied")
    );
    encoder.closed().await;
}

#[tokio::test]
async fn shutting_down_ends_all_connections() {
    let mut listener = Listener::start().await;
    let mut encoder = Encoder::publish(listener.address, "first").await;
    assert_eq!(
        encoder.status().await.as_deref(),
        Some("NetStream.Publish.Start")
    );
    let (_, mut media) = listener.publication().await;
    listener.shutdown.cancel();
    let ended = FromEncoder::Ended(End::Refused(Refusal::Unavailable));
    assert_eq!(within(media.recv()).await, Some(ended));
    within(listener.task).await.unwrap();
}

#[test]
fn addresses_are_redacted() {
    let check = |address: &str, expected| assert_eq!(redacted(address.parse().unwrap()), expected);
    check("203.0.113.77", "203.0.113.0/24");
    check("::ffff:203.0.113.77", "203.0.113.0/24");
    check("2001:db8:1:2::3", "2001:db8:1::/48");
}
