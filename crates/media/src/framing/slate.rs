//! What viewers see while an encoder is away, as a transcoder is asked for it.

use serde::{Deserialize, Serialize};

/// A loop of pictures and one of silence, coded as a source was.
///
/// It is followed by the source's configurations (of its audio as well, if it has any) and the
/// units of its video from the last keyframe on, then [`Frame::End`](super::Frame::End). The answer
/// is, for each of `source` and `audio`: a configuration, units whose times begin at 0, and
/// [`Frame::Again`](super::Frame::Again).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlateJob {
    /// A PNG or JPEG file to show. `None` shows the source's last picture, darkened, with a notice
    /// over it.
    pub picture: Option<String>,
}
