//! The exports of the module, as [`weir_edge_abi`] documents them. The only module that needs
//! leave to use `unsafe`, for the names of the exports.
#![allow(unsafe_code)]

use std::sync::Mutex;

use weir_edge_abi::{ABI_VERSION, BodyCheck, Config, MIN_BUFFER, Overflow, Request};

/// What the host reads and writes, and where an answer is put together while the message that it
/// borrows from still stands in the other.
struct Buffers {
    shared: [u8; MIN_BUFFER],
    scratch: [u8; MIN_BUFFER],
}

static BUFFERS: Mutex<Buffers> = Mutex::new(Buffers {
    shared: [0; MIN_BUFFER],
    scratch: [0; MIN_BUFFER],
});

// Apart from the buffers, so that those are all zero and take no room in the module file.
static CONFIG: Mutex<Option<Config>> = Mutex::new(None);

/// Version of the layout.
#[unsafe(no_mangle)]
pub extern "C" fn edge_abi() -> u32 {
    ABI_VERSION
}

/// Address of the buffer.
#[unsafe(no_mangle)]
pub extern "C" fn edge_buf() -> *mut u8 {
    BUFFERS
        .try_lock()
        .map_or(std::ptr::null_mut(), |mut buffers| {
            buffers.shared.as_mut_ptr()
        })
}

/// Size of the buffer in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn edge_cap() -> u32 {
    MIN_BUFFER as u32
}

/// Takes a [`Config`]; gives 0, or 1 if it is none.
#[unsafe(no_mangle)]
pub extern "C" fn edge_init(len: u32) -> u32 {
    let Ok(buffers) = BUFFERS.try_lock() else {
        return 1;
    };
    let message = buffers.shared.get(..len as usize);
    let Some(Ok(config)) = message.map(Config::decode) else {
        return 1;
    };
    let Ok(mut current) = CONFIG.try_lock() else {
        return 1;
    };
    *current = Some(config);
    0
}

/// Takes a [`Request`]; leaves a [`weir_edge_abi::Plan`] and gives its length, or 0 if the request
/// is none, or before a [`Config`] was taken.
#[unsafe(no_mangle)]
pub extern "C" fn edge_decide(len: u32) -> u32 {
    let Ok(config) = CONFIG.try_lock() else {
        return 0;
    };
    let Some(config) = &*config else {
        return 0;
    };
    exchange(len, |message, answer| {
        let request = Request::decode(message).ok()?;
        Some(crate::decide(config, &request).encode(answer))
    })
}

/// Takes a [`BodyCheck`]; leaves a [`weir_edge_abi::Verdict`] and gives its length, or 0 if the
/// check is none.
#[unsafe(no_mangle)]
pub extern "C" fn edge_body(len: u32) -> u32 {
    exchange(len, |message, answer| {
        let check = BodyCheck::decode(message).ok()?;
        Some(crate::check_body(check.kind, check.body).encode(answer))
    })
}

/// Has `answer` read the message and write another, and puts that in the message's place.
fn exchange(
    len: u32,
    answer: impl FnOnce(&[u8], &mut [u8]) -> Option<Result<usize, Overflow>>,
) -> u32 {
    let Ok(mut buffers) = BUFFERS.try_lock() else {
        return 0;
    };
    let Buffers { shared, scratch } = &mut *buffers;
    let Some(message) = shared.get(..len as usize) else {
        return 0;
    };
    let Some(Ok(len)) = answer(message, scratch) else {
        return 0;
    };
    match (shared.get_mut(..len), scratch.get(..len)) {
        (Some(to), Some(from)) => to.copy_from_slice(from),
        _ => return 0,
    }
    len as u32
}

#[cfg(test)]
mod tests {
    use weir_edge_abi::{Method, Plan};

    use super::*;

    // The buffer is one for the whole process, so one test covers all of it.
    #[test]
    fn answers_take_the_messages_place() {
        assert_eq!(edge_decide(u32::MAX), 0);
        assert_eq!(edge_decide(3), 0, "zeros are no request");
        assert_eq!(edge_init(0), 1);

        let write = |message: &[u8]| {
            BUFFERS.lock().unwrap().shared[..message.len()].copy_from_slice(message);
            message.len() as u32
        };
        let mut message = [0; 256];
        let config = Config {
            target_duration_ms: 1000,
            part_target_ms: 100,
            ..Config::default()
        };
        let len = config.encode(&mut message).unwrap();
        assert_eq!(edge_init(write(&message[..len])), 0);

        let request = Request::new(Method::Get, "/v/oabcdefghijk/480p/index.m3u8", "_HLS_msn=1");
        let len = request.encode(&mut message).unwrap();
        let len = edge_decide(write(&message[..len])) as usize;
        let plan = BUFFERS.lock().unwrap().shared[..len].to_vec();
        assert_eq!(Plan::decode(&plan), Ok(crate::decide(&config, &request)));
    }
}
