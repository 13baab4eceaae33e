//! As much of fMP4 as the player reads.

pub(crate) const TIMESCALE: u32 = 1000;

fn boxed(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32 + 8).to_be_bytes()[..], kind, payload].concat()
}

/// The initialisation segment of a track with this coding.
pub(crate) fn init(coding: &str) -> Vec<u8> {
    let mdhd = boxed(
        b"mdhd",
        &[&[0; 12][..], &TIMESCALE.to_be_bytes(), &[0; 8]].concat(),
    );
    let config = match coding {
        "avc1" => boxed(b"avcC", &[1, 0x64, 0, 0x1f]),
        "vp09" => boxed(b"vpcC", &[1, 0, 0, 0, 0, 31, 0x80, 1, 1, 0, 0, 0]),
        _ => Vec::new(),
    };
    let kind: [u8; 4] = coding.as_bytes().try_into().unwrap();
    let entry = boxed(&kind, &[&[0; 78][..], &config].concat());
    let stsd = boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &entry].concat());
    let minf = boxed(b"minf", &boxed(b"stbl", &stsd));
    let trak = boxed(b"trak", &boxed(b"mdia", &[mdhd, minf].concat()));
    boxed(b"moov", &trak)
}

/// The head of a chunk.
pub(crate) fn chunk(decode_time: u64) -> Vec<u8> {
    let tfdt = [&[1, 0, 0, 0][..], &decode_time.to_be_bytes()].concat();
    boxed(b"moof", &boxed(b"traf", &boxed(b"tfdt", &tfdt)))
}
