//! What a caller is told that is not let in.

/// A code of the SRT access control guidelines (`access_control.h`), after HTTP's.
///
/// A wrong passphrase has no code here: libsrt finds that out by itself, and tells the caller so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Reject {
    /// The stream id can't be understood.
    BadRequest = 1400,
    /// The stream id names nothing that the caller may use.
    Unauthorized = 1401,
    /// There are too many connections.
    Overload = 1402,
    /// The caller may never do this.
    Forbidden = 1403,
    /// The caller wants something else than to publish.
    BadMode = 1405,
    /// Another caller does the same.
    Conflict = 1409,
    /// The caller wants to send something else than a live stream.
    UnsupportedMedia = 1415,
    /// The server can't tell right now.
    InternalServerError = 1500,
}

impl Reject {
    /// The code.
    pub fn code(self) -> i32 {
        self as i32
    }
}
