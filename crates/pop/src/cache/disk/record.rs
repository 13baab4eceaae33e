//! An answer as bytes.
//!
//! ```text
//!  0  magic     8 bytes, with the version of the format
//!  8  key_len   u16    16  body_len   u32    24  fetched_ms  u64, since 1970
//! 10  status    u16    20  reserved   u32    32  fresh_ms    u64, counted from fetched_ms
//! 12  head_len  u32                          40  stale_ms    u64, counted from then on
//! 48  body_crc  u64, of the body
//! 56  head_crc  u64, of all before it, the key and the head
//! 64  key, head, body
//! ```
//!
//! Numbers are little-endian, checksums CRC-64/XZ. The head has two groups of `name: value` lines,
//! the plan's fields and the origin's, with an empty line after each group.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use crc::{CRC_64_XZ, Crc, Table};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{
    cache::{Head, Hit, Stored, Templates},
    shelf::Life,
};

const MAGIC: &[u8; 8] = b"weirpop1";
/// Length of what comes before the key.
pub(super) const PREFIX_BYTES: usize = 64;
/// Longest key and head. A prefix that says more is none.
const MAX_NAMES_BYTES: usize = 256 << 10;

const CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);

/// What stands before the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    key_len: u16,
    status: u16,
    head_len: u32,
    body_len: u32,
    fetched_ms: u64,
    fresh_ms: u64,
    stale_ms: u64,
    body_crc: u64,
    head_crc: u64,
}

impl Prefix {
    pub(super) fn parse(bytes: &[u8; PREFIX_BYTES]) -> Option<Self> {
        let u16_at = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let prefix = Self {
            key_len: u16_at(8)?,
            status: u16_at(10)?,
            head_len: u32_at(12)?,
            body_len: u32_at(16)?,
            fetched_ms: u64_at(24)?,
            fresh_ms: u64_at(32)?,
            stale_ms: u64_at(40)?,
            body_crc: u64_at(48)?,
            head_crc: u64_at(56)?,
        };
        (bytes.starts_with(MAGIC) && prefix.names_len() <= MAX_NAMES_BYTES).then_some(prefix)
    }

    /// Length of key and head.
    pub(super) fn names_len(&self) -> usize {
        usize::from(self.key_len) + self.head_len as usize
    }

    pub(super) fn body_len(&self) -> usize {
        self.body_len as usize
    }

    pub(super) fn record_len(&self) -> usize {
        PREFIX_BYTES + self.names_len() + self.body_len()
    }

    /// The key, if prefix, key and head are as they were written.
    pub(super) fn check<'n>(
        &self,
        prefix: &[u8; PREFIX_BYTES],
        names: &'n [u8],
    ) -> Option<&'n str> {
        let whole = self.head_crc == head_crc(prefix, names);
        let key = names.get(..usize::from(self.key_len))?;
        whole.then(|| std::str::from_utf8(key).ok()).flatten()
    }

    /// How long ago the origin gave the answer, at `wall`.
    fn age(&self, wall: SystemTime) -> Duration {
        since_1970(wall).saturating_sub(Duration::from_millis(self.fetched_ms))
    }

    /// Whether the answer is of no use any more, at `wall`.
    pub(super) fn is_spent(&self, wall: SystemTime) -> bool {
        self.age(wall) >= Duration::from_millis(self.fresh_ms.saturating_add(self.stale_ms))
    }
}

