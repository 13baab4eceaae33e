//! The calls into libsrt (`srt.h`, version 1.5). The only module of this crate that is unsafe.
//!
//! libsrt's sockets are numbers that are looked up in each call, under its own locks, and are not
//! given twice: a call for a socket that is closed answers an error, whatever the thread.
#![allow(unsafe_code)]

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_void},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    os::fd::IntoRawFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use libc::{AF_INET, AF_INET6, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage};
use thiserror::Error;

use crate::{Gate, Reject};

const INVALID_SOCKET: c_int = -1;
const ERROR: c_int = -1;
/// Longest stream id, in bytes.
const MAX_STREAM_ID_LEN: usize = 512;
/// Of syslog's levels: nothing less than what ends the process, which libsrt then does by itself.
const LOG_CRIT: c_int = 2;

/// `SRT_ERRNO`.
pub(crate) mod code {
    pub(crate) const CLOSED: i32 = 1005;
    pub(crate) const CONNECTION_LOST: i32 = 2001;
    pub(crate) const NO_CONNECTION: i32 = 2002;
    pub(crate) const INVALID_SOCKET: i32 = 5004;
    pub(crate) const WOULD_BLOCK: i32 = 6002;
    pub(crate) const TIMEOUT: i32 = 6003;
}

/// `SRT_SOCKOPT`.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Opt {
    RcvTimeo = 14,
    MaxBw = 16,
    Passphrase = 26,
    #[cfg(test)]
    PbKeyLen = 27,
    RcvLatency = 43,
    StreamId = 46,
}

type ListenCallback =
    extern "C" fn(*mut c_void, c_int, c_int, *const sockaddr, *const c_char) -> c_int;

// Linked by the build script.
unsafe extern "C" {
    fn srt_startup() -> c_int;
    fn srt_setloglevel(level: c_int);
    fn srt_create_socket() -> c_int;
    fn srt_bind_acquire(socket: c_int, udp: c_int) -> c_int;
    fn srt_listen(socket: c_int, backlog: c_int) -> c_int;
    fn srt_listen_callback(
        socket: c_int,
        callback: Option<ListenCallback>,
        opaque: *mut c_void,
    ) -> c_int;
    fn srt_accept(socket: c_int, address: *mut sockaddr, len: *mut c_int) -> c_int;
    fn srt_recvmsg(socket: c_int, buffer: *mut c_char, len: c_int) -> c_int;
    fn srt_close(socket: c_int) -> c_int;
    fn srt_setsockflag(socket: c_int, option: c_int, value: *const c_void, len: c_int) -> c_int;
    fn srt_getsockflag(socket: c_int, option: c_int, value: *mut c_void, len: *mut c_int) -> c_int;
    fn srt_setrejectreason(socket: c_int, reason: c_int) -> c_int;
    fn srt_getlasterror(os_error: *mut c_int) -> c_int;
    fn srt_getlasterror_str() -> *const c_char;
    #[cfg(test)]
    fn srt_connect(socket: c_int, address: *const sockaddr, len: c_int) -> c_int;
    #[cfg(test)]
    fn srt_sendmsg(
        socket: c_int,
        buffer: *const c_char,
        len: c_int,
        ttl_ms: c_int,
        in_order: c_int,
    ) -> c_int;
    #[cfg(test)]
    fn srt_getrejectreason(socket: c_int) -> c_int;
}

/// A call that libsrt did not carry out.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{call}: {message}")]
pub struct SrtError {
    call: &'static str,
    code: i32,
    message: String,
}

impl SrtError {
    /// Of the last failed call of this thread.
    fn last(call: &'static str) -> Self {
        let mut os_error = 0;
        // SAFETY: both look at what the thread's last failed call left; the text is libsrt's own
        // and holds still until the thread's next call.
        let (code, message) = unsafe {
            let code = srt_getlasterror(&mut os_error);
            (code, CStr::from_ptr(srt_getlasterror_str()))
        };
        Self {
            call,
            code,
            message: message.to_string_lossy().into_owned(),
        }
    }

    /// libsrt's number for it (`SRT_ERRNO`).
    pub fn code(&self) -> i32 {
        self.code
    }

