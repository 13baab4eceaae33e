//! What the server takes of Enhanced RTMP v2, as its answer to `connect` says ("Enhancing
//! NetConnection connect Command"). An encoder that asks nothing of the kind ignores it.

use crate::amf0::Value;

const VIDEO: [&str; 4] = ["avc1", "hvc1", "av01", "vp09"];
const AUDIO: [&str; 2] = ["mp4a", "Opus"];

/// FourCcInfoMask: every codec is handed on as it is, and video is decoded for the rungs below it.
mod four_cc_info {
    pub(super) const CAN_DECODE: u32 = 0x1;
    pub(super) const CAN_FORWARD: u32 = 0x4;
}

/// CapsExMask, without reconnect requests, which are not made.
mod caps_ex {
    pub(super) const MULTITRACK: u32 = 0x2;
    pub(super) const MOD_EX: u32 = 0x4;
    pub(super) const TIMESTAMP_NANO_OFFSET: u32 = 0x8;
}

/// The properties, as `connect` itself has them.
pub(super) fn properties() -> [(&'static str, Value); 4] {
    let names = VIDEO.into_iter().chain(AUDIO);
    let info = |codecs: &[&str], mask: u32| {
        let flags = |codec: &&str| ((*codec).to_owned(), f64::from(mask).into());
        Value::Object(codecs.iter().map(flags).collect())
    };
    let video = four_cc_info::CAN_DECODE | four_cc_info::CAN_FORWARD;
    let caps = caps_ex::MULTITRACK | caps_ex::MOD_EX | caps_ex::TIMESTAMP_NANO_OFFSET;
    [
        ("fourCcList", Value::Array(names.map(Value::from).collect())),
        ("videoFourCcInfoMap", info(&VIDEO, video)),
        (
            "audioFourCcInfoMap",
            info(&AUDIO, four_cc_info::CAN_FORWARD),
        ),
        ("capsEx", f64::from(caps).into()),
    ]
}
