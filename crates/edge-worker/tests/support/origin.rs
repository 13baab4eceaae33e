//! An origin that answers as a test wants, and keeps what it was asked.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::gate::Gate;

/// A request, as the origin got it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What the origin does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers it.
    Whole {
        status: u16,
        fields: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Announces more bytes than it sends and breaks off.
    Cut { announced: usize, body: Vec<u8> },
    /// Sends one chunk, waits, and ends with another, or breaks off.
    Chunked {
        first: Vec<u8>,
        gate: Gate,
        rest: Option<Vec<u8>>,
    },
    /// Closes the connection without a word.
    Silence,
}

impl Reply {
    pub fn text(body: impl Into<String>) -> Self {
        let fields = vec![("content-type", "text/plain".to_owned())];
        Self::Whole {
            status: 200,
            fields,
            body: body.into().into_bytes(),
        }
    }

    pub fn status(status: u16) -> Self {
        Self::Whole {
            status,
            fields: Vec::new(),
            body: Vec::new(),
        }
    }
}

type Answering = dyn Fn(&Asked) -> Reply + Send + Sync;

/// Listens until it is dropped; then its port is free.
pub struct Origin {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Origin {
    /// `answer` runs on a thread per connection and may block.
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stopped) = (
            Arc::<Mutex<Vec<_>>>::default(),
            Arc::new(AtomicBool::new(false)),
        );
        let answer: Arc<Answering> = Arc::new(answer);
        let (log, stop) = (asked.clone(), stopped.clone());
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (answer, log) = (answer.clone(), log.clone());
                thread::spawn(move || serve(stream.unwrap(), &*answer, &log));
            }
        });
        Self {
            address,
            asked,
            stopped,
            accepting: Some(accepting),
        }
    }

    /// Answers everything with the target that was asked for.
    pub fn echo() -> Self {
        Self::start(|asked| Reply::text(asked.target.clone()))
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn asked_for(&self, target: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| asked.target == target)
            .count()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Waits until `condition` holds; fails if it does not within ten seconds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn serve(stream: TcpStream, answer: &Answering, log: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(asked) = read(&mut reader) {
        log.lock().unwrap().push(asked.clone());
        let (announced, status, fields, body) = match answer(&asked) {
            Reply::Whole {
                status,
                fields,
                body,
            } => (body.len(), status, fields, body),
            Reply::Cut { announced, body } => (announced, 200, Vec::new(), body),
            Reply::Chunked { first, gate, rest } => {
                if chunked(&mut writer, &first, &gate, rest).is_none() {
                    return;
                }
                continue;
            }
            Reply::Silence => return,
        };
        let mut message = format!("HTTP/1.1 {status} Answer\r\ncontent-length: {announced}\r\n");
        for (name, value) in fields {
            message += &format!("{name}: {value}\r\n");
        }
        message += "\r\n";
        let mut message = message.into_bytes();
        message.extend_from_slice(&body);
        if writer.write_all(&message).is_err() || announced != body.len() {
            return;
        }
    }
}

/// `None` if the connection is over.
fn chunked(
    writer: &mut impl Write,
    first: &[u8],
    gate: &Gate,
    rest: Option<Vec<u8>>,
) -> Option<()> {
    let mut send = |bytes: &[u8]| writer.write_all(bytes).ok();
    send(b"HTTP/1.1 200 Answer\r\ntransfer-encoding: chunked\r\n\r\n")?;
    send(&chunk(first))?;
    gate.pass();
    send(&chunk(&rest?))?;
    send(b"0\r\n\r\n")
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut fields = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked {
        method,
        target,
        fields,
        body: Vec::new(),
    };
    let len = asked
        .field("content-length")
        .and_then(|len| len.parse().ok())
        .unwrap_or(0);
    asked.body = vec![0; len];
    reader.read_exact(&mut asked.body).ok()?;
    Some(asked)
}