    fn check(call: &'static str, result: c_int) -> Result<c_int, Self> {
        if result == ERROR {
            Err(Self::last(call))
        } else {
            Ok(result)
        }
    }
}

/// Starts libsrt's threads, once. They end with the process.
fn start() -> Result<(), SrtError> {
    static STARTED: OnceLock<Result<(), SrtError>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        // SAFETY: no arguments; a number by value.
        let result = unsafe {
            srt_setloglevel(LOG_CRIT);
            srt_startup()
        };
        SrtError::check("srt_startup", result).map(drop)
    });
    started.clone()
}

/// A socket of libsrt's, closed when dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    id: c_int,
    closed: AtomicBool,
}

impl Socket {
    pub(crate) fn create() -> Result<Self, SrtError> {
        start()?;
        // SAFETY: no arguments.
        let id = SrtError::check("srt_create_socket", unsafe { srt_create_socket() })?;
        Ok(Self::from(id))
    }

    pub(crate) fn set_int(&self, option: Opt, value: i32) -> Result<(), SrtError> {
        self.set_bytes(option, &value.to_ne_bytes())
    }

    pub(crate) fn set_int64(&self, option: Opt, value: i64) -> Result<(), SrtError> {
        self.set_bytes(option, &value.to_ne_bytes())
    }

    pub(crate) fn set_bytes(&self, option: Opt, value: &[u8]) -> Result<(), SrtError> {
        let len = value.len() as c_int;
        // SAFETY: libsrt copies so many bytes from there, and needs no alignment for it.
        let result =
            unsafe { srt_setsockflag(self.id, option as c_int, value.as_ptr().cast(), len) };
        SrtError::check("srt_setsockflag", result).map(drop)
    }