/// Writes a record into `out`. `false` if the answer is too long for one.
pub(super) fn encode(
    key: &str,
    stored: &Stored,
    life: &Life,
    (now, wall): (Instant, SystemTime),
    out: &mut Vec<u8>,
) -> bool {
    out.clear();
    out.resize(PREFIX_BYTES, 0);
    out.extend_from_slice(key.as_bytes());
    let planned = stored.head.planned().iter();
    let own = stored.head.own().iter().map(|(name, value)| (name, value));
    push_fields(out, planned);
    push_fields(out, own);
    let names_len = out.len() - PREFIX_BYTES;
    let (Ok(key_len), Ok(body_len)) = (u16::try_from(key.len()), u32::try_from(stored.body.len()))
    else {
        return false;
    };
    if names_len > MAX_NAMES_BYTES {
        return false;
    }
    let head_len = (names_len - key.len()) as u32;
    let age = life.age(now);
    let fetched = since_1970(wall).saturating_sub(age);
    let fresh = age + life.ttl(now);
    let stale = (age + life.use_left(now)).saturating_sub(fresh);

    out[..8].copy_from_slice(MAGIC);
    out[8..10].copy_from_slice(&key_len.to_le_bytes());
    out[10..12].copy_from_slice(&stored.status.as_u16().to_le_bytes());
    out[12..16].copy_from_slice(&head_len.to_le_bytes());
    out[16..20].copy_from_slice(&body_len.to_le_bytes());
    for (at, number) in [
        (24, ms(fetched)),
        (32, ms(fresh)),
        (40, ms(stale)),
        (48, CRC.checksum(&stored.body)),
    ] {
        out[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    let head_crc = {
        let (prefix, names) = out.split_at(PREFIX_BYTES);
        prefix.first_chunk().map(|prefix| head_crc(prefix, names))
    };
    out[56..64].copy_from_slice(&head_crc.unwrap_or_default().to_le_bytes());
    out.extend_from_slice(&stored.body);
    true
}

/// Reads a whole record. `None` if it is not as it was written, or not of `key`.
pub(super) fn decode(
    key: &str,
    record: Bytes,
    templates: &Templates,
    (now, wall): (Instant, SystemTime),
) -> Option<Hit> {
    let bytes: &[u8; PREFIX_BYTES] = record.first_chunk()?;
    let prefix = Prefix::parse(bytes)?;
    if record.len() != prefix.record_len() {
        return None;
    }
    let names_end = PREFIX_BYTES + prefix.names_len();
    let (names, body) = (&record[PREFIX_BYTES..names_end], record.slice(names_end..));
    if prefix.check(bytes, names)? != key || CRC.checksum(&body) != prefix.body_crc {
        return None;
    }
    let (planned, rest) = read_fields(&names[usize::from(prefix.key_len)..])?;
    let (own, _) = read_fields(rest)?;
    let stored = Stored {
        status: StatusCode::from_u16(prefix.status).ok()?,
        head: Head::new(templates.intern(planned), &own),
        body: body.into(),
    };
    let life = Life::restored(
        Duration::from_millis(prefix.fresh_ms),
        Duration::from_millis(prefix.stale_ms),
        prefix.age(wall),
        now,
    );
    Some(Hit {
        stored: Arc::new(stored),
        life,
    })
}

fn head_crc(prefix: &[u8; PREFIX_BYTES], names: &[u8]) -> u64 {
    let mut digest = CRC.digest();
    digest.update(&prefix[..56]);
    digest.update(names);
    digest.finalize()
}

fn push_fields<'h>(
    out: &mut Vec<u8>,
    fields: impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)>,
) {
    for (name, value) in fields {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// One group of fields, and what comes after it.
fn read_fields(mut bytes: &[u8]) -> Option<(HeaderMap, &[u8])> {
    let mut fields = HeaderMap::new();
    loop {
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        bytes = rest;
        if line.is_empty() {
            return Some((fields, bytes));
        }
        let colon = line.iter().position(|&byte| byte == b':')?;
        fields.append(
            HeaderName::from_bytes(&line[..colon]).ok()?,
            HeaderValue::from_bytes(line.get(colon + 2..)?).ok()?,
        );
    }
}

fn since_1970(wall: SystemTime) -> Duration {
    wall.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use http::header::{CACHE_CONTROL, ETAG};
    use proptest::prelude::*;

    use super::*;
    use crate::shelf::{State, Terms};

    const KEY: &str = "/v/oabcdefghijk/1/480p/7.m4s";

    fn hit(now: Instant) -> Hit {
        let planned = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("public"))]);
        let own = HeaderMap::from_iter([
            (ETAG, HeaderValue::from_static("\"a: b\"")),
            (
                HeaderName::from_static("link"),
                HeaderValue::from_bytes(b"\xe4").unwrap(),
            ),
        ]);
        let terms = Terms {
            fresh: Duration::from_secs(10),
            stale: Duration::from_secs(20),
            error: Duration::ZERO,
        };
        Hit {
            stored: Arc::new(Stored {
                status: StatusCode::OK,
                head: Head::new(Arc::new(planned.into()), &own),
                body: Bytes::from_static(b"0123456789").into(),
            }),
            life: Life::of_answer(&terms, now),
        }
    }

    fn record(now: Instant, wall: SystemTime) -> Vec<u8> {
        let (hit, mut out) = (hit(now), Vec::new());
        assert!(encode(KEY, &hit.stored, &hit.life, (now, wall), &mut out));
        out
    }

    #[test]
    fn an_answer_comes_back_with_its_age() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let templates = Templates::default();
        let later = Duration::from_secs(15);
        let clocks = (now + later, wall + later);
        let read = decode(KEY, record(now, wall).into(), &templates, clocks).unwrap();
        let written = hit(now);
        assert_eq!(read.stored.status, written.stored.status);
        assert_eq!(read.stored.head.to_map(), written.stored.head.to_map());
        assert_eq!(*read.stored.body, *written.stored.body);
        assert_eq!(read.life.state(now + later), State::Stale);
        let age = read.life.age(now + later);
        assert!(age.abs_diff(later) < Duration::from_millis(2), "{age:?}");
        let record: Bytes = record(now, wall).into();
        assert!(decode("/another", record, &templates, clocks).is_none());
    }

    #[test]
    fn the_prefix_tells_what_is_spent() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let record = record(now, wall);
        let prefix = Prefix::parse(record.first_chunk().unwrap()).unwrap();
        assert_eq!(prefix.record_len(), record.len());
        assert!(!prefix.is_spent(wall + Duration::from_secs(29)));
        assert!(prefix.is_spent(wall + Duration::from_secs(31)));
    }

    proptest! {
        #[test]
        fn no_damage_goes_unnoticed(at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<bool>()) {
            let clocks = (Instant::now(), SystemTime::now());
            let mut record = record(clocks.0, clocks.1);
            let at = at.index(record.len());
            // The reserved bytes alone mean nothing, and are summed all the same.
            match cut {
                true => record.truncate(at),
                false => record[at] ^= 1 << bit,
            }
            prop_assert!(decode(KEY, record.into(), &Templates::default(), clocks).is_none());
        }

        #[test]
        fn anything_may_be_on_the_disk(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let clocks = (Instant::now(), SystemTime::now());
            let mut bytes = bytes;
            decode(KEY, bytes.clone().into(), &Templates::default(), clocks);
            if bytes.len() >= 8 {
                bytes[..8].copy_from_slice(MAGIC);
            }
            prop_assert!(decode(KEY, bytes.into(), &Templates::default(), clocks).is_none());
        }
    }
}
