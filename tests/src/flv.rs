//! FLV files as lists of tags: what an encoder sends over RTMP, to be changed before it is sent.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

/// One audio or video tag, as an RTMP message carries it.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Whether the tag is video; otherwise audio.
    pub video: bool,
    /// Milliseconds since the start of the file.
    pub time_ms: u32,
    /// The tag's body.
    pub body: Bytes,
}

impl Tag {
    /// Whether it configures a decoder (AVC or AAC sequence header).
    pub fn is_sequence_header(&self) -> bool {
        self.body.get(1) == Some(&0)
    }
}

const HEADER_LEN: usize = 9;
const TAG_HEADER_LEN: usize = 11;
const PREVIOUS_TAG_SIZE_LEN: usize = 4;

/// The audio and video tags of a file, in order (Adobe FLV specification 10.1, annex E.4).
///
/// # Errors
/// If it is no FLV file, is cut short or holds neither audio nor video.
pub fn read(file: Bytes) -> Result<Vec<Tag>> {
    ensure!(
        file.starts_with(b"FLV") && file.len() >= HEADER_LEN,
        "not an FLV file"
    );
    let mut rest = file.slice(HEADER_LEN + PREVIOUS_TAG_SIZE_LEN..);
    let mut tags = Vec::new();
    while rest.len() >= TAG_HEADER_LEN {
        let header = rest.split_to(TAG_HEADER_LEN);
        let size = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        let time_ms = u32::from_be_bytes([header[7], header[4], header[5], header[6]]);
        ensure!(rest.len() >= size, "a tag of {size} bytes is cut short");
        let body = rest.split_to(size);
        if let 8 | 9 = header[0] {
            tags.push(Tag {
                video: header[0] == 9,
                time_ms,
                body,
            });
        }
        rest = rest.slice(PREVIOUS_TAG_SIZE_LEN.min(rest.len())..);
    }
    tags.last()
        .context("the FLV file holds no audio or video")?;
    Ok(tags)
}