    pub(crate) fn stream_id(&self) -> Result<String, SrtError> {
        let mut text = [0; MAX_STREAM_ID_LEN + 1];
        let mut len = text.len() as c_int;
        let option = Opt::StreamId as c_int;
        // SAFETY: libsrt writes at most `len` bytes there, and how many it wrote to `len`.
        let result =
            unsafe { srt_getsockflag(self.id, option, text.as_mut_ptr().cast(), &mut len) };
        SrtError::check("srt_getsockflag", result)?;
        let text = text.get(..len as usize).unwrap_or_default();
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    /// Sends and receives by way of `udp` from now on.
    pub(crate) fn bind(&self, udp: UdpSocket) -> Result<(), SrtError> {
        // SAFETY: the descriptor is open; it is libsrt's from here, which closes it.
        let result = unsafe { srt_bind_acquire(self.id, udp.into_raw_fd()) };
        SrtError::check("srt_bind_acquire", result).map(drop)
    }

    /// To be called once, before [`listen`](Self::listen).
    pub(crate) fn set_gate(&self, gate: Box<Gate>) -> Result<(), SrtError> {
        gates().insert(self.id, Arc::from(gate));
        let opaque = self.id as usize as *mut c_void;
        // SAFETY: the pointer is only a number, and the function looks for the gate under it.
        let result = unsafe { srt_listen_callback(self.id, Some(ask_gate), opaque) };
        SrtError::check("srt_listen_callback", result).map(drop)
    }

    pub(crate) fn listen(&self, backlog: c_int) -> Result<(), SrtError> {
        // SAFETY: numbers by value.
        let result = unsafe { srt_listen(self.id, backlog) };
        SrtError::check("srt_listen", result).map(drop)
    }

    pub(crate) fn accept(&self) -> Result<(Self, SocketAddr), SrtError> {
        // SAFETY: all zeros is a socket address of no family.
        let mut address: sockaddr_storage = unsafe { std::mem::zeroed() };
        let mut len = size_of::<sockaddr_storage>() as c_int;
        let place = (&raw mut address).cast();
        // SAFETY: libsrt writes at most `len` bytes there.
        let result = unsafe { srt_accept(self.id, place, &mut len) };
        let socket = Self::from(SrtError::check("srt_accept", result)?);
        // SAFETY: it holds an address of the family it names, or none.
        let peer = unsafe { read_address(place) };
        Ok((socket, peer))
    }

    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<usize, SrtError> {
        let len = buffer.len() as c_int;
        // SAFETY: libsrt writes at most `len` bytes there.
        let result = unsafe { srt_recvmsg(self.id, buffer.as_mut_ptr().cast(), len) };
        SrtError::check("srt_recvmsg", result).map(|len| len as usize)
    }

    pub(crate) fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            // SAFETY: a number by value. It fails only for a socket that is closed already.
            unsafe { srt_close(self.id) };
            // Its drop may do anything, so not under the lock.
            let gate = gates().remove(&self.id);
            drop(gate);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl From<c_int> for Socket {
    fn from(id: c_int) -> Self {
        debug_assert_ne!(id, INVALID_SOCKET);
        Self {
            id,
            closed: AtomicBool::new(false),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.close();
    }
}

/// The gates of the listeners that are open, by the listener's number. libsrt may still be asking
/// one while its listener is being closed, so that a pointer to it would not do.
fn gates() -> MutexGuard<'static, BTreeMap<c_int, Arc<Gate>>> {
    static GATES: Mutex<BTreeMap<c_int, Arc<Gate>>> = Mutex::new(BTreeMap::new());
    GATES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `srt_listen_callback_fn`: 0 lets the caller in.
extern "C" fn ask_gate(
    opaque: *mut c_void,
    caller: c_int,
    _handshake_version: c_int,
    address: *const sockaddr,
    stream_id: *const c_char,
) -> c_int {
    let listener = opaque as usize as c_int;
    let gate = gates().get(&listener).cloned();
    let stream_id = if stream_id.is_null() {
        c""
    } else {
        // SAFETY: libsrt passes a string that ends with a zero and holds still during the call.
        unsafe { CStr::from_ptr(stream_id) }
    };
    // SAFETY: libsrt passes the address of the peer, whole for its family.
    let peer = unsafe { read_address(address) };
    let ask = AssertUnwindSafe(|| match (gate, stream_id.to_str()) {
        (Some(gate), Ok(stream_id)) => gate(stream_id, peer),
        (Some(_), Err(_)) => Err(Reject::BadRequest),
        (None, _) => Err(Reject::InternalServerError),
    });
    // Nothing may unwind into libsrt.
    match catch_unwind(ask).unwrap_or(Err(Reject::InternalServerError)) {
        Ok(()) => 0,
        Err(reject) => {
            // SAFETY: numbers by value.
            unsafe { srt_setrejectreason(caller, reject.code()) };
            ERROR
        }
    }
}

/// # Safety
/// `address` is null or points to a socket address that is whole for the family it names.
unsafe fn read_address(address: *const sockaddr) -> SocketAddr {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    if address.is_null() {
        return nowhere;
    }
    // SAFETY: as the caller promises; alignment is not relied upon.
    unsafe {
        match c_int::from(address.read_unaligned().sa_family) {
            AF_INET => {
                let v4 = address.cast::<sockaddr_in>().read_unaligned();
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                SocketAddr::from((ip, u16::from_be(v4.sin_port)))
            }
            AF_INET6 => {
                let v6 = address.cast::<sockaddr_in6>().read_unaligned();
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into()
            }
            _ => nowhere,
        }
    }
}

/// The other side, for tests.
#[cfg(test)]
impl Socket {
    /// Calls; the error is the reason for which the listener rejects.
    pub(crate) fn connect(&self, port: u16) -> Result<(), i32> {
        // SAFETY: all zeros is a socket address of no family.
        let mut address: sockaddr_in = unsafe { std::mem::zeroed() };
        address.sin_family = AF_INET as libc::sa_family_t;
        address.sin_port = port.to_be();
        address.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
        let len = size_of::<sockaddr_in>() as c_int;
        // SAFETY: an address of `len` bytes; a number by value.
        match unsafe { srt_connect(self.id, (&raw const address).cast(), len) } {
            ERROR => Err(unsafe { srt_getrejectreason(self.id) }),
            _ => Ok(()),
        }
    }

    pub(crate) fn send(&self, packet: &[u8]) -> Result<(), SrtError> {
        let len = packet.len() as c_int;
        // SAFETY: libsrt copies so many bytes from there.
        let result = unsafe { srt_sendmsg(self.id, packet.as_ptr().cast(), len, -1, 1) };
        SrtError::check("srt_sendmsg", result).map(drop)
    }
}
