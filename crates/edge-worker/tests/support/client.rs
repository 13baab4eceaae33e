//! A plain HTTP/1.1 client: one connection per call, so that calls can be started, left waiting
//! and broken off at will.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longest that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A request.
pub struct Call<'a> {
    method: &'a str,
    target: &'a str,
    fields: Vec<(&'a str, String)>,
    body: &'a [u8],
}

/// A request under way.
pub struct Pending {
    stream: TcpStream,
    head_only: bool,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

pub fn get(address: SocketAddr, target: &str) -> Answer {
    Call::new("GET", target).send(address)
}

impl<'a> Call<'a> {
    pub fn new(method: &'a str, target: &'a str) -> Self {
        Self {
            method,
            target,
            fields: Vec::new(),
            body: &[],
        }
    }

    pub fn field(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub fn body(self, body: &'a [u8]) -> Self {
        Self { body, ..self }
    }

    pub fn start(&self, address: SocketAddr) -> Pending {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut message = format!(
            "{} {} HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n",
            self.method, self.target
        );
        for (name, value) in &self.fields {
            message += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() {
            message += &format!("content-length: {}\r\n", self.body.len());
        }
        message += "\r\n";
        let mut message = message.into_bytes();
        message.extend_from_slice(self.body);
        stream.write_all(&message).unwrap();
        Pending {
            stream,
            head_only: self.method == "HEAD",
        }
    }

    pub fn send(&self, address: SocketAddr) -> Answer {
        self.start(address).finish()
    }
}

impl Pending {
    /// What has come when `mark` has: the head, and the body as it is framed.
    pub fn read_until(&mut self, mark: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        let mut chunk = [0; 1024];
        while !message.windows(mark.len()).any(|window| window == mark) {
            let read = self.stream.read(&mut chunk).unwrap();
            assert_ne!(
                read,
                0,
                "it ends before {:?}",
                String::from_utf8_lossy(mark)
            );
            message.extend_from_slice(&chunk[..read]);
        }
        message
    }

    /// What comes after that.
    pub fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest
    }

    pub fn finish(mut self) -> Answer {
        let mut message = Vec::new();
        // The server may reset a connection whose request it did not read to the end.
        let read = self.stream.read_to_end(&mut message);
        let Some(end) = message.windows(4).position(|window| window == b"\r\n\r\n") else {
            panic!(
                "no answer: {read:?}, {:?}",
                String::from_utf8_lossy(&message)
            );
        };
        let head = String::from_utf8(message[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let fields: Vec<_> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut answer = Answer {
            status,
            fields,
            body: message[end + 4..].to_vec(),
        };
        if answer.field("transfer-encoding") == Some("chunked") {
            answer.body = dechunk(&answer.body);
        }
        let announced = answer
            .field("content-length")
            .map(|len| len.parse::<usize>().unwrap());
        if let Some(len) = announced.filter(|_| !self.head_only && status != 304) {
            assert_eq!(answer.body.len(), len, "the body is whole");
        }
        answer
    }
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .expect("a chunk's length");
        let len = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if len == 0 {
            return whole;
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + len]);
        rest = &rest[end + 2 + len + 2..];
    }
}
