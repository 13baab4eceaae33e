//! What the server says: acknowledgements and answers to commands.

use bytes::Bytes;

use super::{capabilities, chunk::Writer, message::kind};
use crate::amf0::{self, Value};

/// The message stream that createStream yields.
const STREAM_ID: f64 = 1.0;
const CHUNK_SIZE: u32 = 4096;
/// Bytes after which the other side is asked to acknowledge, and after which it is told unless it
/// asks for something else.
const WINDOW: u32 = 2_500_000;

const CONTROL_STREAM: u8 = 2;
const COMMAND_STREAM: u8 = 3;
const STATUS_STREAM: u8 = 5;

/// Events of User Control messages (RTMP 1.0, section 7.1.7).
mod user_control {
    pub(super) const STREAM_BEGIN: u16 = 0;
    pub(super) const PING_REQUEST: u16 = 6;
    pub(super) const PING_RESPONSE: u16 = 7;
}

/// Bytes to send, and the count of those received that are to be acknowledged.
#[derive(Debug)]
pub(super) struct Replies {
    out: Vec<u8>,
    writer: Writer,
    /// Modulo 2^32, as acknowledgements carry it.
    received: u32,
    acknowledged: u32,
    window: u32,
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            out: Vec::new(),
            writer: Writer::default(),
            received: 0,
            acknowledged: 0,
            window: WINDOW,
        }
    }
}

impl Replies {
    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.out).into()
    }

    /// For the handshake, which is not in chunks.
    pub(super) fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub(super) fn received(&mut self, len: usize) {
        self.received = self.received.wrapping_add(len as u32);
    }

    pub(super) fn set_window(&mut self, window: u32) {
        self.window = window.max(1);
    }

    /// Acknowledges, if a window of bytes came since the last time.
    pub(super) fn acknowledge(&mut self) {
        if self.received.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.received;
            self.control(kind::ACKNOWLEDGEMENT, &self.received.to_be_bytes());
        }
    }

    /// Answers a ping; other events don't concern a server.
    pub(super) fn user_control(&mut self, payload: &[u8]) {
        if let Some((event, data)) = payload.split_first_chunk()
            && u16::from_be_bytes(*event) == user_control::PING_REQUEST
            && let Some(time) = data.first_chunk()
        {
            self.event(user_control::PING_RESPONSE, u32::from_be_bytes(*time));
        }
    }

    /// Answers connect (section 7.2.1.1).
    pub(super) fn connected(&mut self, transaction: f64) {
        self.control(kind::WINDOW_ACKNOWLEDGEMENT_SIZE, &WINDOW.to_be_bytes());
        // Limit type 2, dynamic.
        let bandwidth = [&WINDOW.to_be_bytes()[..], &[2]].concat();
        self.control(kind::SET_PEER_BANDWIDTH, &bandwidth);
        self.writer.set_chunk_size(&mut self.out, CHUNK_SIZE);
        let [list, video, audio, caps] = capabilities::properties();
        self.command(
            COMMAND_STREAM,
            0,
            &[
                "_result".into(),
                transaction.into(),
                Value::object([
                    // What clients expect from a Flash Media Server.
                    ("fmsVer", "FMS/3,5,7,7009".into()),
                    ("capabilities", 31.0.into()),
                    list,
                    video,
                    audio,
                    caps,
                ]),
                info(
                    "status",
                    "NetConnection.Connect.Success",
                    "Connection succeeded.",
                ),
            ],
        );
    }

    pub(super) fn connection_refused(&mut self, transaction: f64, description: &str) {
        let info = info("error", "NetConnection.Connect.Rejected", description);
        let values = ["_error".into(), transaction.into(), Value::Null, info];
        self.command(COMMAND_STREAM, 0, &values);
    }

    /// Answers createStream. All streams of a connection share one id, as only one publishes.
    pub(super) fn stream_created(&mut self, transaction: f64) {
        let values = [
            "_result".into(),
            transaction.into(),
            Value::Null,
            STREAM_ID.into(),
        ];
        self.command(COMMAND_STREAM, 0, &values);
    }

    /// Answers a call that needs none but whose caller may wait.
    pub(super) fn done(&mut self, transaction: f64) {
        let values = [
            "_result".into(),
            transaction.into(),
            Value::Null,
            Value::Null,
        ];
        self.command(COMMAND_STREAM, 0, &values);
    }

    pub(super) fn publish_started(&mut self, stream_id: u32) {
        self.event(user_control::STREAM_BEGIN, stream_id);
        self.status(
            stream_id,
            "status",
            "NetStream.Publish.Start",
            "Publishing.",
        );
    }

    /// `onStatus` (section 7.2.2).
    pub(super) fn status(&mut self, stream_id: u32, level: &str, code: &str, description: &str) {
        let info = info(level, code, description);
        self.command(
            STATUS_STREAM,
            stream_id,
            &["onStatus".into(), 0.0.into(), Value::Null, info],
        );
    }

    fn command(&mut self, chunk_stream: u8, stream_id: u32, values: &[Value]) {
        let payload = amf0::write(values);
        self.writer.write(
            &mut self.out,
            chunk_stream,
            kind::COMMAND_AMF0,
            stream_id,
            &payload,
        );
    }

    fn control(&mut self, kind: u8, payload: &[u8]) {
        self.writer
            .write(&mut self.out, CONTROL_STREAM, kind, 0, payload);
    }

    fn event(&mut self, event: u16, value: u32) {
        let payload = [&event.to_be_bytes()[..], &value.to_be_bytes()].concat();
        self.control(kind::USER_CONTROL, &payload);
    }
}

fn info(level: &str, code: &str, description: &str) -> Value {
    Value::object([
        ("level", level.into()),
        ("code", code.into()),
        ("description", description.into()),
    ])
}
